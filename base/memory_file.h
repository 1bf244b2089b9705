// SPDX-License-Identifier: Apache-2.0
#pragma once
// make_memory_file(): an empty file that lies in memory alone, whose size and content may be sealed
// and which cannot be made executable.
//
//   Owns     nothing; the caller gets the descriptor.
//   Threads  any.
//   Trust    none is needed.
//   Fails    kPlatform.

#include "base/fd.h"
#include "base/result.h"

namespace casemate {

// `name` appears in /proc alone.
Result<Fd> make_memory_file(const char* name);

}  // namespace casemate
