// SPDX-License-Identifier: Apache-2.0
#include "wire/evidence/evidence.h"

#include <algorithm>

#include "base/format.h"

namespace casemate {
namespace {

// CBOR major types (RFC 8949, section 3.1).
enum Major : uint8_t {
  kByteString = 2,
  kTextString = 3,
  kArray = 4,
  kMap = 5,
  kTag = 6,
  kUnsigned = 0
};

class CborWriter final {
 public:
  CborWriter& head(Major major, uint64_t value) {
    const auto type = static_cast<uint8_t>(major << 5);
    if (value < 24) {
      out_.push_back(static_cast<uint8_t>(type | value));
    } else if (value <= 0xFF) {
      append(static_cast<uint8_t>(type | 24), value, 1);
    } else if (value <= 0xFFFF) {
      append(static_cast<uint8_t>(type | 25), value, 2);
    } else {
      append(static_cast<uint8_t>(type | 26), value, 4);
    }
    return *this;
  }
  CborWriter& text(std::string_view text) {
    return head(kTextString, text.size()).raw(bytes_of(text));
  }
  CborWriter& bytes(Bytes bytes) { return head(kByteString, bytes.size()).raw(bytes); }
  std::vector<uint8_t> take() { return std::move(out_); }

 private:
  void append(uint8_t first, uint64_t value, int size) {
    out_.push_back(first);
    for (int i = size - 1; i >= 0; --i) out_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  CborWriter& raw(Bytes bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  std::vector<uint8_t> out_;
};

template <size_t N>
bool zero(const ByteArray<N>& bytes) {
  return std::ranges::all_of(bytes, [](uint8_t b) { return b == 0; });
}

}  // namespace

std::string_view name_of(RootKind root) {
  constexpr std::string_view kNames[] = {"unknown", "software", "tpm", "tsm", "gramine"};
  const auto number = static_cast<uint32_t>(root);
  return kNames[number <= kRootKinds ? number : 0];
}

Result<std::vector<uint8_t>> encode_hardware_quote(RootKind root, std::string_view provider,
                                                   Bytes report, Bytes auxiliary, Bytes manifest) {
  HardwareQuote head;
  head.root = static_cast<uint32_t>(root);
  head.provider = Text<32>::from(provider);
  head.report_size = static_cast<uint32_t>(report.size());
  head.auxiliary_size = static_cast<uint32_t>(auxiliary.size());
  head.manifest_size = static_cast<uint32_t>(manifest.size());
  std::vector<uint8_t> quote;
  for (const Bytes part : {bytes_of(head), report, auxiliary, manifest})
    quote.insert(quote.end(), part.begin(), part.end());
  if (quote.size() <= kQuoteBytes) return quote;
  return Error{Code::kTooLarge,
               formatted("the root's quote has {} bytes and its certificates {}, and all of it may "
                         "have {}: have the host provide fewer certificates",
                         report.size(), auxiliary.size(), kQuoteBytes)};
}

Status check_form(const SoftwareQuote& quote) {
  if (quote.magic != SoftwareQuote::kMagic)
    return Error{Code::kInvalid, "the quote does not start with the software root's magic"};
  if (quote.version != SoftwareQuote::kVersion)
    return Error{Code::kUnsupported, "the quote has a version that this build does not know"};
  if (!zero(quote.reserved))
    return Error{Code::kInvalid, "the quote's reserved bytes are not zero"};
  return {};
}

Status check_form(const EnclaveToken& token) {
  if (token.magic != EnclaveToken::kMagic)
    return Error{Code::kInvalid, "the token does not start with the monitor's magic"};
  if (token.version != EnclaveToken::kVersion)
    return Error{Code::kUnsupported, "the token has a version that this build does not know"};
  if (!zero(token.reserved))
    return Error{Code::kInvalid, "the token's reserved bytes are not zero"};
  if (!token.name.canonical() || !token.device.canonical())
    return Error{Code::kInvalid, "a text field of the token does not end"};
  return {};
}

std::string_view claim_of(KeyUse use) {
  return use == KeyUse::kTls ? "pubkey-hash" : "casemate-hpke-key";
}

std::vector<uint8_t> encode_claims(const Sha256Digest& key_hash, const Sha384Digest& platform,
                                   Bytes monitor_key_der, KeyUse use) {
  // 1 is SHA-256 in the IANA registry of named information hash algorithms.
  const auto hash = CborWriter().head(kArray, 2).head(kUnsigned, 1).bytes(key_hash).take();
  return CborWriter()
      .head(kMap, 3)
      .text(claim_of(use))
      .bytes(hash)
      .text("casemate-platform")
      .bytes(platform)
      .text("casemate-monitor-key")
      .bytes(monitor_key_der)
      .take();
}

ByteArray<64> report_data_of(Bytes claims) {
  ByteArray<64> data{};
  std::ranges::copy(sha256(claims), data.begin());
  return data;
}

PeersMeasurement& PeersMeasurement::add(std::string_view name, const Sha384Digest& program,
                                        const Sha384Digest& manifest, const Sha384Digest& model,
                                        const Sha384Digest& device) {
  hash_.field(bytes_of(name)).field(program).field(manifest).field(model).field(device);
  return *this;
}

PeersMeasurement& PeersMeasurement::add(const EnclaveToken& peer) {
  return add(peer.name.view(), peer.program_measurement, peer.manifest_measurement,
             peer.model_measurement, peer.device_measurement);
}

Nonce proof_nonce(const Nonce& nonce, const SessionBinding& session) {
  // Every part has a fixed length, so none can trade bytes with its neighbour.
  static constexpr std::string_view kLabel = "casemate proof 1";
  ByteArray<kLabel.size() + sizeof(Nonce) + sizeof(SessionBinding)> bytes{};
  auto at = std::ranges::copy(bytes_of(kLabel), bytes.begin()).out;
  at = std::ranges::copy(nonce, at).out;
  std::ranges::copy(session, at);
  return sha256(bytes);
}

std::vector<uint8_t> encode_quote(Bytes quote, Bytes claims) {
  return CborWriter().head(kTag, kEvidenceTag).head(kArray, 2).bytes(quote).bytes(claims).take();
}

std::vector<uint8_t> encode_tokens(std::span<const EnclaveToken> tokens) {
  CborWriter writer;
  writer.head(kArray, tokens.size());
  for (const EnclaveToken& token : tokens) writer.bytes(bytes_of(token));
  return writer.take();
}

std::vector<uint8_t> encode_evidence(Bytes quote, Bytes claims,
                                     std::span<const EnclaveToken> tokens,
                                     std::span<const Bytes> devices) {
  CborWriter last;
  if (!devices.empty()) last.head(kArray, devices.size());
  for (const Bytes device : devices) last.bytes(device);
  std::vector<uint8_t> bytes = encode_quote(quote, claims);
  for (const auto& behind : {encode_tokens(tokens), last.take()})
    bytes.insert(bytes.end(), behind.begin(), behind.end());
  return bytes;
}

}  // namespace casemate
