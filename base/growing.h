// SPDX-License-Identifier: Apache-2.0
#pragma once
// What files are called that are not complete yet: they grow beside their place. Who reads a folder
// passes over them, whoever may have left them there.

#include <string_view>

namespace casemate {

inline constexpr std::string_view kGrowingPrefix = ".casemate-";

}  // namespace casemate
