// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/format.h"
#include "outside/verify/cca/cca.h"
#include "outside/verify/cca/codes.h"

namespace casemate::verify::cca {
namespace {

// Upper byte of the lifecycle: the states of the platform (Arm DEN 0137, platform lifecycle claim).
constexpr uint32_t kSecured = 0x30;
constexpr uint32_t kDebugOfOthers = 0x40;
constexpr uint32_t kDebugOfPlatform = 0x50;

bool same_bytes(const std::optional<std::vector<uint8_t>>& wanted, Bytes actual) {
  return !wanted || std::ranges::equal(*wanted, actual);
}

// Every component is one of the reference's, and there is one of each type that it names: of one
// type it may name several, of which any will do. What it names without a type stands for itself.
bool fits(const std::vector<Component>& reference, const std::vector<Component>& actual) {
  return std::ranges::all_of(actual,
                             [&](const Component& component) {
                               return std::ranges::contains(reference, component);
                             }) &&
         std::ranges::all_of(reference, [&](const Component& component) {
           return component.type.empty()
                      ? std::ranges::contains(actual, component)
                      : std::ranges::contains(actual, component.type, &Component::type);
         });
}

bool fits(const ReferencePlatform& reference, const PlatformClaims& claims) {
  return same_bytes(reference.implementation_id, claims.implementation_id) &&
         same_bytes(reference.configuration, claims.configuration) &&
         (reference.components.empty() || fits(reference.components, claims.components));
}

bool fits(const ReferenceRealm& reference, const RealmClaims& claims) {
  return same_bytes(reference.personalization, claims.personalization) &&
         same_bytes(reference.initial_measurement, claims.initial_measurement) &&
         (reference.extensible_measurements.empty() ||
          std::ranges::equal(reference.extensible_measurements, claims.extensible_measurements)) &&
         (!reference.key_hash_algorithm ||
          *reference.key_hash_algorithm == claims.public_key_hash_algorithm);
}

class CcaAppraisal final {
 public:
  CcaAppraisal(Bytes evidence, const Rules& rules, const Collateral& collateral, Checks& checks)
      : evidence_(evidence), rules_(rules), collateral_(collateral), checks_(checks) {}

  Platform run() && {
    platform_.root = "arm-cca";
    prove_platform();
    prove_realm();
    judge();
    return std::move(platform_);
  }

 private:
  void prove_platform();
  void prove_realm();
  void judge();

  Finding choose_key();
  Finding trusted() const;
  Finding right_identity() const;
  Finding lifecycle() const;
  Finding references() const;
  void fill_platform();
  [[nodiscard]] bool names_this_platform(const Anchor& anchor) const {
    return (anchor.instance_id.empty() || anchor.instance_id == claims_.instance_id) &&
           (anchor.implementation_id.empty() ||
            anchor.implementation_id == claims_.implementation_id);
  }

