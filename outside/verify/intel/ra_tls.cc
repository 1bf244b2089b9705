// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/ra_tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>

#include "base/format.h"
#include "outside/verdict/cbor.h"
#include "outside/verify/intel/codes.h"
#include "outside/verify/x509/chain.h"

namespace casemate::verify::intel {
namespace {

constexpr std::string_view kTaggedEvidence = "2.23.133.5.4.9";
constexpr uint64_t kQuoteTag = 60000;
// 1.2.840.113741.1337.6; and what is read where its DER, tag and length included, stands in an OID.
constexpr std::array<std::string_view, 2> kGramine = {"1.2.840.113741.1337.6",
                                                      "0.6.9.42.840.113741.1337.6"};
constexpr uint64_t kClaimsMost = 64;

struct Evidence {
  std::vector<uint8_t> quote;
  std::vector<uint8_t> claims;
};

Finding outcome(const Status& status, std::string expected) {
  if (status) return {.good = true, .expected = std::move(expected)};
  return {.expected = std::move(expected), .actual = status.error().text};
}

bool tagged(Bytes content) {
  const auto tag = CborReader(content).head(CborType::kTag, "the evidence's tag");
  return tag && *tag == kQuoteTag;
}

Result<Evidence> read_evidence(Bytes content) {
  CborReader reader(content);
  const uint64_t tag = TRY(reader.head(CborType::kTag, "the evidence's tag"));
  const uint64_t count = TRY(reader.head(CborType::kArray, "the evidence"));
  if (tag != kQuoteTag || count != 2) {
    return Error{
        Code::kUnsupported,
        formatted("the evidence has tag {} and {} parts; tag 60000 [quote, claims] is read", tag,
                  count)};
  }
  const Bytes quote = TRY(reader.bytes("the quote"));
  const Bytes claims = TRY(reader.bytes("the claims"));
  TRY(reader.end("the evidence"));
  return Evidence{{quote.begin(), quote.end()}, {claims.begin(), claims.end()}};
}

// A claim's value that nobody here asks for: a byte string, a text or a number.
Status pass_over(CborReader& reader) {
  if (CborReader tried = reader; tried.bytes("a claim")) {
    reader = tried;
    return {};
  }
  if (CborReader tried = reader; tried.text("a claim")) {
    reader = tried;
    return {};
  }
  TRY(reader.head(CborType::kUnsigned, "a claim that is no text, bytes or number"));
  return {};
}

// What the claims say that the hash of the key is.
Result<Bytes> read_claims(Bytes claims) {
  CborReader reader(claims);
  const uint64_t count = TRY(reader.head(CborType::kMap, "the claims"));
  if (count > kClaimsMost)
    return Error{Code::kInvalid, formatted("there are {} claims, over {}", count, kClaimsMost)};
  Bytes hash;
  bool found = false;
  for (uint64_t i = 0; i < count; ++i) {
    if (TRY(reader.text("the name of a claim")) != "pubkey-hash") {
      TRY(pass_over(reader));
      continue;
    }
    if (found) return Error{Code::kInvalid, "the claims name the key twice"};
    found = true;
    hash = TRY(reader.bytes("pubkey-hash"));
  }
  TRY(reader.end("the claims"));
  if (!found) return Error{Code::kInvalid, "the claims have no pubkey-hash"};
  return hash;
}

// [algorithm, hash]; algorithms as IANA's registry "Named Information" numbers them.
Status check_key_hash(Bytes encoded, Bytes key) {
  CborReader reader(encoded);
  const uint64_t count = TRY(reader.head(CborType::kArray, "pubkey-hash"));
  const uint64_t algorithm = TRY(reader.head(CborType::kUnsigned, "the hash's algorithm"));
  const Bytes hash = TRY(reader.bytes("the hash"));
  TRY(reader.end("pubkey-hash"));
  const EVP_MD* method = algorithm == 1   ? EVP_sha256()
                         : algorithm == 7 ? EVP_sha384()
                         : algorithm == 8 ? EVP_sha512()
                                          : nullptr;
  if (count != 2 || method == nullptr)
    return Error{Code::kUnsupported,
                 formatted("the hash is by the unknown algorithm {}", algorithm)};
  std::array<uint8_t, EVP_MAX_MD_SIZE> wanted{};
  unsigned size = 0;
  EVP_Digest(key.data(), key.size(), wanted.data(), &size, method, nullptr);
  if (!std::ranges::equal(Bytes(wanted).first(size), hash))
    return Error{Code::kInvalid, formatted("the claims name the key {}", to_hex(hash))};
  return {};
}

// The hash, and zeros behind it.
Finding commits(Bytes quote, Bytes what) {
  const auto read = read_quote(quote);
  if (!read) return {.expected = "a quote", .actual = read.error().text};
  ByteArray<64> wanted{};
  std::ranges::copy(sha256(what), wanted.begin());
  const auto& actual = read->td ? read->guest.report_data : read->enclave.report_data;
  return {wanted == actual, to_hex(wanted), to_hex(actual)};
}

Status check_self_signed(const X509Certificate& certificate) {
  EVP_PKEY* key = X509_get0_pubkey(certificate.native());
  const bool good = key != nullptr && X509_verify(certificate.native(), key) == 1;
  ERR_clear_error();
  if (!good) return Error{Code::kInvalid, "the signature is not by the certificate's own key"};
  return {};
}

std::optional<std::vector<uint8_t>> content_of(const X509Certificate& certificate,
                                               std::string_view oid) {
  auto content = certificate.extension(oid);
  return content ? *std::move(content) : std::nullopt;
}

std::optional<std::vector<uint8_t>> gramine_quote(const X509Certificate& certificate) {
  for (const std::string_view oid : kGramine) {
    if (auto content = content_of(certificate, oid)) return content;
  }
  return std::nullopt;
}

}  // namespace

bool carries_quote(const X509Certificate& certificate) {
  const auto content = content_of(certificate, kTaggedEvidence);
  return (content && tagged(*content)) || gramine_quote(certificate).has_value();
}

Result<std::vector<uint8_t>> quote_in(const X509Certificate& certificate) {
  if (const auto standard = content_of(certificate, kTaggedEvidence))
    return TRY(read_evidence(*standard)).quote;
  if (auto older = gramine_quote(certificate)) return *std::move(older);
  return Error{Code::kInvalid,
               formatted("the certificate {} carries no evidence", certificate.subject())};
}

Platform appraise_certificate(const X509Certificate& certificate, const Rules& rules,
                              const Collateral& collateral, int64_t now_unix, Checks& checks) {
  const std::vector<uint8_t> key = certificate.key();
  checks.judge(code::kCertificateValidity, "", [&] {
    return outcome(check_validity({certificate}, now_unix), "a certificate that is valid now");
  });
  checks.require(code::kSelfSigned, "", [&] {
    return outcome(check_self_signed(certificate), "a certificate signed by its own key");
  });
  Evidence evidence;
  const auto standard = content_of(certificate, kTaggedEvidence);
  const auto older = gramine_quote(certificate);
  checks.require(code::kEvidence, "", [&] {
    if (!standard)
      return Finding{older.has_value(), "evidence",
                     older ? "Gramine's older form" : "none, or two"};
    auto read = read_evidence(*standard);
    if (read) evidence = *std::move(read);
    return outcome(read ? Status() : Status(read.error()), "tag 60000 [quote, claims]");
  });
  if (standard) {
    Bytes hash;
    checks.require(code::kClaims, "", [&] {
      const auto read = read_claims(evidence.claims);
      if (read) hash = *read;
      return outcome(read ? Status() : Status(read.error()), "claims with a pubkey-hash");
    });
    checks.require(code::kKey, "", [&] {
      return outcome(check_key_hash(hash, key),
                     formatted("the key of SHA-256 {}", to_hex(sha256(key))));
    });
    checks.require(code::kReportData, "", [&] { return commits(evidence.quote, evidence.claims); });
  }
  if (older) {
    checks.require(code::kReportData, "Gramine's older extension",
                   [&] { return commits(*older, key); });
  }
  return appraise(standard ? evidence.quote : older.value_or(std::vector<uint8_t>{}), rules,
                  collateral, now_unix, checks);
}

}  // namespace casemate::verify::intel
