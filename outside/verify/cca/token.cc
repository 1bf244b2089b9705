// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cca/token.h"

#include <openssl/evp.h>

#include <algorithm>
#include <set>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/x509/certificates.h"

namespace casemate::verify::cca {
namespace {

constexpr uint64_t kCollectionTag = 399;
constexpr int64_t kPlatformToken = 44234;
constexpr int64_t kRealmToken = 44241;
constexpr size_t kComponents = 64;
constexpr size_t kConfigurationBytes = 1024;

// A claim's number, and what reads it.
template <class Claims>
struct Claim {
  int64_t key;
  std::string_view name;
  Status (*read)(CborReader& reader, std::string_view name, Claims& claims);
};

Error claim_error(std::string_view name, std::string_view what) {
  return {Code::kInvalid, formatted("the claim {} {}", name, what)};
}

Result<std::vector<uint8_t>> bytes_claim(CborReader& reader, std::string_view name,
                                         std::initializer_list<size_t> sizes) {
  const Bytes value = TRY(reader.bytes(name));
  if (!std::ranges::contains(sizes, value.size()))
    return claim_error(name, formatted("has {} bytes, which none has", value.size()));
  return std::vector<uint8_t>(value.begin(), value.end());
}

Result<std::string> text_claim(CborReader& reader, std::string_view name) {
  const std::string_view value = TRY(reader.text(name));
  if (value.size() > 128) return claim_error(name, "is longer than 128 characters");
  return printable(value, 128);
}

// A map whose keys are numbers, or text that nobody here knows. Known claims are read, each must
// be there unless its name ends with '?'.
template <class Claims, size_t N>
Result<Claims> read_claims(CborReader& reader, const std::array<Claim<Claims>, N>& known,
                           std::string_view what) {
  Claims claims;
  std::set<int64_t> seen;
  const uint64_t count = TRY(reader.head(CborType::kMap, what));
  for (uint64_t i = 0; i < count; ++i) {
    if (reader.next() == CborType::kText) {
      TRY(reader.text("the name of a claim"));
      TRY(reader.skip("a claim"));
      continue;
    }
    const int64_t key = TRY(reader.integer("the number of a claim"));
    if (!seen.insert(key).second)
      return Error{Code::kInvalid, formatted("the claim {} of {} is there twice", key, what)};
    const auto claim = std::ranges::find(known, key, &Claim<Claims>::key);
    if (claim == known.end()) {
      TRY(reader.skip("a claim"));
    } else {
      TRY(claim->read(reader, claim->name, claims));
    }
  }
  for (const auto& claim : known) {
    if (!claim.name.ends_with('?') && !seen.contains(claim.key))
      return claim_error(claim.name, formatted("({}) of {} is missing", claim.key, what));
  }
  return claims;
}

constexpr std::array<Claim<Component>, 4> kComponentClaims = {
    {{1, "component type?",
      [](CborReader& reader, std::string_view name, Component& component) -> Status {
        component.type = TRY(text_claim(reader, name));
        return {};
      }},
     {2, "measurement of a component",
      [](CborReader& reader, std::string_view name, Component& component) -> Status {
        component.measurement = TRY(bytes_claim(reader, name, {32, 48, 64}));
        return {};
      }},
     {4, "component version?",
      [](CborReader& reader, std::string_view name, Component& component) -> Status {
        component.version = TRY(text_claim(reader, name));
        return {};
      }},
     {5, "signer of a component",
      [](CborReader& reader, std::string_view name, Component& component) -> Status {
        component.signer = TRY(bytes_claim(reader, name, {32, 48, 64}));
        return {};
      }}}};

Status read_components(CborReader& reader, std::string_view name, PlatformClaims& claims) {
  const uint64_t count = TRY(reader.head(CborType::kArray, name));
  if (count > kComponents) return claim_error(name, formatted("holds more than {}", kComponents));
  for (uint64_t i = 0; i < count; ++i)
    claims.components.push_back(TRY(read_claims(reader, kComponentClaims, "a component")));
  return {};
}

constexpr std::array<Claim<PlatformClaims>, 8> kPlatformClaims = {
    {{265, "profile",
      [](CborReader& reader, std::string_view name, PlatformClaims& claims) -> Status {
        claims.profile = TRY(text_claim(reader, name));
        if (claims.profile != "http://arm.com/CCA-SSD/1.0.0" &&
            claims.profile != "tag:arm.com,2023:cca_platform#1.0.0")
          return claim_error(name,
                             formatted("is {}, which this build does not know", claims.profile));
        return {};
      }},
     {10, "challenge",
      [](CborReader& reader, std::string_view name, PlatformClaims& claims) -> Status {
        claims.challenge = TRY(bytes_claim(reader, name, {32, 48, 64}));
        return {};
      }},
     {256, "instance id",
      [](CborReader& reader, std::string_view name, PlatformClaims& claims) -> Status {
        claims.instance_id = TRY(bytes_claim(reader, name, {33}));
        if (claims.instance_id[0] != 1) return claim_error(name, "does not begin with 01");
        return {};
      }},
     {2396, "implementation id",
      [](CborReader& reader, std::string_view name, PlatformClaims& claims) -> Status {
        claims.implementation_id = TRY(bytes_claim(reader, name, {32}));
        return {};
      }},
     {2395, "lifecycle",
      [](CborReader& reader, std::string_view name, PlatformClaims& claims) -> Status {
        const int64_t value = TRY(reader.integer(name));
        if (value < 0 || value > UINT16_MAX) return claim_error(name, "is no state that there is");
        claims.lifecycle = static_cast<uint32_t>(value);
        return {};
      }},
     {2399, "software components", read_components},
     {2401, "configuration",
      [](CborReader& reader, std::string_view name, PlatformClaims& claims) -> Status {
        const Bytes value = TRY(reader.bytes(name));
        if (value.size() > kConfigurationBytes) return claim_error(name, "is larger than 1 KiB");
        claims.configuration.assign(value.begin(), value.end());
        return {};
      }},
     {2402, "hash algorithm",
      [](CborReader& reader, std::string_view name, PlatformClaims& claims) -> Status {
        claims.hash_algorithm = TRY(text_claim(reader, name));
        return {};
      }}}};

Status read_extensible(CborReader& reader, std::string_view name, RealmClaims& claims) {
  if (TRY(reader.head(CborType::kArray, name)) != RealmClaims::kExtensible)
    return claim_error(name, "should be four");
  for (auto& measurement : claims.extensible_measurements)
    measurement = TRY(bytes_claim(reader, name, {32, 48, 64}));
  return {};
}

constexpr std::array<Claim<RealmClaims>, 8> kRealmClaims = {
    {{265, "profile?",
      [](CborReader& reader, std::string_view name, RealmClaims&) -> Status {
        const std::string profile = TRY(text_claim(reader, name));
        if (profile != "tag:arm.com,2023:realm#1.0.0")
          return claim_error(name, formatted("is {}, which this build does not know", profile));
        return {};
      }},
     {10, "challenge",
      [](CborReader& reader, std::string_view name, RealmClaims& claims) -> Status {
        claims.challenge = load<ByteArray<64>>(TRY(bytes_claim(reader, name, {64})));
        return {};
      }},
     {44235, "personalization",
      [](CborReader& reader, std::string_view name, RealmClaims& claims) -> Status {
        claims.personalization = TRY(bytes_claim(reader, name, {64}));
        return {};
      }},
     {44236, "hash algorithm",
      [](CborReader& reader, std::string_view name, RealmClaims& claims) -> Status {
        claims.hash_algorithm = TRY(text_claim(reader, name));
        return {};
      }},
     {44237, "public key",
      [](CborReader& reader, std::string_view name, RealmClaims& claims) -> Status {
        const Bytes value = TRY(reader.bytes(name));
        if (value.size() > 256) return claim_error(name, "is larger than 256 bytes");
        claims.public_key.assign(value.begin(), value.end());
        return {};
      }},
     {44238, "initial measurement",
      [](CborReader& reader, std::string_view name, RealmClaims& claims) -> Status {
        claims.initial_measurement = TRY(bytes_claim(reader, name, {32, 48, 64}));
        return {};
      }},
     {44239, "extensible measurements", read_extensible},
     {44240, "hash algorithm of the public key",
      [](CborReader& reader, std::string_view name, RealmClaims& claims) -> Status {
        claims.public_key_hash_algorithm = TRY(text_claim(reader, name));
        return {};
      }}}};

Result<Sign1> inner_token(Bytes token, std::string_view what) {
  CborReader reader(token);
  Sign1 item = TRY(read_sign1(reader, what));
  TRY(reader.end(what));
  return item;
}

}  // namespace

Result<Collection> read_collection(Bytes token) {
  CborReader reader(token);
  if (TRY(reader.head(CborType::kTag, "the token")) != kCollectionTag)
    return Error{Code::kInvalid, "the token does not have tag 399"};
  const uint64_t count = TRY(reader.head(CborType::kMap, "the token"));
  std::optional<Bytes> platform;
  std::optional<Bytes> realm;
  for (uint64_t i = 0; i < count; ++i) {
    const int64_t key = TRY(reader.integer("the number of a part"));
    auto& part = key == kPlatformToken ? platform : realm;
    if ((key != kPlatformToken && key != kRealmToken) || part) {
      return Error{Code::kInvalid, formatted("part {} of the token, beside one of a platform "
                                             "(44234) and one of a realm (44241)",
                                             key)};
    }
    part = TRY(reader.bytes("a part of the token"));
  }
  TRY(reader.end("the token"));
  if (!platform || !realm)
    return Error{Code::kInvalid, "the token should have parts 44234 (platform) and 44241 (realm)"};
  return Collection{.platform = TRY(inner_token(*platform, "the platform's token")),
                    .realm = TRY(inner_token(*realm, "the realm's token"))};
}

Result<PlatformClaims> read_platform_claims(Bytes claims) {
  CborReader reader(claims);
  auto read = TRY(read_claims(reader, kPlatformClaims, "the platform"));
  TRY(reader.end("the platform's claims"));
  return read;
}

Result<RealmClaims> read_realm_claims(Bytes claims) {
  CborReader reader(claims);
  auto read = TRY(read_claims(reader, kRealmClaims, "the realm"));
  TRY(reader.end("the realm's claims"));
  return read;
}

Result<std::vector<uint8_t>> realm_key(const RealmClaims& claims) {
  const Bytes key = claims.public_key;
  if (key.size() == 97 && key[0] == 4)
    return key_of_point("P-384", key.subspan(1, 48), key.subspan(49));
  return key_of_cose(key);
}

Result<std::vector<uint8_t>> binder_of(const RealmClaims& claims) {
  const std::string& name = claims.public_key_hash_algorithm;
  const EVP_MD* method = name == "sha-256"   ? EVP_sha256()
                         : name == "sha-384" ? EVP_sha384()
                         : name == "sha-512" ? EVP_sha512()
                                             : nullptr;
  std::vector<uint8_t> digest(method == nullptr ? 0 : EVP_MD_get_size(method));
  if (method == nullptr || EVP_Digest(claims.public_key.data(), claims.public_key.size(),
                                      digest.data(), nullptr, method, nullptr) != 1)
    return Error{Code::kUnsupported, formatted("the hash {}, and this build knows sha-256, sha-384 "
                                               "and sha-512",
                                               name)};
  return digest;
}

}  // namespace casemate::verify::cca
