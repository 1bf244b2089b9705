// SPDX-License-Identifier: Apache-2.0
// What an owner can have sealed, and what he is told before anything is made.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "outside/seal/advice.h"
#include "outside/verify/testing/signer.h"
#include "tests/sealed/small_model.h"

namespace casemate::tests {
namespace {

class SealingOrder : public testing::Test {
 protected:
  void SetUp() override { std::ofstream(model_) << small_model(); }
  // Why it is refused; empty when it is not.
  std::string refusal(const seal::Order& order, const std::string& place) {
    const Status checked = seal::check(model_, place, order, store_);
    return checked ? "" : checked.error().text;
  }
  std::string refusal(const seal::Order& order) { return refusal(order, folder_.path("sealed")); }
  static seal::Order order_with(const std::string& policy) {
    seal::Order order = small_order();
    order.policy = policy;
    order.policy_file = "p.json";
    return order;
  }

  Folder folder_;
  std::string model_ = folder_.path("model.onnx");
  std::string store_ = folder_.path("keys");
};

TEST_F(SealingOrder, is_refused_where_the_package_would_replace_what_is_no_package) {
  EXPECT_EQ(refusal(small_order()), "");
  EXPECT_TRUE(refusal(small_order(), model_).contains("the model itself"));
  std::filesystem::create_symlink(model_, folder_.path("link"));
  std::filesystem::create_hard_link(model_, folder_.path("twin"));
  for (const char* name : {"link", "twin"}) {
    EXPECT_TRUE(refusal(small_order(), folder_.path(name)).contains("the model itself")) << name;
  }
  for (const std::string& place : {store_, store_ + ".key", folder_.path("./keys")})
    EXPECT_TRUE(refusal(small_order(), place).contains("belongs to the key store")) << place;
  std::ofstream(folder_.path("p.json")) << "{}";
  EXPECT_TRUE(refusal(small_order(), folder_.path("p.json")).contains("is no sealed model"));
  EXPECT_EQ(std::filesystem::file_size(folder_.path("p.json")), 2u);
}

TEST_F(SealingOrder, replaces_an_earlier_package_and_leaves_the_model) {
  auto store = keys::Store::open(store_, system_clock(), system_random(), true);
  ASSERT_TRUE(store) << store.error().text;
  for (int i = 0; i < 2; ++i) {
    const auto done = seal::seal_model(model_, folder_.path("sealed"), small_order(), *store,
                                       system_clock(), system_random());
    ASSERT_TRUE(done) << done.error().text;
  }
  EXPECT_FALSE(
      seal::seal_model(model_, model_, small_order(), *store, system_clock(), system_random()));
  EXPECT_EQ(std::filesystem::file_size(model_), small_model().size());
  const auto package = seal::read_package(folder_.path("sealed"));
  ASSERT_TRUE(package) << package.error().text;
  EXPECT_EQ(package->header.version, 3u);
  EXPECT_TRUE(std::ranges::equal(package->maker(), store->maker().public_der()));
  EXPECT_TRUE(seal::read_package(model_).error().text.contains(model_));
}

TEST_F(SealingOrder,
       of_a_version_that_is_not_opened_any_more_is_refused_before_anything_is_written) {
  auto store = keys::Store::open(store_, system_clock(), system_random(), true);
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->raise_floor("small", 4));
  // A folder that is not there would be the first thing to fail.
  const auto done = seal::seal_model(model_, folder_.path("none/sealed"), small_order(), *store,
                                     system_clock(), system_random());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kDenied) << done.error().text;
}

TEST_F(SealingOrder, names_a_model_as_it_can_be_served_and_says_which_file_is_wrong) {
  for (const char* name : {"", "gateway", "a b", ".hidden", "a/b", "..", "\xc3\xa4"}) {
    seal::Order order = small_order();
    order.name = name;
    EXPECT_TRUE(refusal(order).contains("is served under a name")) << name;
  }
  EXPECT_TRUE(refusal(order_with("{\"mistyped\": 1}")).contains("p.json"));
  std::ofstream(model_) << "no model";
  EXPECT_TRUE(refusal(small_order()).contains(model_ + ": not an ONNX file"))
      << refusal(small_order());
}

TEST_F(SealingOrder, under_a_policy_that_would_never_give_the_key_is_refused) {
  const std::string some = "[\"" + std::string(96, 'a') + "\"]";
  for (const std::string pinned : {"model", "manifest"}) {
    const std::string said =
        refusal(order_with("{\"models\": {\"small\": {\"" + pinned + "\": " + some + "}}}"));
    EXPECT_TRUE(said.contains("pinned by the key store")) << said;
    EXPECT_TRUE(said.contains("models.small from p.json")) << said;
  }
  const std::string other = refusal(order_with("{\"models\": {\"other\": {}}}"));
  EXPECT_TRUE(other.contains("not 'small'")) << other;
  EXPECT_EQ(refusal(order_with("{\"models\": {\"small\": {\"program\": " + some + "}}}")), "");
}

TEST(SealingAdvice, names_what_a_policy_leaves_to_the_operator_and_nothing_of_the_gateway) {
  const auto advice = [](const verify::Policy& policy) {
    std::string all;
    for (const std::string& line : seal::warnings_of(policy, "small")) all += line + "\n";
    return all;
  };
  verify::Policy policy;
  EXPECT_TRUE(advice(policy).contains("any platform is accepted")) << advice(policy);
  EXPECT_TRUE(advice(policy).contains("any program, device of model small")) << advice(policy);
  EXPECT_TRUE(advice(policy).contains("key.pins")) << advice(policy);
  EXPECT_FALSE(advice(policy).contains("gateway")) << advice(policy);
  const verify::Accepted some = {verify::testing::digest_of("some")};
  policy.platform = some;
  policy.models["small"].program = some;
  policy.models["small"].device = some;
  policy.insecure_allow_classical_key_exchange = true;  // of a gateway's channel
  EXPECT_EQ(advice(policy), "");
  policy.insecure_allow_debug = true;
  EXPECT_TRUE(advice(policy).contains("insecure_debug")) << advice(policy);
  policy = {};
  policy.allow_software_root = true;
  EXPECT_TRUE(advice(policy).contains("a development root is accepted")) << advice(policy);
  EXPECT_TRUE(advice(policy).contains("insecure_any_root")) << advice(policy);
}

}  // namespace
}  // namespace casemate::tests
