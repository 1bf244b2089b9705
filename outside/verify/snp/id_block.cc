// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/id_block.h"

#include <openssl/evp.h>

#include <algorithm>

#include "base/format.h"
#include "outside/verify/x509/certificates.h"

namespace casemate::verify::snp {
namespace {

constexpr uint32_t kEcdsaP384 = 1;  // of the algorithms
constexpr uint32_t kP384 = 2;       // of the curves
constexpr size_t kIdSignature = 0x40;
constexpr size_t kIdKey = 0x240;
constexpr size_t kKeySignature = 0x680;
constexpr size_t kAuthorKey = 0x880;
constexpr size_t kKeyBytes = 0x404;
constexpr size_t kNumberBytes = 72;
constexpr size_t kSignatureBytes = 0x200;

// A number of 48 bytes in a field of 72, big-endian. Fails where it is longer.
Result<ByteArray<48>> number_in(Bytes field, std::string_view what) {
  const Bytes above = field.subspan(48);
  if (std::ranges::any_of(above, [](uint8_t byte) { return byte != 0; }))
    return Error{Code::kInvalid, formatted("{} is no number that P-384 has", what)};
  ByteArray<48> number{};
  std::reverse_copy(field.begin(), field.begin() + 48, number.begin());
  return number;
}

Result<std::vector<uint8_t>> key_in(Bytes key, std::string_view what) {
  if (load<uint32_t>(key) != kP384)
    return Error{Code::kInvalid,
                 formatted("{} is on curve {} and not on P-384", what, load<uint32_t>(key))};
  const auto x = TRY(number_in(key.subspan(4, kNumberBytes), what));
  const auto y = TRY(number_in(key.subspan(4 + kNumberBytes, kNumberBytes), what));
  return key_of_point("P-384", x, y);
}

Status check_key_signature(Bytes key, Bytes message, Bytes field, std::string_view what) {
  const auto spki = TRY(key_in(key, what));
  const auto r = TRY(number_in(field.first(kNumberBytes), "a signature"));
  const auto s = TRY(number_in(field.subspan(kNumberBytes, kNumberBytes), "a signature"));
  Signature signature{};
  std::ranges::copy(r, signature.begin());
  std::ranges::copy(s, signature.begin() + 48);
  if (!verify_signature(spki, message, signature))
    return Error{Code::kInvalid, formatted("{} did not sign this", what)};
  return {};
}

}  // namespace

std::optional<IdBlock> id_block_in(Bytes file) {
  if (file.size() == sizeof(IdBlock)) return load<IdBlock>(file);
  std::string_view text = casemate::text_of(file);
  if (text.ends_with('\n')) text.remove_suffix(1);
  ByteArray<sizeof(IdBlock)> bytes{};
  if (text.size() != sizeof bytes / 3 * 4) return std::nullopt;
  const int size =
      EVP_DecodeBlock(bytes.data(), bytes_of(text).data(), static_cast<int>(text.size()));
  if (size != static_cast<int>(sizeof bytes)) return std::nullopt;
  return load<IdBlock>(bytes);
}

bool looks_like_id_authentication(Bytes file) {
  return file.size() == kIdAuthenticationBytes && load<uint32_t>(file) == kEcdsaP384 &&
         load<uint32_t>(file.subspan(kIdKey)) == kP384;
}

Result<SignedIdBlock> check_id_block(const IdBlock& block, Bytes authentication) {
  if (!looks_like_id_authentication(authentication))
    return Error{Code::kInvalid, "this is no authentication information by ECDSA with P-384"};
  const Bytes id_key = authentication.subspan(kIdKey, kKeyBytes);
  const Bytes author_key = authentication.subspan(kAuthorKey, kKeyBytes);
  TRY(check_key_signature(id_key, bytes_of(block),
                          authentication.subspan(kIdSignature, kSignatureBytes), "the ID key"));
  SignedIdBlock checked{.block = block, .id_key = sha384(id_key), .author_key = std::nullopt};
  // Algorithm 0 of the author key: there is none.
  if (load<uint32_t>(authentication.subspan(4)) == 0) return checked;
  TRY(check_key_signature(author_key, id_key,
                          authentication.subspan(kKeySignature, kSignatureBytes),
                          "the author key"));
  checked.author_key = sha384(author_key);
  return checked;
}

Status fits(const SignedIdBlock& signed_block, const Report& report) {
  const IdBlock& block = signed_block.block;
  const auto differs = [](std::string_view what) {
    return Error{Code::kInvalid, formatted("the report has another {} than the ID block", what)};
  };
  if (block.measurement != report.measurement) return differs("measurement");
  if (block.family_id != report.family_id) return differs("family id");
  if (block.image_id != report.image_id) return differs("image id");
  if (block.guest_svn != report.guest_svn) return differs("security version");
  if (block.policy != report.policy) return differs("policy");
  if (signed_block.id_key != report.id_key_digest) return differs("ID key");
  if (signed_block.author_key.value_or(Sha384Digest{}) != report.author_key_digest)
    return differs("author key");
  return {};
}

}  // namespace casemate::verify::snp
