// SPDX-License-Identifier: Apache-2.0
// Reference values of a policy: what a platform may run, and what a realm may be.
#include <gtest/gtest.h>

#include <algorithm>

#include "outside/verify/cca/codes.h"
#include "outside/verify/cca/testing/judged.h"

namespace casemate::verify::cca {
namespace {

using testing::components_item;
using testing::Realm;
using Components = std::vector<Component>;

Component component(std::string type, uint8_t value, std::string version = "1.0") {
  return {.type = std::move(type),
          .version = std::move(version),
          .measurement = std::vector<uint8_t>(32, value),
          .signer = std::vector<uint8_t>(32, 0x22)};
}

std::string judged_by(const Realm& realm, std::vector<ReferencePlatform> platforms,
                      std::vector<ReferenceRealm> realms = {}) {
  Rules rules = realm.rules();
  rules.reference_platforms = std::move(platforms);
  rules.reference_realms = std::move(realms);
  return testing::judge(realm.token(), rules, realm.collateral()).outcome();
}

// What becomes of a platform that runs `actual`, where `reference` is all that may run.
std::string running(const Components& actual, const Components& reference) {
  Realm realm;
  Realm::set(realm.platform, 2399, components_item(actual));
  ReferencePlatform platform;
  platform.components = reference;
  return judged_by(realm, {platform});
}

TEST(CcaReference, components_are_all_that_may_run_in_any_order) {
  const Component loader = component("BL", 1);
  const Component monitor = component("RMM", 2);
  EXPECT_EQ(running({loader, monitor}, {loader, monitor}), "accepted");
  EXPECT_EQ(running({monitor, loader}, {loader, monitor}), "accepted");
  EXPECT_EQ(running({loader, monitor}, {}), "accepted") << "a reference that names none";
  EXPECT_EQ(running({loader, monitor}, {loader}), code::kReference.code) << "one too many";
  EXPECT_EQ(running({loader}, {loader, monitor}), code::kReference.code) << "one is missing";
  EXPECT_EQ(running({monitor}, {loader, monitor}), code::kReference.code);
  EXPECT_EQ(running({loader, loader}, {loader, monitor}), code::kReference.code)
      << "one that is there twice stands for no other";
  EXPECT_EQ(running({loader, monitor, component("", 3)}, {loader, monitor}), code::kReference.code)
      << "nor does one without a type run unseen";
}

TEST(CcaReference, components_fit_in_every_field) {
  const Component loader = component("BL", 1);
  const Component monitor = component("RMM", 2);
  for (const auto bend : std::initializer_list<void (*)(Component&)>{
           [](Component& c) { c.type = "RMMD"; }, [](Component& c) { c.type = ""; },
           [](Component& c) { c.type = "BL"; }, [](Component& c) { c.version = "1.0.1"; },
           [](Component& c) { c.version = ""; }, [](Component& c) { c.measurement[31] ^= 1; },
           [](Component& c) { c.measurement.resize(48); }, [](Component& c) { c.signer[0] ^= 1; },
           [](Component& c) { std::swap(c.signer, c.measurement); }}) {
    Component bent = monitor;
    bend(bent);
    EXPECT_EQ(running({loader, bent}, {loader, monitor}), code::kReference.code);
    EXPECT_EQ(running({loader, bent}, {loader, bent}), "accepted");
  }
}

TEST(CcaReference, components_of_one_type_are_alternatives) {
  const Component loader = component("BL", 1);
  const Component old = component("RMM", 2, "1.0");
  const Component recent = component("RMM", 3, "1.1");
  const Components reference = {loader, old, recent};
  EXPECT_EQ(running({loader, old}, reference), "accepted");
  EXPECT_EQ(running({loader, recent}, reference), "accepted");
  EXPECT_EQ(running({loader}, reference), code::kReference.code) << "neither";
  EXPECT_EQ(running({loader, component("RMM", 3, "1.0")}, reference), code::kReference.code)
      << "of each the half";
}

TEST(CcaReference, components_without_a_type_stand_for_themselves) {
  const Component one = component("", 1);
  const Component two = component("", 2);
  EXPECT_EQ(running({one, two}, {one, two}), "accepted");
  EXPECT_EQ(running({one}, {one, two}), code::kReference.code);
  EXPECT_EQ(running({two}, {one, two}), code::kReference.code);
  EXPECT_EQ(running({one, component("BL", 3)}, {one, two, component("BL", 3)}),
            code::kReference.code);
}

TEST(CcaReference, of_a_platform_fits_as_a_whole) {
  const Realm realm;
  const auto platform = [](uint8_t implementation, uint8_t configuration, uint8_t monitor) {
    ReferencePlatform made;
    made.implementation_id.emplace(32, implementation);
    made.configuration.emplace(4, configuration);
    made.components = {component("RMM", monitor)};
    return made;
  };
  EXPECT_EQ(judged_by(realm, {platform(0x44, 0x55, 0x11)}), "accepted");
  EXPECT_EQ(judged_by(realm, {platform(0x45, 0x55, 0x11)}), code::kReference.code);
  EXPECT_EQ(judged_by(realm, {platform(0x44, 0x56, 0x11)}), code::kReference.code);
  EXPECT_EQ(judged_by(realm, {platform(0x44, 0x55, 0x12)}), code::kReference.code);
  EXPECT_EQ(judged_by(realm, {platform(0x45, 0x55, 0x11), platform(0x44, 0x56, 0x11),
                              platform(0x44, 0x55, 0x12)}),
            code::kReference.code)
      << "a third of each is no whole";
  EXPECT_EQ(judged_by(realm, {platform(0, 0, 0), platform(0x44, 0x55, 0x11)}), "accepted");
}

TEST(CcaReference, of_a_platform_alone_is_not_said_to_be_of_a_realm) {
  const Realm realm;
  Rules rules = realm.rules();
  ReferencePlatform platform;
  platform.implementation_id.emplace(32, 0x44);
  rules.reference_platforms = {platform};
  const auto judged = testing::judge(realm.token(), rules, realm.collateral());
  ASSERT_EQ(judged.outcome(), "accepted");
  const auto& checks = judged.verdict.checks;
  const auto check = std::ranges::find(checks, code::kReference.code, &Check::code);
  ASSERT_NE(check, checks.end());
  EXPECT_EQ(check->outcome, Outcome::kPassed);
  EXPECT_FALSE(check->expected.contains("realm")) << check->expected;
  EXPECT_FALSE(check->actual.contains("realm")) << check->actual;
}

TEST(CcaReference, of_a_realm_fits_as_a_whole) {
  const Realm realm;
  ReferenceRealm good;
  good.personalization.emplace(64, uint8_t{0x77});
  good.initial_measurement.emplace(32, uint8_t{0x88});
  for (uint8_t i = 0; i < 4; ++i)
    good.extensible_measurements.emplace_back(32, static_cast<uint8_t>(0x60 + i));
  good.key_hash_algorithm = "sha-256";
  EXPECT_EQ(judged_by(realm, {}, {good}), "accepted");
  for (const auto bend : std::initializer_list<void (*)(ReferenceRealm&)>{
           [](ReferenceRealm& r) { r.personalization->front() ^= 1; },
           [](ReferenceRealm& r) { r.initial_measurement->back() ^= 1; },
           [](ReferenceRealm& r) { r.initial_measurement->clear(); },
           [](ReferenceRealm& r) { r.extensible_measurements[3][0] ^= 1; },
           [](ReferenceRealm& r) {
             std::swap(r.extensible_measurements[0], r.extensible_measurements[1]);
           },
           [](ReferenceRealm& r) { r.key_hash_algorithm = "sha-384"; }}) {
    ReferenceRealm bent = good;
    bend(bent);
    EXPECT_EQ(judged_by(realm, {}, {bent}), code::kReference.code);
    EXPECT_EQ(judged_by(realm, {}, {bent, good}), "accepted");
  }
  // A platform that fits makes up for no realm.
  ReferenceRealm other = good;
  other.initial_measurement->front() ^= 1;
  EXPECT_EQ(judged_by(realm, {ReferencePlatform{}}, {other}), code::kReference.code);
}

}  // namespace
}  // namespace casemate::verify::cca
