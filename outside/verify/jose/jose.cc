// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/jose/jose.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/strict_json.h"
#include "outside/verify/x509/certificates.h"

namespace casemate::verify {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct JoseMethod {
  std::string_view name;
  std::string_view digest;
  std::string_view curve;
  size_t signature_size;
  size_t key_size;  // of an SPKI with a named curve and an uncompressed point
};
constexpr std::array<JoseMethod, 3> kJoseMethods = {{{"ES256", "SHA256", "P-256", 64, 91},
                                                     {"ES384", "SHA384", "P-384", 96, 120},
                                                     {"ES512", "SHA512", "P-521", 132, 158}}};

// A member of a JWK that is text; empty when it is not there.
std::string text_member(const nlohmann::json& object, std::string_view key) {
  const auto found = object.find(key);
  return found == object.end() || !found->is_string() ? "" : found->get<std::string>();
}

}  // namespace

std::string to_base64url(Bytes bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6; count -= 6) text += kAlphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kAlphabet[bits << (6 - count) & 63];
  return text;
}

Result<std::vector<uint8_t>> from_base64url(std::string_view text) {
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos)
      return Error{Code::kInvalid, "a character that base64url does not have"};
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<uint8_t>(bits >> count));
  }
  // A lonely character, or bits that say nothing: there would be several spellings.
  if (count >= 6 || (bits & ((1u << count) - 1)) != 0)
    return Error{Code::kInvalid, "base64url text that ends in the middle of a byte"};
  return bytes;
}

Result<std::vector<uint8_t>> key_of_jwk(const nlohmann::json& jwk) {
  if (!jwk.is_object()) return Error{Code::kInvalid, "a key in JSON should be an object {...}"};
  const std::string curve = text_member(jwk, "crv");
  if (text_member(jwk, "kty") != "EC" ||
      std::ranges::find(kJoseMethods, curve, &JoseMethod::curve) == kJoseMethods.end()) {
    return Error{Code::kUnsupported,
                 "the key is none of \"kty\" EC with \"crv\" P-256, P-384 or "
                 "P-521"};
  }
  const auto x = TRY(from_base64url(text_member(jwk, "x")));
  const auto y = TRY(from_base64url(text_member(jwk, "y")));
  return key_of_point(curve, x, y);
}

nlohmann::ordered_json jwk_of(Bytes spki) {
  const Bytes point = spki.last(96);
  return {{"kty", "EC"},
          {"crv", "P-384"},
          {"x", to_base64url(point.first(48))},
          {"y", to_base64url(point.last(48))}};
}

Result<SigningKey> signing_key_in_pem(std::string_view pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(std::min(pem.size(), size_t{1} << 16)));
  char* label = nullptr;
  char* header = nullptr;
  uint8_t* data = nullptr;
  long size = 0;
  Result<SigningKey> key{Code::kInvalid, "this is no private key in PEM form (PKCS #8, P-384)"};
  if (PEM_read_bio(bio, &label, &header, &data, &size) == 1) {
    const MutableBytes der(data, static_cast<size_t>(size));
    if (std::string_view(label) == "PRIVATE KEY") key = SigningKey::from_der(der);
    clear_secret(der);
  }
  OPENSSL_free(label);
  OPENSSL_free(header);
  OPENSSL_free(data);
  BIO_free(bio);
  ERR_clear_error();
  return key;
}

Result<std::string> signing_key_pem(const SigningKey& key) {
  BIO* bio = BIO_new(BIO_s_secmem());
  char* data = nullptr;
  Result<std::string> pem{Code::kPlatform, "libcrypto cannot write this key as PEM"};
  if (PEM_write_bio_PKCS8PrivateKey(bio, key.native(), nullptr, nullptr, 0, nullptr, nullptr) ==
      1) {
    const long size = BIO_get_mem_data(bio, &data);
    pem = std::string(data, static_cast<size_t>(size));
  }
  BIO_free(bio);
  ERR_clear_error();
  return pem;
}

Result<Jws> read_jws(std::string_view text) {
  const size_t first = text.find('.');
  const size_t second = text.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos)
    return Error{Code::kInvalid, "this is no signed token HEADER.PAYLOAD.SIGNATURE"};
  const auto header_text = TRY(from_base64url(text.substr(0, first)));
  const auto header = TRY(parse_json(text_of(header_text), "the token's header"));
  if (!header.is_object() || header.contains("crit")) {
    return Error{Code::kUnsupported,
                 "the token's header is no object, or has critical members that this build does "
                 "not know"};
  }
  const auto payload = TRY(from_base64url(text.substr(first + 1, second - first - 1)));
  return Jws{.payload = {payload.begin(), payload.end()},
             .signed_text = std::string(text.substr(0, second)),
             .signature = TRY(from_base64url(text.substr(second + 1))),
             .algorithm = text_member(header, "alg"),
             .header = {header_text.begin(), header_text.end()}};
}

Status check_jws(const Jws& jws, Bytes key) {
  const auto method = std::ranges::find(kJoseMethods, jws.algorithm, &JoseMethod::name);
  if (method == kJoseMethods.end()) {
    return Error{Code::kUnsupported,
                 formatted("algorithm \"{}\", and this build knows ES256, ES384 and ES512",
                           printable(jws.algorithm, 20))};
  }
  if (jws.signature.size() != method->signature_size || key.size() != method->key_size) {
    return Error{Code::kInvalid,
                 formatted("a signature of {} bytes and a key of {} do not go with {}",
                           jws.signature.size(), key.size(), method->name)};
  }
  return check_signature(key, method->digest, bytes_of(std::string_view(jws.signed_text)),
                         jws.signature, true);
}

Result<std::string> make_jws(std::string_view payload, const SigningKey& key,
                             std::string_view header) {
  std::string text =
      formatted("{}.{}", to_base64url(bytes_of(header)), to_base64url(bytes_of(payload)));
  const Signature signature = TRY(key.sign(bytes_of(std::string_view(text))));
  return text + "." + to_base64url(signature);
}

}  // namespace casemate::verify
