// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a link's calls go through. A comparison (tests/opencl/lockstep) is the same driver with
// another header in this one's place.
//
//   Owns     a name.
//   Threads  as srpc::Caller.
//   Trust    as srpc::Caller.
//   Fails    as srpc::Caller.

#include "isolated/srpc/srpc.h"

namespace casemate::opencl {

using Transport = srpc::Caller;

}  // namespace casemate::opencl
