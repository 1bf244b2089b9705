// SPDX-License-Identifier: Apache-2.0
#include "outside/fetch/answer.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/intel/statements.h"
#include "outside/verify/intel/tcb.h"
#include "outside/verify/platform_evidence.h"
#include "outside/verify/snp/endorsement.h"

namespace casemate::fetch {
namespace {

namespace snp = verify::snp;
using verify::Collateral;
using verify::X509Certificate;

constexpr size_t kShown = 60;  // of an answer that is something else
constexpr size_t kCertificates = 8;

Error unlike(std::string text) { return {Code::kInvalid, std::move(text)}; }

// What the bytes are, as the folder's reader sees them.
Result<Collateral> sorted(Bytes body) {
  Collateral collateral;
  TRY(collateral.add("the answer", body));
  return collateral;
}

Error another_thing(const Wanted& wanted, Bytes body) {
  return unlike(formatted("the answer is not the {}, but {} bytes that begin \"{}\"", wanted.what,
                          body.size(), printable(text_of(body).substr(0, kShown), kShown)));
}

Status judge_tcb_info(const Wanted& wanted, Bytes body) {
  const auto statements = verify::intel::statements_of(TRY(sorted(body)));
  if (!statements.broken.empty()) return unlike(statements.broken);
  if (statements.tcb_infos.size() != 1) return another_thing(wanted, body);
  const auto info =
      TRY(verify::intel::read_tcb_info(statements.tcb_infos.front().text, "the TCB info"));
  if (info.tdx != wanted.tdx || info.fmspc != wanted.fmspc) {
    return unlike(
        formatted("the answer is TCB info of {} with FMSPC {}, and that of {} with {} "
                  "was asked for",
                  info.tdx ? "TDX" : "SGX", to_hex(info.fmspc), wanted.tdx ? "TDX" : "SGX",
                  to_hex(wanted.fmspc)));
  }
  return {};
}

Status judge_qe_identity(const Wanted& wanted, Bytes body) {
  const auto statements = verify::intel::statements_of(TRY(sorted(body)));
  if (!statements.broken.empty()) return unlike(statements.broken);
  if (statements.qe_identities.size() != 1) return another_thing(wanted, body);
  const auto identity = TRY(
      verify::intel::read_qe_identity(statements.qe_identities.front().text, "the QE identity"));
  if (identity.td != wanted.tdx)
    return unlike("the answer is about the quoting enclave of the other kind");
  return {};
}

Status judge_crl(const Wanted& wanted, Bytes body) {
  const Collateral found = TRY(sorted(body));
  if (found.crls().size() != 1 || !found.certificates().empty()) return another_thing(wanted, body);
  const std::string issuer = found.crls().front().issuer();
  if (!named(issuer, wanted.names.front())) {
    return unlike(
        formatted("the answer is a list of {}, and not of {}", issuer, wanted.names.front()));
  }
  return {};
}

Status judge_vcek(const Wanted& wanted, Bytes body) {
  const Collateral found = TRY(sorted(body));
  if (found.certificates().size() != 1 || !found.crls().empty() ||
      !snp::endorses_reports(found.certificates().front()))
    return another_thing(wanted, body);
  const auto endorsement = TRY(snp::read_endorsement(found.certificates().front()));
  const size_t size = wanted.product == snp::Product::kTurin ? 8 : wanted.chip_id.size();
  if (endorsement.vlek || snp::product_named(endorsement.product) != wanted.product ||
      !std::ranges::equal(endorsement.hardware_id, Bytes(wanted.chip_id).first(size)) ||
      TRY(snp::certified_tcb(endorsement, wanted.product)) != wanted.tcb) {
    return unlike(
        formatted("the answer is not the {}, but the certificate of another chip or "
                  "other firmware",
                  wanted.what));
  }
  return {};
}

Status judge_authorities(const Wanted& wanted, Bytes body) {
  const Collateral found = TRY(sorted(body));
  const auto certificates = found.certificates();
  if (certificates.empty() || certificates.size() > kCertificates || !found.crls().empty())
    return another_thing(wanted, body);
  for (const std::string& name : wanted.names) {
    if (std::ranges::none_of(certificates, [&](const X509Certificate& certificate) {
          return named(certificate.subject(), name);
        }))
      return unlike(formatted("the answer holds no certificate of {}", name));
  }
  return {};
}

Status judge_body(const Wanted& wanted, Bytes body) {
  switch (wanted.kind) {
    case Kind::kTcbInfo:
      return judge_tcb_info(wanted, body);
    case Kind::kQeIdentity:
      return judge_qe_identity(wanted, body);
    case Kind::kCrl:
      return judge_crl(wanted, body);
    case Kind::kVcek:
      return judge_vcek(wanted, body);
    case Kind::kAuthorities:
      return judge_authorities(wanted, body);
  }
  return unlike("nothing of a known kind was asked for");
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

// The value of a header in the last answer; empty when there is none. A proxy's answer and those
// that were asked for again stand before it.
std::string_view header_in(std::string_view headers, std::string_view name) {
  std::string_view value;
  while (!headers.empty()) {
    std::string_view line = headers.substr(0, headers.find('\n'));
    headers.remove_prefix(std::min(line.size() + 1, headers.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) value = {};
    const size_t colon = line.find(':');
    if (colon == line.npos || !same_word(line.substr(0, colon), name)) continue;
    value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  }
  return value;
}

Result<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1) return unlike("a '%' that two digits should follow");
    decoded += static_cast<char>(byte->front());
    i += 2;
  }
  return decoded;
}

Result<std::string> chain_in(std::string_view headers, std::string_view name) {
  const std::string_view value = header_in(headers, name);
  if (value.empty()) return unlike("there is none");
  std::string pem = TRY(percent_decoded(value));
  const Collateral found = TRY(sorted(bytes_of(std::string_view(pem))));
  if (found.certificates().empty() || found.certificates().size() > kCertificates)
    return unlike(formatted("it begins \"{}\"", printable(value.substr(0, kShown), kShown)));
  return pem;
}

}  // namespace

Result<std::vector<Kept>> judge_answer(const Wanted& wanted, Bytes body, std::string_view headers) {
  // Digits, as caches answer, are taken for the bytes that they spell.
  std::vector<uint8_t> content = wanted.kind == Kind::kCrl
                                     ? verify::evidence_in(body)
                                     : std::vector<uint8_t>(body.begin(), body.end());
  TRY(judge_body(wanted, content));
  std::vector<Kept> kept = {{wanted.file, wanted.what, std::move(content)}};
  if (wanted.chain_header.empty()) return kept;
  const auto chain = chain_in(headers, wanted.chain_header);
  if (!chain) {
    return unlike(
        formatted("the answer should bring the certificates of who signed it in the "
                  "header {}: {}",
                  wanted.chain_header, chain.error().text));
  }
  kept.push_back({wanted.chain_file,
                  formatted("certificates of who signed the {}", wanted.what),
                  {chain->begin(), chain->end()}});
  return kept;
}

}  // namespace casemate::fetch
