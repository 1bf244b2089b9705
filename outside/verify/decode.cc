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

Result<Sha256Digest> decode_key_hash(Bytes bytes, std::string_view claim) {
  CborReader reader(bytes);
  if (TRY(reader.head(CborType::kArray, claim)) != 2)
    return Error{Code::kInvalid, formatted("claim {} should be [algorithm, hash]", claim)};
  const uint64_t algorithm = TRY(reader.head(CborType::kUnsigned, "the algorithm of a key's hash"));
  if (algorithm != kSha256Algorithm) {
    return Error{Code::kUnsupported,
                 formatted("claim {} uses hash algorithm {}; this build knows 1, SHA-256", claim,
                           algorithm)};
  }
  const Bytes hash = TRY(reader.bytes("the hash of a key"));
  if (hash.size() != sizeof(Sha256Digest)) {
    return Error{Code::kInvalid,
                 formatted("the hash of {} has {} bytes instead of 32", claim, hash.size())};
  }
  TRY(reader.end(claim));
  return load<Sha256Digest>(hash);
}

// What devices say, where they say anything: otherwise the item is left out.
Status read_devices(CborReader& reader, Evidence& evidence) {
  const uint64_t count = TRY(reader.head(CborType::kArray, "the list of what devices say"));
  if (count == 0 || count > evidence.tokens.size()) {
    return Error{Code::kInvalid,
                 formatted("the evidence announces what {} devices say, and {} tokens name 1 to as "
                           "many",
                           count, evidence.tokens.size())};
  }
  for (uint64_t i = 0; i < count; ++i) {
    const Bytes device = TRY(reader.bytes("what a device says"));
    if (device.empty() || device.size() > kDeviceEvidenceBytes) {
      return Error{Code::kInvalid, formatted("what device {} says has {} bytes, but must have 1 to "
                                             "{}",
                                             i, device.size(), kDeviceEvidenceBytes)};
    }
    evidence.devices.push_back(device);
  }
  return {};
}

Error claim_error(std::string_view what, std::string_view key) {
  return {Code::kInvalid, formatted("claim \"{}\" {}", printable(key, 40), what)};
}

}  // namespace

Result<Evidence> decode_evidence(Bytes bytes) {
  if (bytes.size() > kProofBytes) {
    return Error{Code::kTooLarge, formatted("evidence of {} bytes is over the limit of {}",
                                            bytes.size(), kProofBytes)};
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
  if (reader.next() == CborType::kArray) TRY(read_devices(reader, evidence));
  TRY(reader.end("the evidence"));
  return evidence;
}

Status check_devices(const Evidence& evidence) {
  std::vector<Sha384Digest> named;
  for (const EnclaveToken& token : evidence.tokens) {
    if (token.device_evidence != Sha384Digest{} &&
        !std::ranges::contains(named, token.device_evidence))
      named.push_back(token.device_evidence);
  }
  if (named.size() != evidence.devices.size()) {
    return Error{Code::kInvalid, formatted("what {} devices say is there, and tokens name {}",
                                           evidence.devices.size(), named.size())};
  }
  for (size_t i = 0; i < named.size(); ++i) {
    const Sha384Digest found = sha384(evidence.devices[i]);
    if (found == named[i]) continue;
    return Error{Code::kInvalid, formatted("in place {} is what hashes to {}, and tokens name {} "
                                           "there",
                                           i, to_hex(found), to_hex(named[i]))};
  }
  return {};
}

Result<Claims> decode_claims(Bytes bytes) {
  CborReader reader(bytes);
  const uint64_t count = TRY(reader.head(CborType::kMap, "the claims"));
  std::optional<Sha256Digest> hash;
  KeyUse use = KeyUse::kTls;
  std::optional<Bytes> platform;
  std::optional<Bytes> key;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view name = TRY(reader.text("the name of a claim"));
    if (name == claim_of(KeyUse::kTls) || name == claim_of(KeyUse::kHpke)) {
      if (hash) return claim_error("is there twice, or beside another key's", name);
      use = name == claim_of(KeyUse::kTls) ? KeyUse::kTls : KeyUse::kHpke;
      hash = TRY(decode_key_hash(TRY(reader.bytes("the claim of a key")), name));
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
  if (!hash) return claim_error("is missing", claim_of(KeyUse::kTls));
  if (!platform) return claim_error("is missing", "casemate-platform");
  if (!key) return claim_error("is missing", "casemate-monitor-key");
  // Order is the one thing left that could differ from the deterministic encoding.
  const auto measured = load<Sha384Digest>(*platform);
  if (!std::ranges::equal(encode_claims(*hash, measured, *key, use), bytes))
    return Error{Code::kInvalid, "the claims are not in deterministic order (RFC 8949, 4.2.1)"};
  return Claims{use, *hash, measured, *key};
}

}  // namespace casemate::verify
