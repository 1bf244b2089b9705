// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/development/development_chain.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/format.h"
#include "outside/verify/x509/chain.h"
#include "outside/verify/x509/der.h"
#include "outside/verify/x509/owned.h"

namespace casemate::verify {
namespace {

using OwnedTime = Owned<ASN1_TIME, ASN1_TIME_free>;

// What of `whole` lies before the end of `part`, from `begin` on.
Bytes up_to(Bytes whole, size_t begin, Bytes part) {
  return whole.subspan(begin,
                       static_cast<size_t>(part.data() + part.size() - whole.data()) - begin);
}

// UTCTime or GeneralizedTime as certificates have them (RFC 5280, section 4.1.2.5).
Result<int64_t> read_time(DerReader& validity) {
  const std::string text(text_of(TRY(validity.any("a time"))));
  const OwnedTime time(ASN1_TIME_new());
  std::tm parts{};
  if (ASN1_TIME_set_string_X509(time.get(), text.c_str()) == 1 &&
      ASN1_TIME_to_tm(time.get(), &parts) == 1)
    return ::timegm(&parts);
  ERR_clear_error();
  return Error{Code::kInvalid, "a time of its validity cannot be read"};
}

// TBSCertificate (RFC 5280, section 4.1), as far as the key.
Status read_content(Bytes content, DevelopmentCertificate& certificate) {
  DerReader fields(TRY(DerReader(content).element(DerTag::kSequence, "what is signed of it")));
  TRY(fields.any("its version"));
  TRY(fields.element(DerTag::kInteger, "its number"));
  TRY(fields.element(DerTag::kSequence, "its kind of signature"));
  TRY(fields.element(DerTag::kSequence, "its issuer"));
  DerReader validity(TRY(fields.element(DerTag::kSequence, "its validity")));
  certificate.not_before = TRY(read_time(validity));
  certificate.not_after = TRY(read_time(validity));
  const Bytes subject = TRY(fields.element(DerTag::kSequence, "its subject"));
  const Bytes key = TRY(fields.element(DerTag::kSequence, "its key"));
  const auto begin = static_cast<size_t>(subject.data() + subject.size() - content.data());
  certificate.key = up_to(content, begin, key);
  return {};
}

Error refused(size_t place, std::string_view what) {
  ERR_clear_error();
  return {Code::kInvalid, formatted("the certificate of {} {}", kDevelopmentNames[place], what)};
}

Status check_leaf(const X509Certificate& leaf) {
  const uint32_t flags = X509_get_extension_flags(leaf.native());
  const uint32_t usage = X509_get_key_usage(leaf.native());
  if ((flags & EXFLAG_CA) != 0 || (flags & EXFLAG_KUSAGE) == 0 ||
      (usage & KU_DIGITAL_SIGNATURE) == 0 || (usage & KU_KEY_CERT_SIGN) != 0)
    return refused(0, "should be one of a key that signs reports and no certificates");
  return {};
}

// What was read above is what libcrypto reads, to the byte.
Status check_read(const DevelopmentCertificate& read, const X509Certificate& parsed, size_t place) {
  const std::string name = formatted("CN={}", kDevelopmentNames[place]);
  if (parsed.subject() != name)
    return refused(place, formatted("is of {} instead", parsed.subject()));
  if (!std::ranges::equal(parsed.der(), read.der) || !std::ranges::equal(parsed.key(), read.key) ||
      parsed.not_before() != read.not_before || parsed.not_after() != read.not_after)
    return refused(place, "is not in the one form that DER allows");
  return {};
}

}  // namespace

Result<DevelopmentChain> read_development_chain(Bytes bytes) {
  DevelopmentChain chain;
  DerReader reader(bytes);
  size_t begin = 0;
  for (size_t i = 0; i < chain.size(); ++i) {
    const std::string what = formatted("the certificate of {}", kDevelopmentNames[i]);
    const Bytes content = TRY(reader.element(DerTag::kSequence, what));
    chain[i].der = up_to(bytes, begin, content);
    begin += chain[i].der.size();
    if (const Status read = read_content(content, chain[i]); !read)
      return Error{read.error().code, formatted("{}: {}", what, read.error().text)};
  }
  if (!reader.done())
    return Error{Code::kInvalid,
                 formatted("three certificates are followed by {} bytes", bytes.size() - begin)};
  return chain;
}

Status check_development_chain(const DevelopmentChain& chain) {
  std::vector<X509Certificate> parsed;
  for (size_t i = 0; i < chain.size(); ++i) {
    auto certificate = X509Certificate::from_der(chain[i].der);
    if (!certificate) return refused(i, formatted("is broken: {}", certificate.error().text));
    TRY(check_read(chain[i], *certificate, i));
    parsed.push_back(*std::move(certificate));
  }
  TRY(check_leaf(parsed[0]));
  const Chain found = TRY(chain_of(parsed[0], std::span(parsed).subspan(1),
                                   {.anchors = {sha384(chain[2].key)}, .length_max = 3}));
  // In the order in which they came, or one of them would be there for nothing.
  if (found.size() == chain.size()) return {};
  return Error{Code::kInvalid,
               formatted("the root certifies the attestation key over {} certificates, and there "
                         "should be 3",
                         found.size())};
}

Status check_development_validity(const DevelopmentChain& chain, int64_t now_unix) {
  for (size_t i = 0; i < chain.size(); ++i) {
    if (now_unix >= chain[i].not_before && now_unix <= chain[i].not_after) continue;
    const auto day = [](int64_t unix_seconds) {
      return formatted("{:%FT%TZ}", std::chrono::sys_seconds(std::chrono::seconds(unix_seconds)));
    };
    return refused(i, formatted("is valid from {} to {}, and it is {}", day(chain[i].not_before),
                                day(chain[i].not_after), day(now_unix)));
  }
  return {};
}

}  // namespace casemate::verify
