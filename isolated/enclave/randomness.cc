// SPDX-License-Identifier: Apache-2.0
#include "isolated/enclave/randomness.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

namespace casemate::enclave {

Status renew_randomness() {
  // The generators for keys and for all else reseed themselves when this one, their parent, has.
  EVP_RAND_CTX* const primary = RAND_get0_primary(nullptr);
  if (primary == nullptr || EVP_RAND_reseed(primary, 0, nullptr, 0, nullptr, 0) != 1)
    return Error{Code::kPlatform, "libcrypto's random numbers cannot be seeded afresh"};
  return {};
}

}  // namespace casemate::enclave
