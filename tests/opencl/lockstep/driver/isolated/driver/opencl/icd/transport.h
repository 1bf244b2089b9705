// SPDX-License-Identifier: Apache-2.0
#pragma once
// The transport of the driver that calls one by one and encrypts: see
// tests/opencl/lockstep/caller.h.
//
//   Owns     a name.
//   Threads  one at a time.
//   Trust    see caller.h.
//   Fails    see caller.h.

#include "tests/opencl/lockstep/caller.h"

namespace casemate::opencl {

using Transport = lockstep::Caller;

}  // namespace casemate::opencl
