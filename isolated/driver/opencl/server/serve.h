// SPDX-License-Identifier: Apache-2.0
#pragma once
// Serving a session: one stream, from its first call to its end.

#include "base/result.h"
#include "isolated/driver/opencl/server/session.h"
#include "isolated/srpc/srpc.h"

namespace casemate::opencl {

// The device of that number, as all platforms of this machine list theirs. kNotFound where there
// are fewer.
Result<cl_device_id> device(uint32_t index);

// Serves one client until its stream fails, which it does when the client ends, or `wanted` says
// no. Asks that at least every second. kUnavailable, and no call is served, where the thread that
// shows progress cannot be had.
Status serve(srpc::Callee& callee, cl_device_id device, const SessionLimits& limits,
             const std::function<bool()>& wanted);

}  // namespace casemate::opencl