  Bytes evidence_;
  const Rules& rules_;
  const Collateral& collateral_;
  Checks& checks_;
  Platform platform_;
  Collection token_;
  PlatformClaims claims_;
  RealmClaims realm_;
  std::vector<Anchor> anchors_;
  size_t own_anchors_ = 0;  // the first of them stand in the rules
  size_t chosen_ = 0;
};

// Of all keys: one whose owner names this platform, else one that names none, else any, so that
// the verdict can say what is wrong with it. Among keys that fit alike the one that made the
// signature counts.
Finding CcaAppraisal::choose_key() {
  for (const nlohmann::json& key : rules_.anchor_keys)
    std::ranges::move(anchors_in(key), std::back_inserter(anchors_));
  own_anchors_ = anchors_.size();
  for (const Collateral::File& file : collateral_.documents()) {
    const auto json = parse_json(casemate::text_of(file.content), file.name);
    if (json) std::ranges::move(anchors_in(*json), std::back_inserter(anchors_));
  }
  int best = -1;
  for (size_t i = 0; i < anchors_.size(); ++i) {
    const Anchor& anchor = anchors_[i];
    const bool named = !anchor.instance_id.empty() || !anchor.implementation_id.empty();
    int fit = !names_this_platform(anchor) ? 0 : named ? 4 : 2;
    if (fit >= best && fit > 0 && anchor.key && check_sign1(token_.platform, *anchor.key)) ++fit;
    if (fit <= best) continue;
    best = fit;
    chosen_ = i;
  }
  if (best < 0)
    return {.expected = "the key of this platform",
            .actual =
                "no key, neither in the policy nor in "
                "the collateral"};
  const Result<std::vector<uint8_t>>& key = anchors_[chosen_].key;
  if (!key) return finding_of(key.error(), "a point on its curve");
  platform_.root_key = *key;
  return {.good = true, .actual = formatted("key {}", to_hex(sha384(*key)))};
}

Finding CcaAppraisal::trusted() const {
  const Sha384Digest hash = sha384(platform_.root_key);
  const auto own = std::span(anchors_).first(own_anchors_);
  const bool named = std::ranges::any_of(own, [&](const Anchor& anchor) {
    return anchor.key && *anchor.key == platform_.root_key && names_this_platform(anchor);
  });
  return {.good = named || std::ranges::contains(rules_.anchors, hash),
          .expected = "a key in \"anchors\" of the policy's \"cca\"",
          .actual = formatted("{} of the {}", to_hex(hash), named ? "policy" : "collateral")};
}

Finding CcaAppraisal::right_identity() const {
  const Anchor& anchor = anchors_[chosen_];
  return {.good = names_this_platform(anchor),
          .expected = formatted("instance {} of implementation {}", to_hex(anchor.instance_id),
                                to_hex(anchor.implementation_id)),
          .actual = formatted("instance {} of implementation {}", to_hex(claims_.instance_id),
                              to_hex(claims_.implementation_id))};
}

void CcaAppraisal::prove_platform() {
  checks_.require(code::kForm, "", [&] {
    auto token = read_collection(evidence_);
    if (!token) return finding_of(token.error(), "CBOR tag 399 with two signed tokens");
    token_ = *token;
    return Finding{.good = true};
  });
  checks_.require(code::kPlatformForm, "", [&] {
    auto claims = read_platform_claims(token_.platform.payload);
    if (!claims) return finding_of(claims.error(), "every claim that a platform has to make");
    claims_ = *std::move(claims);
    return Finding{.good = true};
  });
  checks_.require(code::kKey, "", [&] { return choose_key(); });
  checks_.require(code::kPlatformSignature, "", [&] {
    return finding_of(check_sign1(token_.platform, platform_.root_key),
                      formatted("a signature by key {}", to_hex(sha384(platform_.root_key))));
  });
  checks_.require(code::kIdentity, "", [&] { return right_identity(); });
  checks_.judge(code::kRoot, "", [&] { return trusted(); });
}

void CcaAppraisal::prove_realm() {
  checks_.require(code::kRealmForm, "", [&] {
    auto realm = read_realm_claims(token_.realm.payload);
    if (!realm) return finding_of(realm.error(), "every claim that a realm has to make");
    realm_ = *std::move(realm);
    fill_platform();
    return Finding{.good = true};
  });
  checks_.require(code::kRealmSignature, "", [&] {
    const std::string_view expected = "a signature by the realm's own key";
    const auto key = realm_key(realm_);
    if (!key) return finding_of(key.error(), expected);
    return finding_of(check_sign1(token_.realm, *key), expected);
  });
  checks_.require(code::kBinder, "", [&] {
    const auto binder = binder_of(realm_);
    if (!binder) return finding_of(binder.error(), "a hash of the realm's key");
    return Finding{std::ranges::equal(*binder, claims_.challenge), to_hex(*binder),
                   to_hex(claims_.challenge)};
  });
}

void CcaAppraisal::fill_platform() {
  platform_.report_data = realm_.challenge;
  const uint32_t state = claims_.lifecycle >> 8;
  platform_.debug = state == kDebugOfOthers || state == kDebugOfPlatform;
  platform_.measurements = {{"implementation_id", claims_.implementation_id},
                            {"configuration", claims_.configuration}};
  for (const Component& component : claims_.components)
    platform_.measurements.push_back({"component " + component.type, component.measurement});
  platform_.measurements.push_back({"personalization", realm_.personalization});
  platform_.measurements.push_back({"initial_measurement", realm_.initial_measurement});
  for (size_t i = 0; i < realm_.extensible_measurements.size(); ++i)
    platform_.measurements.push_back({formatted("rem{}", i), realm_.extensible_measurements[i]});
  platform_.digest = digest_of(platform_.root, platform_.measurements);
}

Finding CcaAppraisal::lifecycle() const {
  return {.good = claims_.lifecycle >> 8 == kSecured,
          .expected = "secured (0x3000 to 0x30ff)",
          .actual = formatted("{:#06x}{}", claims_.lifecycle,
                              platform_.debug ? ", open to a debugger" : ""),
          .allowed = platform_.debug && rules_.insecure_allow_debug};
}

Finding CcaAppraisal::references() const {
  if (rules_.reference_platforms.empty() && rules_.reference_realms.empty())
    return {.expected = "reference values", .actual = "none in the policy", .allowed = true};
  const auto any = [](const auto& references, const auto& claims) {
    return references.empty() || std::ranges::any_of(references, [&](const auto& reference) {
             return fits(reference, claims);
           });
  };
  if (!any(rules_.reference_platforms, claims_)) {
    return {
        .expected = formatted("one of {} reference platforms", rules_.reference_platforms.size()),
        .actual = formatted("implementation {} with {} components that fit none",
                            to_hex(claims_.implementation_id), claims_.components.size())};
  }
  if (rules_.reference_realms.empty()) return {.good = true};  // a platform's are enough
  return {.good = any(rules_.reference_realms, realm_),
          .expected = formatted("one of {} reference realms", rules_.reference_realms.size()),
          .actual = formatted("a realm that began as {}", to_hex(realm_.initial_measurement))};
}

void CcaAppraisal::judge() {
  checks_.judge(code::kLifecycle, "", [&] { return lifecycle(); });
  checks_.judge(code::kReference, "", [&] { return references(); });
  const auto pinned = [&](std::string name, const AcceptedValues& accepted, Bytes actual) {
    checks_.judge(code::kMeasurement, std::move(name),
                  [&] { return one_of_accepted(accepted, actual); });
  };
  pinned("instance_id", rules_.instance_id, claims_.instance_id);
  pinned("implementation_id", rules_.implementation_id, claims_.implementation_id);
  pinned("configuration", rules_.configuration, claims_.configuration);
  pinned("personalization", rules_.personalization, realm_.personalization);
  pinned("initial_measurement", rules_.initial_measurement, realm_.initial_measurement);
  for (size_t i = 0; i < RealmClaims::kExtensible; ++i)
    pinned(formatted("rem{}", i), rules_.extensible_measurements[i],
           realm_.extensible_measurements[i]);
}

}  // namespace

bool looks_like(Bytes evidence) {
  CborReader reader(evidence);
  const auto tag = reader.head(CborType::kTag, "the token");
  return tag && *tag == 399;
}

Platform appraise(Bytes evidence, const Rules& rules, const Collateral& collateral,
                  int64_t /*now_unix*/, Checks& checks) {
  return CcaAppraisal(evidence, rules, collateral, checks).run();
}

}  // namespace casemate::verify::cca
