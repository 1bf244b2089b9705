// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which pieces of bulk memory a call names: both ends must know what to encrypt.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    test code between two programs of ours.
//   Fails    cannot.

#include "isolated/driver/opencl/protocol/protocol.h"

namespace casemate::opencl::lockstep {

struct Pieces {
  Region in;
  Region out;
};
Pieces pieces_of(uint32_t call, Bytes args);

}  // namespace casemate::opencl::lockstep
