// SPDX-License-Identifier: Apache-2.0
#pragma once
// The device's end of what caller.h does: decrypts a call with its data, makes it, waits for what
// it reads, and encrypts the answer.
//
//   Owns     the session and plain copies of the stream's bulk memory while it serves.
//   Threads  one.
//   Trust    none: it is here to be measured.
//   Fails    ends when the stream does, or a message does not match its tag.

#include "isolated/driver/opencl/server/session.h"
#include "isolated/srpc/srpc.h"

namespace casemate::opencl::lockstep {

void serve(srpc::Callee& callee, cl_device_id device, const SessionLimits& limits);

}  // namespace casemate::opencl::lockstep
