// SPDX-License-Identifier: Apache-2.0
#include "outside/verdict/platform.h"

namespace casemate::verify {

Sha384Digest digest_of(std::string_view root, std::span<const Measurement> measurements) {
  Sha384 hash;
  hash.field(bytes_of(root));
  for (const Measurement& measurement : measurements)
    hash.field(bytes_of(std::string_view(measurement.name))).field(measurement.value);
  return hash.finish();
}

}  // namespace casemate::verify
