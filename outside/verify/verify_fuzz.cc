// SPDX-License-Identifier: Apache-2.0
// Two ways in. The first byte even: the rest is evidence as it came from the network. Odd: the rest
// is a list of changes to good evidence that is then signed again, so that what lies behind the
// signatures is reached too; such evidence may pass, and then it must be what was asked for.
#include <algorithm>
#include <cstdlib>

#include "outside/verify/decode.h"
#include "outside/verify/policy.h"
#include "outside/verify/testing/signer.h"
#include "outside/verify/verify.h"

namespace {

using casemate::Bytes;
using casemate::mutable_bytes_of;
using casemate::MutableBytes;
using casemate::verify::testing::Signer;
namespace verify = casemate::verify;

constexpr size_t kChange = 4;  // part, position (2 bytes), value

void require(bool holds) {
  if (!holds) std::abort();
}

verify::Policy policy() {
  verify::Policy policy;
  policy.allow_software_root = true;
  return policy;
}

void check(const Signer& signer, Bytes evidence) {
  const verify::Expectation expected{
      .tls_key = signer.tls.public_der(), .model = "digits", .now_unix = verify::testing::kNow};
  const verify::Verdict verdict = verify::verify_evidence(evidence, expected, policy());
  require(verdict.passed == (verdict.first_failure() == nullptr));
  require(!text_of(verdict).empty() && !json_of(verdict).empty());
  if (!verdict.passed) return;
  const auto decoded = verify::decode_evidence(evidence);
  require(decoded.has_value());
  // What passed has one spelling, belongs to our key and model, and no debug flag.
  require(std::ranges::equal(
      encode_evidence(decoded->quote, decoded->claims, decoded->tokens, decoded->devices),
      evidence));
  require(decoded->tokens.size() >= 2 && decoded->tokens[1].name.view() == "digits");
  require(decoded->tokens[0].key_hash == casemate::sha384(signer.tls.public_der()));
  for (const auto& token : decoded->tokens) require(token.flags == 0);
}

void change(MutableBytes part, Bytes how) {
  if (part.empty()) return;
  part[(how[1] | how[2] << 8) % part.size()] = how[3];
}

void change_and_sign(Signer& signer, Bytes changes) {
  for (; changes.size() >= kChange; changes = changes.subspan(kChange)) {
    switch (changes[0] % 6) {
      case 0:
        change(mutable_bytes_of(signer.quote), changes);
        break;
      case 1:
        change(mutable_bytes_of(signer.tokens[0]), changes);
        break;
      case 2:
        change(mutable_bytes_of(signer.tokens[1]), changes);
        break;
      case 3:
        change(signer.claims, changes);
        break;
      case 4:
        change(signer.chain, changes);
        break;
      default:
        signer.claims.push_back(changes[3]);
        break;
    }
  }
  signer.quote.report_data = casemate::report_data_of(signer.claims);
  signer.sign_quote();
  signer.sign_tokens();
  check(signer, signer.evidence());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Signer signer = [] {
    Signer made;
    made.add_model("digits");
    made.sign();
    return made;
  }();
  if (size == 0) return 0;
  const Bytes input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    check(signer, input);
    // Also as changes to good bytes, which random bytes would never spell.
    std::vector<uint8_t> evidence = signer.evidence();
    for (Bytes left = input; left.size() >= kChange; left = left.subspan(kChange))
      change(evidence, left);
    check(signer, evidence);
    return 0;
  }
  const auto quote = signer.quote;
  const auto chain = signer.chain;
  const auto claims = signer.claims;
  const auto tokens = signer.tokens;
  change_and_sign(signer, input);
  signer.quote = quote;
  signer.chain = chain;
  signer.claims = claims;
  signer.tokens = tokens;
  return 0;
}
