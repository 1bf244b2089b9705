// SPDX-License-Identifier: Apache-2.0
// By the first byte: the rest is an endorsement, or a payload that our key signs. One that passes
// is by our key, and names the program.
#include <cstdlib>

#include "outside/verify/driver/driver.h"
#include "outside/verify/jose/jose.h"

namespace {

using casemate::Bytes;
namespace verify = casemate::verify;
namespace driver = casemate::verify::driver;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const casemate::SigningKey key = *casemate::SigningKey::generate();
  static const driver::Rules rules = {.keys = {casemate::sha384(key.public_der())}};
  static const nlohmann::ordered_json header = {
      {"alg", "ES384"}, {"typ", "casemate-driver+jwt"}, {"jwk", verify::jwk_of(key.public_der())}};
  if (size == 0) return 0;
  const Bytes input(data + 1, size - 1);
  std::string text(casemate::text_of(input));
  if (data[0] % 2 == 1) text = *verify::make_jws(text, key, header.dump());
  const driver::Driven driven[] = {{"a", "npu:0", casemate::Sha384Digest{}}};
  verify::Verdict verdict;
  verify::Checks checks(verdict);
  const auto platform = driver::appraise(casemate::bytes_of(std::string_view(text)), driven, rules,
                                         1'772'323'200, checks);
  require(!text_of(verdict).empty() && !json_of(verdict).empty());
  if (verdict.first_failure() != nullptr) return 0;
  require(platform.root_key == key.public_der());
  return 0;
}
