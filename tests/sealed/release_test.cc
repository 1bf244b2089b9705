// SPDX-License-Identifier: Apache-2.0
// Who gets a key and who does not. The tests play monitor, enclave and relay.
#include <gtest/gtest.h>

#include "base/format.h"
#include "isolated/sealed/unsealer.h"
#include "outside/keys/keeper.h"
#include "outside/verify/policy.h"
#include "outside/verify/testing/signer.h"
#include "tests/sealed/small_model.h"

namespace casemate::tests {
namespace {

// The calendar stands where test evidence is made; intervals pass when a test says so.
class TestClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] int64_t unix_seconds() const override { return verify::testing::kNow; }
  void pass(Duration time) { now_ += time; }

 private:
  Instant now_{};
};

class KeyRelease : public testing::Test {
 protected:
  KeyRelease() : store_(*keys::Store::open(folder_.path("keys"), clock_, system_random())) {
    sealed_ = seal_small(order(3), store_.maker(), system_random());
    add(sealed_);
    unsealer_.emplace(*sealed::Unsealer::make(sealed_.package));
    signer_.tokens.clear();
    EnclaveToken& token = signer_.add_model("small");
    token.model_version = 3;
    token.model_measurement = sealed::measurement_of(sha384(sealed_.package));
  }

  // What accepts the signer's model, and nothing else.
  [[nodiscard]] seal::Order order(uint32_t version) const {
    verify::Policy policy;
    policy.allow_software_root = true;
    policy.software_roots = {sha384(signer_.root.public_der())};
    policy.models["small"].program = {verify::testing::digest_of("small program")};
    policy.models["small"].device = {verify::testing::digest_of("small device")};
    seal::Order made = small_order();
    made.version = version;
    made.policy = verify::policy_text(policy);
    return made;
  }
  void add(const Made& made) {
    const keys::Record record{made.manifest.header.package, "small", made.manifest.header.version,
                              sealed::measurement_of(sha384(made.package)), made.manifest.policy};
    const Status added = store_.add(record, made.key, false);
    ASSERT_TRUE(added) << added.error().text;
  }
  // The enclave's request, with evidence that names its key unless `key_hashed` is false.
  std::vector<uint8_t> body(const Nonce& nonce, bool key_hashed = true) {
    sealed::KeyRequest request = unsealer_->request();
    request.nonce = nonce;
    const Bytes key = Bytes(request.public_key).first(request.public_key_bytes);
    signer_.set_nonce(nonce);
    signer_.make_claims();
    if (key_hashed) {
      signer_.tokens[0].key_hash = sha384(key);
      signer_.claims = encode_claims(sha256(key), signer_.monitor.public_der());
      signer_.quote.report_data = report_data_of(signer_.claims);
    }
    signer_.sign_quote();
    signer_.sign_tokens();
    const auto evidence = signer_.evidence();
    const Bytes bytes = bytes_of(request);
    std::vector<uint8_t> made(bytes.begin(), bytes.end());
    made.insert(made.end(), evidence.begin(), evidence.end());
    return made;
  }
  // Why the request is refused, which must be what the audit log says; empty when it is not.
  std::string refusal(const std::vector<uint8_t>& request) {
    const auto released = keeper_.release(request);
    const auto audit = store_.audit(1);
    if (!audit || audit->size() != 1) return "nothing was logged";
    EXPECT_EQ(audit->front().released, released.has_value());
    if (released) return "";
    EXPECT_EQ(audit->front().line, released.error().text);
    return released.error().text;
  }
  std::string refusal() { return refusal(body(keeper_.challenge())); }

  Folder folder_;
  TestClock clock_;
  verify::testing::Signer signer_;
  keys::Store store_;
  keys::Keeper keeper_{store_, clock_, system_random()};
  Made sealed_;
  std::optional<sealed::Unsealer> unsealer_;
};

TEST_F(KeyRelease, goes_to_the_enclave_that_the_policy_accepts_and_its_model_opens) {
  const auto released = keeper_.release(body(keeper_.challenge()));
  ASSERT_TRUE(released) << released.error().text;
  const auto plain = unsealer_->open(*released);
  ASSERT_TRUE(plain) << plain.error().text;
  EXPECT_TRUE(text_of(plain->bytes()) == small_model());
}

TEST_F(KeyRelease, is_refused_for_a_wrong_measurement) {
  signer_.tokens[0].program_measurement[0] ^= 1;
  EXPECT_TRUE(refusal().contains("enclave.program")) << refusal();
}

