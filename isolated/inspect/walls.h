// SPDX-License-Identifier: Apache-2.0
#pragma once
// Walls: what this program gives up before it looks at the model, whose file may be hostile: all
// privileges and capabilities, every file (Landlock and a system-call filter), network, other
// processes, and memory and time beyond what was asked for. It is what an enclave of a model gives
// up, but for namespaces and control groups, which take a monitor.
//
//   Owns     nothing.
//   Threads  call before threads start.
//   Trust    what ran before it in this process was ours.
//   Fails    kPlatform; whoever gets that must not go on.

#include "isolated/inspect/options.h"

namespace casemate::inspect {

Status raise_walls(const Options& options);

}  // namespace casemate::inspect
