// SPDX-License-Identifier: Apache-2.0
#pragma once
// DevelopmentPki: the keys and certificates of a development root, out of one seed. It plays what a
// maker of processors and his machines have: a root, an authority of the platform, and the key that
// signs reports (outside/verify/development has what each may do).
//
// The same seed gives the same keys, to whoever has it, and the same certificates to the byte. So
// machines of one developer may have one root, that clients pin, and nothing is lost with a file
// that can be made again. It proves nothing to anybody who does not know who has the seed.
//
//   state folder   development-root.seed          64 hexadecimal digits; made once, or yours
//                  development-attestation.key    read by the monitor (wire/evidence)
//                  development-attestation.chain  the same
//
//   Owns     its keys.
//   Threads  one; several processes may install into one folder.
//   Trust    the folder is one that only its owner can enter.
//   Fails    kInvalid and kDenied for a seed that is none, with what to do; kPlatform from the
//            kernel and libcrypto.

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/derive.h"

namespace casemate::certify {

struct DevelopmentPki {
  static constexpr const char* kSeedFile = "development-root.seed";
  // 2020-01-01 to 2050-01-01.
  static constexpr int64_t kValidFrom = 1'577'836'800;
  static constexpr int64_t kValidUntil = 2'524'608'000;

  static Result<DevelopmentPki> make(const SecretKey& seed);

  SigningKey root;             // on P-256
  SigningKey platform;         // on P-256
  SigningKey attestation;      // on P-384, as SEV-SNP's
  std::vector<uint8_t> chain;  // the certificates in DER, the attestation key's first
};

// Has the key and the chain that a monitor reads lie in `state_folder`, unless they do and belong
// together: out of the seed in the same folder, which is made of `random` where there is none.
Status install_development_pki(const std::string& state_folder, Random& random);

}  // namespace casemate::certify
