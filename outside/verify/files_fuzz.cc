// SPDX-License-Identifier: Apache-2.0
// Files that a user was given: a policy, and a folder of collateral with certificates, lists of
// revoked ones and keys. The first byte says which, the rest is the file.
#include <cstdlib>

#include "outside/verify/cca/anchors.h"
#include "outside/verify/intel/statements.h"
#include "outside/verify/platform_evidence.h"
#include "outside/verify/policy.h"
#include "outside/verify/x509/chain.h"

namespace {

using casemate::Bytes;
namespace verify = casemate::verify;

constexpr int64_t kNow = 1'772'323'200;

void require(bool holds) {
  if (!holds) std::abort();
}

// A policy that is read is written so that it is read to the same again.
void read_policy(Bytes file) {
  const auto policy = verify::parse_policy(casemate::text_of(file), "it");
  if (!policy) return require(!policy.error().text.empty());
  const std::string text = verify::policy_text(*policy);
  const auto again = verify::parse_policy(text, "it");
  require(again.has_value() && verify::policy_text(*again) == text);
}

void read_certificate(const verify::X509Certificate& certificate) {
  require(certificate.subject().find('\n') == std::string::npos);
  require(certificate.issuer().find('\n') == std::string::npos);
  (void)certificate.extension("2.23.133.5.4.9");
  const verify::ChainRules rules{.anchors = {casemate::sha384(certificate.key())}};
  const auto chain = verify::chain_of(certificate, std::vector{certificate}, rules);
  if (!chain) return;
  require(chain->size() == 1 && !certificate.key().empty());
  (void)verify::check_validity(*chain, kNow);
}

// What a folder's file is taken for, and a chain over all that is in it.
void read_collateral(Bytes file) {
  verify::Collateral collateral;
  if (!collateral.add("file", file)) return;
  for (const auto& certificate : collateral.certificates()) {
    read_certificate(certificate);
    const auto again = verify::X509Certificate::from_der(certificate.der());
    require(again.has_value() && again->key() == certificate.key());
    const auto chain = verify::chain_of(certificate, collateral.certificates(), {.anchors = {}});
    require(!chain.has_value());  // nobody is trusted
    const verify::Chain two = {certificate, collateral.certificates().back()};
    (void)verify::check_revocation(two, collateral.crls(), kNow, verify::Revocation::kMustBeShown);
  }
  for (const auto& list : collateral.crls()) {
    require(list.issuer().find('\n') == std::string::npos);
    (void)list.next_update();
  }
  (void)verify::intel::statements_of(collateral);
  for (const auto& document : collateral.documents()) {
    const auto json = verify::parse_json(casemate::text_of(document.content), "it");
    if (json) (void)verify::cca::anchors_in(*json);
  }
}

// RA-TLS certificates of others among them: nothing that is found in one passes by itself.
void read_evidence(Bytes file) {
  const verify::Verdict verdict =
      verify::verify_platform(verify::evidence_in(file), {}, {}, {}, kNow);
  require(verdict.passed == (verdict.first_failure() == nullptr));
  require(!text_of(verdict).empty() && !json_of(verdict).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes file(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      read_policy(file);
      break;
    case 1:
      read_collateral(file);
      break;
    default:
      read_evidence(file);
      break;
  }
  return 0;
}
