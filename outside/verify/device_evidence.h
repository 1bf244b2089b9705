// SPDX-License-Identifier: Apache-2.0
#pragma once
// Device evidence: what the accelerators behind tokens say of themselves, or their drivers' authors
// of them. Which device shows what is the monitor's word, by the hash in its token; what that is
// worth is judged here:
//
//   NVIDIA      a transcript (nvidia/), behind which its certificates may stand in PEM
//   driver      an endorsement (driver/)
//
// An answer to a nonce that nobody has chosen may be of any time, and one device's answer may be
// shown for another: the policy names the nonce, and one answer counts for one device.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    what devices say is hostile; the tokens that name it were proved.
//   Fails    cannot: what is wrong is in the verdict.

#include <cstdint>

#include "outside/verdict/verdict.h"
#include "outside/verify/decode.h"
#include "outside/verify/policy.h"

namespace casemate::verify {

// Writes a verdict on each into `verdict`, and on each accelerator that shows none. A broken one
// hides nothing of the others. Requires: check_devices() succeeded.
void judge_devices(const Evidence& evidence, const Policy& policy, int64_t now_unix,
                   Verdict& verdict);

}  // namespace casemate::verify
