// SPDX-License-Identifier: Apache-2.0
// Three ways in, by the first byte: the rest is a token; the rest are the platform's claims,
// signed; the rest are the realm's, signed. A token that passes is by our keys, bound, and of a
// secured platform.
#include <cstdlib>

#include "outside/verify/cca/testing/judged.h"

namespace {

using casemate::Bytes;
namespace cca = casemate::verify::cca;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const cca::testing::Realm realm;
  static const auto rules = realm.rules();
  static const auto collateral = realm.collateral();
  if (size == 0) return 0;
  const Bytes input(data + 1, size - 1);
  std::vector<uint8_t> token(input.begin(), input.end());
  if (data[0] % 3 != 0) {
    const bool platform = data[0] % 3 == 1;
    const auto good = cca::testing::encode(platform ? realm.realm : realm.platform);
    token = cca::testing::token_of(platform ? input : good, realm.platform_key,
                                   platform ? good : input, realm.realm_key);
  }
  const auto judged = cca::testing::judge(token, rules, collateral);
  require(!text_of(judged.verdict).empty() && !json_of(judged.verdict).empty());
  if (judged.verdict.first_failure() != nullptr) return 0;
  require(judged.platform.root_key == realm.platform_key.public_der() && !judged.platform.debug);
  const auto collection = cca::read_collection(token);
  require(collection.has_value());
  const auto claims = cca::read_platform_claims(collection->platform.payload);
  require(claims.has_value() && claims->lifecycle >> 8 == 0x30);
  require(cca::binder_of(*cca::read_realm_claims(collection->realm.payload)).value() ==
          claims->challenge);
  return 0;
}
