// SPDX-License-Identifier: Apache-2.0
// By the first byte: the rest is a token; the rest are claims in JSON, signed; or in CBOR, signed.
// A token that passes is by our key, and neither it nor what is in it says that debugging is on.
#include <cstdlib>

#include "outside/verify/cose/cose.h"
#include "outside/verify/ear/eat.h"
#include "outside/verify/jose/jose.h"

namespace {

using casemate::Bytes;
namespace verify = casemate::verify;
namespace eat = casemate::verify::eat;

void require(bool holds) {
  if (!holds) std::abort();
}

bool debugged(const verify::EatClaims& claims) {
  bool on = claims.debug == verify::DebugStatus::kEnabled;
  for (const auto& [name, inner] : claims.submodules) on = on || debugged(inner);
  return on;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const casemate::SigningKey key = *casemate::SigningKey::generate();
  static const eat::Rules rules = [] {
    const Bytes point = Bytes(key.public_der()).last(96);
    eat::Rules made;
    made.keys = {{{"kty", "EC"},
                  {"crv", "P-384"},
                  {"x", verify::to_base64url(point.first(48))},
                  {"y", verify::to_base64url(point.last(48))}}};
    return made;
  }();
  if (size == 0) return 0;
  const Bytes input(data + 1, size - 1);
  std::vector<uint8_t> token(input.begin(), input.end());
  if (data[0] % 3 == 1) {
    const std::string text = *verify::make_jws(casemate::text_of(input), key);
    token.assign(text.begin(), text.end());
  } else if (data[0] % 3 == 2) {
    token = *verify::make_sign1(input, key);
  }
  verify::Verdict verdict;
  verify::Checks checks(verdict);
  const auto platform = eat::appraise(token, rules, {}, 1'772'323'200, checks);
  require(!text_of(verdict).empty() && !json_of(verdict).empty());
  if (verdict.first_failure() != nullptr) return 0;
  require(platform.root_key == key.public_der() && !platform.debug);
  const auto claims = data[0] % 3 == 1   ? verify::eat_claims_in_json(casemate::text_of(input))
                      : data[0] % 3 == 2 ? verify::eat_claims_in_cbor(input)
                                         : verify::EatClaims{};
  require(claims.has_value() && !debugged(*claims));
  return 0;
}
