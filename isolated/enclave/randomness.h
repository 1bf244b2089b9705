// SPDX-License-Identifier: Apache-2.0
#pragma once
// Randomness of an instance whose template may have drawn some. libcrypto knows that it was copied
// by the number of its process, and that is 1 in the PID namespace of every template and of every
// instance: without this, instances of one template would draw the same keys.
//
//   Owns     nothing.
//   Threads  before others draw.
//   Trust    the kernel's randomness.
//   Fails    kPlatform; whoever gets that must not make keys.

#include "base/result.h"

namespace casemate::enclave {

// Seeds libcrypto's generators afresh. Requires: use_secret_heap() comes before, if at all.
Status renew_randomness();

}  // namespace casemate::enclave
