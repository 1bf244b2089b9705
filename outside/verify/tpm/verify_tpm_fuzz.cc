// SPDX-License-Identifier: Apache-2.0
// The first byte even: the rest is a quote as it came from the network, and as changes to a good
// one. Odd: changes to what a TPM signs, which is then signed, so that what lies behind the
// signature is reached too.
#include <cstdlib>

#include "outside/verify/tpm/quote.h"
#include "outside/verify/tpm/testing/tpm_signer.h"
#include "outside/verify/tpm/verify_tpm.h"

namespace {

using namespace casemate;
using namespace casemate::verify;
using testing::TpmKeyKind;
using testing::TpmSigner;

constexpr size_t kChange = 4;  // part, position (2 bytes), value

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const TpmSigner& signer, Bytes quote) {
  Verdict verdict;
  Checks checks(verdict);
  const Platform platform = verify_tpm(quote, {}, {.keys = {sha384(signer.key)}}, 0, checks);
  require(!checks.halted() || verdict.first_failure() != nullptr);
  if (verdict.first_failure() != nullptr) return;
  // What passed is the signer's word.
  const auto read = read_tpm_quote(quote);
  require(read && std::ranges::equal(read->attest_bytes, signer.attest));
  require(platform.report_data == signer.head.report_data && platform.root == "tpm");
  require(!platform.measurements.empty());
}

void change(std::vector<uint8_t>& part, Bytes how) {
  if (!part.empty()) part[(how[1] | how[2] << 8) % part.size()] = how[3];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const TpmSigner good[] = {TpmSigner(TpmKeyKind::kP256), TpmSigner(TpmKeyKind::kP384),
                                   TpmSigner(TpmKeyKind::kRsa)};
  if (size < 2) return 0;
  TpmSigner signer = good[data[1] % 3];
  const Bytes input(data + 2, size - 2);
  if (data[0] % 2 == 0) {
    check(signer, input);
    auto quote = signer.quote();
    for (Bytes left = input; left.size() >= kChange; left = left.subspan(kChange))
      change(quote, left);
    check(signer, quote);
    return 0;
  }
  for (Bytes left = input; left.size() >= kChange; left = left.subspan(kChange)) {
    std::vector<uint8_t>* parts[] = {&signer.attest, &signer.key, &signer.pcr_values,
                                     &signer.events};
    change(*parts[left[0] % 4], left);
    if (left[0] >= 240) signer.attest.resize(left[3]);
  }
  signer.sign();
  check(signer, signer.quote());
  return 0;
}
