// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/decode.h"

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/cbor.h"

namespace casemate::verify {
namespace {

// SHA-256 in the IANA registry of named information hash algorithms.
constexpr uint64_t kSha256Algorithm = 1;

Result<Sha256Digest> decode_key_hash(Bytes bytes) {
  CborReader reader(bytes);
  if (TRY(reader.head(CborType::kArray, "claim pubkey-hash")) != 2)
    return Error{Code::kInvalid, "claim pubkey-hash should be [algorithm, hash]"};
  const uint64_t algorithm = TRY(reader.head(CborType::kUnsigned, "the algorithm of pubkey-hash"));
  if (algorithm != kSha256Algorithm) {
    return Error{Code::kUnsupported,
                 formatted("claim pubkey-hash uses hash algorithm {}; this build knows 1, "
                           "SHA-256",
                           algorithm)};
  }
  const Bytes hash = TRY(reader.bytes("the hash of pubkey-hash"));
  if (hash.size() != sizeof(Sha256Digest)) {
    return Error{Code::kInvalid,
                 formatted("the hash of pubkey-hash has {} bytes instead of 32", hash.size())};
  }
  TRY(reader.end("claim pubkey-hash"));
  return load<Sha256Digest>(hash);
}

Error claim_error(std::string_view what, std::string_view key) {
  return {Code::kInvalid, formatted("claim \"{}\" {}", printable(key, 40), what)};
}

}  // namespace

Result<Evidence> decode_evidence(Bytes bytes) {
  if (bytes.size() > kEvidenceBytes) {
    return Error{Code::kTooLarge, formatted("evidence of {} bytes is over the limit of {}",
                                            bytes.size(), kEvidenceBytes)};
  }
  CborReader reader(bytes);
  const uint64_t tag = TRY(reader.head(CborType::kTag, "the evidence tag"));
  if (tag != kEvidenceTag) {
    return Error{Code::kInvalid,
                 formatted("the evidence has tag {} instead of {}", tag, kEvidenceTag)};
  }
  if (TRY(reader.head(CborType::kArray, "the evidence")) != 2)
    return Error{Code::kInvalid, "the evidence should be [quote, claims]"};
  Evidence evidence;
  evidence.quote = TRY(reader.bytes("the quote"));
  evidence.claims = TRY(reader.bytes("the claims"));
  const uint64_t count = TRY(reader.head(CborType::kArray, "the list of tokens"));
  if (count > bytes.size() / sizeof(EnclaveToken)) {
    return Error{
        Code::kInvalid,
        formatted("the evidence announces {} tokens, more than fit into its bytes", count)};
  }
  for (uint64_t i = 0; i < count; ++i) {
    const Bytes token = TRY(reader.bytes("a token"));
    if (token.size() != sizeof(EnclaveToken)) {
      return Error{Code::kInvalid, formatted("token {} has {} bytes instead of {}", i, token.size(),
                                             sizeof(EnclaveToken))};
    }
    evidence.tokens.push_back(load<EnclaveToken>(token));
  }
  TRY(reader.end("the evidence"));
  return evidence;
}

Result<Claims> decode_claims(Bytes bytes) {
  CborReader reader(bytes);
  const uint64_t count = TRY(reader.head(CborType::kMap, "the claims"));
  std::optional<Sha256Digest> hash;
  std::optional<Bytes> platform;
  std::optional<Bytes> key;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view name = TRY(reader.text("the name of a claim"));
    if (name == "pubkey-hash") {
      if (hash) return claim_error("is there twice", name);
      hash = TRY(decode_key_hash(TRY(reader.bytes("claim pubkey-hash"))));
    } else if (name == "casemate-platform") {
      if (platform) return claim_error("is there twice", name);
      platform = TRY(reader.bytes("claim casemate-platform"));
      if (platform->size() != sizeof(Sha384Digest))
        return claim_error(formatted("has {} bytes instead of 48", platform->size()), name);
    } else if (name == "casemate-monitor-key") {
      if (key) return claim_error("is there twice", name);
      key = TRY(reader.bytes("claim casemate-monitor-key"));
    } else {
      return claim_error("is not known to this build", name);
    }
  }
  TRY(reader.end("the claims"));
  if (!hash) return claim_error("is missing", "pubkey-hash");
  if (!platform) return claim_error("is missing", "casemate-platform");
  if (!key) return claim_error("is missing", "casemate-monitor-key");
  // Order is the one thing left that could differ from the deterministic encoding.
  const auto measured = load<Sha384Digest>(*platform);
  if (!std::ranges::equal(encode_claims(*hash, measured, *key), bytes))
    return Error{Code::kInvalid, "the claims are not in deterministic order (RFC 8949, 4.2.1)"};
  return Claims{*hash, measured, *key};
}

}  // namespace casemate::verify
