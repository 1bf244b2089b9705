// SPDX-License-Identifier: Apache-2.0
#pragma once
// The form of a policy file for tools: JSON Schema, draft 2020-12. parse_policy() decides; what
// this takes and refuses is the same (policy_schema_test.cc), so that an editor can say so earlier.
//
//   Owns     nothing.
//   Threads  pure function.
//   Trust    our own words.
//   Fails    cannot.

#include <string_view>

namespace casemate::verify {

std::string_view policy_schema();

}  // namespace casemate::verify