TEST_F(KeyRelease, is_refused_for_a_wrong_device) {
  signer_.tokens[0].device_measurement[0] ^= 1;
  EXPECT_TRUE(refusal().contains("enclave.device")) << refusal();
}

TEST_F(KeyRelease, is_refused_for_a_wrong_root) {
  signer_.root = *SigningKey::generate();
  std::ranges::copy(signer_.root.public_der(), signer_.quote.root_key.begin());
  EXPECT_TRUE(refusal().contains("root.key")) << refusal();
}

TEST_F(KeyRelease, is_refused_for_a_development_root_where_the_policy_wants_another) {
  ASSERT_TRUE(store_.set_policy("small", 3, "{}"));
  EXPECT_TRUE(refusal().contains("root.kind")) << refusal();
}

TEST_F(KeyRelease, is_refused_for_a_rolled_back_version) {
  EXPECT_EQ(refusal(), "");
  add(seal_small(order(4), store_.maker(), system_random()));
  EXPECT_TRUE(refusal().contains("key.rollback")) << refusal();
  const Made old = seal_small(order(2), store_.maker(), system_random());
  EXPECT_FALSE(store_.add({old.manifest.header.package, "small", 2, {}, "{}"}, old.key, false));
}

TEST_F(KeyRelease, is_refused_for_a_version_that_the_token_does_not_say) {
  signer_.tokens[0].model_version = 4;
  EXPECT_TRUE(refusal().contains("key.version")) << refusal();
}

TEST_F(KeyRelease, is_refused_for_a_replayed_nonce) {
  const auto request = body(keeper_.challenge());
  EXPECT_EQ(refusal(request), "");
  EXPECT_TRUE(refusal(request).contains("key.nonce"));
}

TEST_F(KeyRelease, is_refused_for_a_nonce_that_nobody_gave_out_or_that_is_old) {
  EXPECT_TRUE(refusal(body(Nonce{})).contains("key.nonce"));
  const auto request = body(keeper_.challenge());
  clock_.pass(std::chrono::seconds(61));
  EXPECT_TRUE(refusal(request).contains("key.nonce"));
}

TEST_F(KeyRelease, is_refused_for_evidence_with_another_nonce) {
  const Nonce old = keeper_.challenge();
  auto request = body(old);
  const Nonce fresh = keeper_.challenge();
  auto head = load<sealed::KeyRequest>(request);
  head.nonce = fresh;
  std::ranges::copy(bytes_of(head), request.begin());
  EXPECT_TRUE(refusal(request).contains("token.nonce"));
}

TEST_F(KeyRelease, is_refused_for_evidence_of_another_enclave) {
  // Of one that holds another key.
  const std::string other = refusal(body(keeper_.challenge(), false));
  EXPECT_TRUE(other.contains("claims.tls_key")) << other;
  // Of a gateway.
  signer_.tokens[0].kind = static_cast<uint32_t>(EnclaveKind::kGateway);
  EXPECT_TRUE(refusal().contains("token.kind")) << refusal();
  signer_.tokens[0].kind = static_cast<uint32_t>(EnclaveKind::kModel);
  // Of another model.
  signer_.tokens[0].name = Text<64>::from("other");
  EXPECT_TRUE(refusal().contains("model.name")) << refusal();
}

TEST_F(KeyRelease, is_refused_to_an_enclave_that_has_measured_another_file) {
  signer_.tokens[0].model_measurement[5] ^= 1;
  EXPECT_TRUE(refusal().contains("key.package")) << refusal();
}

TEST_F(KeyRelease, is_refused_for_two_enclaves_at_once_and_for_nonsense) {
  signer_.add_model("small");
  EXPECT_FALSE(keeper_.release(body(keeper_.challenge())));
  signer_.tokens.pop_back();
  const auto request = body(keeper_.challenge());
  for (size_t size = 0; size < request.size(); size += 97)
    EXPECT_FALSE(keeper_.release(Bytes(request).first(size))) << size;
}

TEST_F(KeyRelease, forgets_nonces_that_too_many_ask_for_and_grows_no_further) {
  const Nonce first = keeper_.challenge();
  const Nonce second = keeper_.challenge();
  for (size_t i = 0; i + 1 < keys::Keeper::kNonces; ++i) keeper_.challenge();
  EXPECT_TRUE(refusal(body(first)).contains("key.nonce"));
  EXPECT_EQ(refusal(body(second)), "");
}

}  // namespace
}  // namespace casemate::tests
