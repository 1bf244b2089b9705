// SPDX-License-Identifier: Apache-2.0
#pragma once
// Wrapping: a package's key for one enclave's eyes (HPKE, see wire/sealed/release.h).
//
//   Owns     nothing.
//   Threads  pure functions, but for the random numbers that libcrypto draws.
//   Trust    the enclave's public key is anybody's: libcrypto checks that it is on the curve.
//            Whether it is the right one is for the evidence to say.
//   Fails    kInvalid for what is no P-384 key.

#include "wire/sealed/release.h"

namespace casemate::keys {

Result<sealed::WrappedKey> wrap(const SecretKey& key, const sealed::KeyRequest& request);

}  // namespace casemate::keys
