// SPDX-License-Identifier: Apache-2.0
#pragma once
// Evidence of real platforms, which lies beside the repository where it is there at all:
// ../shared/data/attestation.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    test code: no shipped program may link this folder.
//   Fails    an empty path or content where a file is missing.

#include <string>
#include <string_view>
#include <vector>

#include "outside/verify/collateral/collateral.h"

namespace casemate::verify::intel::testing {

// The folder's path; empty where it is missing. A test skips itself then.
std::string vectors_folder();
std::vector<uint8_t> vector_file(std::string_view name);
// Of the files by these names.
Collateral vector_collateral(std::initializer_list<std::string_view> names);

}  // namespace casemate::verify::intel::testing
