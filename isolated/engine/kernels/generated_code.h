// SPDX-License-Identifier: Apache-2.0
#pragma once
// GeneratedCode: the machine code that oneDNN writes for each kernel. Its allocator leaves the
// pages writable and executable at once, so whoever could write anywhere in a process could run
// anything.
//
//   Owns     a list of these pages, kept by standing in for mprotect and munmap.
//   Threads  any.
//   Trust    none of it is a peer's.
//   Fails    seal returns kPlatform when the kernel refuses, kTooLarge when there are too many.

#include "base/result.h"

namespace casemate::engine {

// Takes the right to write from all generated code, for good: a filter may forbid what could give
// it back. Code that is generated later is not covered.
Status seal_generated_code();

}  // namespace casemate::engine
