// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cca/testing/realm.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"
#include "outside/verify/jose/jose.h"

namespace casemate::verify::cca::testing {
namespace {

template <class T>
T certain(Result<T> result) {
  CHECK(result, "tests need a working libcrypto");
  return *std::move(result);
}

std::vector<uint8_t> filled(size_t size, uint8_t value) {
  return std::vector<uint8_t>(size, value);
}

}  // namespace

Realm::Realm()
    : platform_key(certain(SigningKey::generate())), realm_key(certain(SigningKey::generate())) {
  std::vector<uint8_t> instance = filled(33, 0x33);
  instance[0] = 1;
  set(platform, 265, text_item("tag:arm.com,2023:cca_platform#1.0.0"));
  set(platform, 10, bytes_item(filled(32, 0)));
  set(platform, 2396, bytes_item(filled(32, 0x44)));
  set(platform, 256, bytes_item(instance));
  set(platform, 2401, bytes_item(filled(4, 0x55)));
  set(platform, 2395, number_item(0x3003));
  set(platform, 2402, text_item("sha-256"));
  set(platform, 2399,
      components_item({{.type = "RMM",
                        .version = "1.0",
                        .measurement = filled(32, 0x11),
                        .signer = filled(32, 0x22)}}));
  CborWriter extensible;
  extensible.head(CborType::kArray, 4);
  for (int i = 0; i < 4; ++i) extensible.bytes(filled(32, static_cast<uint8_t>(0x60 + i)));
  set(realm, 265, text_item("tag:arm.com,2023:realm#1.0.0"));
  set(realm, 10, bytes_item(filled(64, 0x66)));
  set(realm, 44235, bytes_item(filled(64, 0x77)));
  set(realm, 44236, text_item("sha-256"));
  set(realm, 44237, bytes_item(point_of(realm_key)));
  set(realm, 44238, bytes_item(filled(32, 0x88)));
  set(realm, 44239, extensible);
  set(realm, 44240, text_item("sha-256"));
  bind();
}

void Realm::set(Claims& claims, int64_t key, const CborWriter& value) {
  const auto found = std::ranges::find(claims, key, &Claims::value_type::first);
  if (found != claims.end()) {
    found->second = value.written();
  } else {
    claims.emplace_back(key, value.written());
  }
}

void Realm::drop(Claims& claims, int64_t key) {
  std::erase_if(claims, [&](const auto& claim) { return claim.first == key; });
}

void Realm::bind() {
  const auto claims = certain(read_realm_claims(encode(realm)));
  set(platform, 10, bytes_item(certain(binder_of(claims))));
}

std::vector<uint8_t> Realm::token() const {
  return token_of(encode(platform), platform_key, encode(realm), realm_key);
}

Rules Realm::rules() const {
  Rules rules;
  rules.anchors = {sha384(platform_key.public_der())};
  return rules;
}

Collateral Realm::collateral() const {
  Collateral collateral;
  CHECK(collateral.add("key.json", bytes_of(std::string_view(jwk_of(platform_key)))),
        "a key that was just made is one");
  return collateral;
}

std::vector<uint8_t> encode(const Realm::Claims& claims) {
  CborWriter writer;
  writer.head(CborType::kMap, claims.size());
  for (const auto& [key, value] : claims) writer.integer(key).raw(value);
  return writer.written();
}

std::vector<uint8_t> token_of(Bytes platform, const SigningKey& platform_key, Bytes realm,
                              const SigningKey& realm_key) {
  CborWriter writer;
  writer.head(CborType::kTag, 399).head(CborType::kMap, 2);
  writer.integer(44234).bytes(certain(make_sign1(platform, platform_key)));
  writer.integer(44241).bytes(certain(make_sign1(realm, realm_key)));
  return writer.written();
}

CborWriter components_item(const std::vector<Component>& components) {
  CborWriter item;
  item.head(CborType::kArray, components.size());
  for (const Component& component : components) {
    item.head(CborType::kMap, 4);
    item.integer(1).text(component.type).integer(2).bytes(component.measurement);
    item.integer(4).text(component.version).integer(5).bytes(component.signer);
  }
  return item;
}

Bytes point_of(const SigningKey& key) { return Bytes(key.public_der()).last(97); }

std::string jwk_of(const SigningKey& key) {
  const Bytes point = point_of(key);
  return formatted(R"({{"kty": "EC", "crv": "P-384", "x": "{}", "y": "{}"}})",
                   to_base64url(point.subspan(1, 48)), to_base64url(point.subspan(49)));
}

}  // namespace casemate::verify::cca::testing
