// SPDX-License-Identifier: Apache-2.0
#pragma once
// Roots: which roots of trust this machine seems to have, and which one a system is to be started
// with. Only what is there is looked at; the monitor alone opens a root, and says what is wrong
// with it.
//
//   Owns     values.
//   Threads  pure functions of what lies in the file system.
//   Trust    none is needed: a wrong choice starts a system that verifiers refuse.
//   Fails    choose_root() with the roots that there are.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/evidence/evidence.h"

namespace casemate::launch {

struct RootHere {
  RootKind kind = RootKind::kSoftware;
  bool usable = false;
  std::string what;  // what is there, or what is missing and what to do about it
};

// All kinds, the strongest first. `machine` is put before every path: "" is this machine.
std::vector<RootHere> roots_here(const std::string& machine = "");

// The root of that name; of "auto", the strongest that is usable. kInvalid for another name.
Result<RootKind> choose_root(std::string_view name, const std::vector<RootHere>& roots);

}  // namespace casemate::launch
