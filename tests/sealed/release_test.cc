// SPDX-License-Identifier: Apache-2.0
// Who gets a key and who does not. The tests play monitor, enclave and relay.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

#include "base/format.h"
#include "isolated/sealed/unsealer.h"
#include "outside/client/connect.h"
#include "outside/keys/service.h"
#include "outside/launch/address.h"
#include "outside/launch/listen.h"
#include "outside/verify/policy.h"
#include "outside/verify/testing/signer.h"
#include "tests/sealed/small_model.h"
#include "tests/sealed/stepped.h"

namespace casemate::tests {
namespace {

// The calendar stands where test evidence is made; intervals pass when a test says so.
class TestClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] int64_t unix_seconds() const override {
    if (const auto what = std::exchange(meanwhile_, nullptr)) what();
    return verify::testing::kNow;
  }
  void pass(Duration time) { now_ += time; }
  // Happens when the calendar is looked at next.
  void meanwhile(std::function<void()> what) { meanwhile_ = std::move(what); }

 private:
  Instant now_{};
  mutable std::function<void()> meanwhile_;
};

class KeyRelease : public testing::Test {
 protected:
  KeyRelease() : store_(*keys::Store::open(folder_.path("keys"), clock_, system_random(), true)) {
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
    signer_.set_nonce(proof_nonce(nonce, sha256(key)));
    signer_.make_claims();
    if (key_hashed) {
      signer_.tokens[0].key_hash = sha384(key);
      signer_.claims = encode_claims(sha256(key), signer_.quote.platform_measurement,
                                     signer_.monitor.public_der(), KeyUse::kHpke);
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
  keys::AuditLine latest() {
    const auto audit = store_.audit(1);
    return audit && !audit->empty() ? audit->front() : keys::AuditLine{};
  }
  // Why the request is refused, which must be what the audit log says; empty when it is not.
  std::string refusal(const std::vector<uint8_t>& request) {
    const int64_t before = latest().number;
    const auto released = keeper_.release(request);
    const keys::AuditLine line = latest();
    const bool stranger = !released && released.error().text.starts_with(keys::kNonceRefused);
    EXPECT_EQ(line.number, before + (stranger ? 0 : 1)) << "each is logged, but for strangers";
    if (stranger) return released.error().text;
    EXPECT_EQ(line.released, released.has_value());
    if (released) return "";
    EXPECT_EQ(line.line, released.error().text);
    return released.error().text;
  }
  std::string refusal() { return refusal(body(keeper_.challenge())); }

  // What a key service does with the store in a process of its own: twice, where it cannot the
  // first time. Whoever asked has his key when the file `answer_` is there. True for the first.
  bool gives_key() {
    auto store = keys::Store::open(folder_.path("keys"), clock_, system_random());
    if (!store) return false;
    keys::Keeper keeper(*store, clock_, system_random());
    const auto released = keeper.release(body(keeper.challenge()));
    if (released) {
      std::ofstream{answer_};
      return true;
    }
    // A process that crashes is what the tests would not take for an answer.
    if (released.error().code != Code::kUnavailable) std::abort();
    if (!keeper.release(body(keeper.challenge()))) std::abort();
    return false;
  }
  void expect_good_log(const std::string& after) {
    const Status log = store_.check_audit();
    EXPECT_TRUE(log) << after << ": " << log.error().text;
    EXPECT_TRUE(latest().released) << after;
  }

  Folder folder_;
  TestClock clock_;
  verify::testing::Signer signer_;
  keys::Store store_;
  keys::Keeper keeper_{store_, clock_, system_random()};
  Made sealed_;
  std::optional<sealed::Unsealer> unsealer_;
  std::string answer_ = folder_.path("answer");
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
  signer_.change_root();
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

TEST_F(KeyRelease, leaves_a_nonce_good_that_was_refused) {
  const Nonce nonce = keeper_.challenge();
  signer_.tokens[0].model_version = 4;
  EXPECT_TRUE(refusal(body(nonce)).contains("key.version"));
  signer_.tokens[0].model_version = 3;
  EXPECT_EQ(refusal(body(nonce)), "");
  EXPECT_TRUE(refusal(body(nonce)).contains("key.nonce"));
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
  EXPECT_TRUE(other.contains("claims.key_use")) << other;
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

TEST_F(KeyRelease, is_refused_to_an_enclave_that_calls_others_which_the_policy_does_not_name) {
  signer_.tokens[0].peer_count = 1;
  EXPECT_TRUE(refusal().contains("key.peers")) << refusal();
  auto policy = verify::parse_policy(order(3).policy, "of a test");
  ASSERT_TRUE(policy);
  policy->models["small"].peers = {signer_.tokens[0].peers_measurement};
  ASSERT_TRUE(store_.set_policy("small", 3, verify::policy_text(*policy)));
  EXPECT_EQ(refusal(), "");
}

TEST(KeyPolicy, names_monitor_program_and_runtime_or_no_key_goes_out_on_hardware) {
  const verify::Accepted some = {verify::testing::digest_of("some")};
  verify::Policy policy;
  policy.models["other"] = {.program = some, .device = some};
  const auto lacking = [&] {
    const Status enough = keys::check_pins(policy, "small");
    return enough ? "" : enough.error().text;
  };
  EXPECT_TRUE(lacking().contains("\"platform\"")) << lacking();
  policy.platform = some;
  EXPECT_TRUE(lacking().contains("\"program\"")) << lacking();
  policy.models["small"].program = some;
  EXPECT_TRUE(lacking().contains("\"device\"")) << lacking();
  policy.models["small"].device = some;
  EXPECT_EQ(lacking(), "");
}

// What evidence of real hardware comes to, and a policy that pins all that it must.
class HardwareVerdict : public testing::Test {
 protected:
  HardwareVerdict() {
    verdict_.passed = true;
    verdict_.root = "tdx";
    verdict_.tokens.resize(1);
    verdict_.tokens[0].model_version = 3;
    verdict_.tokens[0].model_measurement = verify::testing::digest_of("model");
    record_.name = "small";
    record_.version = 3;
    record_.measurement = verify::testing::digest_of("model");
    policy_.platform = some_;
    policy_.models["small"].program = some_;
    policy_.models["small"].device = some_;
  }
  // Why no key goes out; empty when one does.
  [[nodiscard]] std::string refusal() const {
    const Status may = keys::may_release(verdict_, policy_, record_);
    return may ? "" : may.error().text;
  }

  verify::Accepted some_ = {verify::testing::digest_of("some")};
  verify::Verdict verdict_;
  verify::Policy policy_;
  keys::Record record_;
};

TEST_F(HardwareVerdict, gets_no_key_under_a_policy_that_names_too_little) {
  ASSERT_EQ(refusal(), "");
  for (verify::Accepted* pinned :
       {&policy_.platform, &policy_.models["small"].program, &policy_.models["small"].device}) {
    pinned->clear();
    EXPECT_TRUE(refusal().starts_with("key.pins: ")) << refusal();
    verdict_.development_root = true;
    EXPECT_EQ(refusal(), "") << "a development root proves nothing anyway";
    verdict_.development_root = false;
    *pinned = some_;
  }
  verdict_.tokens[0].peer_count = 1;
  EXPECT_TRUE(refusal().starts_with("key.peers: ")) << refusal();
  policy_.models["small"].peers = some_;
  EXPECT_EQ(refusal(), "");
  policy_.drivers.required = true;
  EXPECT_TRUE(refusal().starts_with("key.drivers: ")) << refusal();
}

TEST_F(HardwareVerdict, gets_no_key_where_the_operator_may_have_started_anything_or_looks_in) {
  for (bool* lets : {&policy_.insecure_allow_any_start, &policy_.insecure_allow_debug,
                     &policy_.intel.insecure_allow_debug, &policy_.snp.insecure_allow_debug,
                     &policy_.cca.insecure_allow_debug, &policy_.eat.insecure_allow_debug}) {
    *lets = true;
    EXPECT_EQ(refusal(),
              "key.pins: the policy allows any start or debug platforms, where the operator reads "
              "the key; remove insecure_allow_any_start and insecure_allow_debug");
    verdict_.development_root = true;
    EXPECT_EQ(refusal(), "");
    verdict_.development_root = false;
    *lets = false;
  }
  EXPECT_EQ(refusal(), "");
}

TEST_F(HardwareVerdict, gets_no_key_when_it_did_not_pass_or_is_about_something_else) {
  verdict_.passed = false;
  EXPECT_NE(refusal(), "");
  verdict_.passed = true;
  verdict_.tokens[0].model_version = 4;
  EXPECT_TRUE(refusal().starts_with("key.version: ")) << refusal();
  verdict_.tokens[0].model_version = 3;
  verdict_.tokens[0].model_measurement[0] ^= 1;
  EXPECT_TRUE(refusal().starts_with("key.package: ")) << refusal();
  verdict_.tokens.clear();
  EXPECT_TRUE(refusal().starts_with("key.evidence: ")) << refusal();
}

TEST_F(KeyRelease, is_refused_for_two_enclaves_at_once_and_for_nonsense) {
  signer_.add_model("small");
  EXPECT_NE(refusal(), "");
  signer_.tokens.pop_back();
  const size_t whole = body(keeper_.challenge()).size();
  ASSERT_GT(whole, sizeof(sealed::KeyRequest));
  for (size_t size = 0; size < whole; size += 97) {
    const auto request = body(keeper_.challenge());
    ASSERT_EQ(request.size(), whole);
    const auto released = keeper_.release(Bytes(request).first(size));
    ASSERT_FALSE(released) << size;
    const bool head = size < sizeof(sealed::KeyRequest);
    EXPECT_EQ(released.error().code, head ? Code::kInvalid : Code::kDenied) << size;
    EXPECT_TRUE(released.error().text.contains(head ? "too short" : "evidence.form"))
        << size << released.error().text;
  }
}

TEST_F(KeyRelease, is_logged_with_who_got_it) {
  ASSERT_EQ(refusal(), "");
  const EnclaveToken& token = signer_.tokens[0];
  EXPECT_EQ(latest().name, "small");
  EXPECT_EQ(latest().version, 3u);
  EXPECT_EQ(
      latest().line,
      formatted("package {} root software {} platform {} program {} device {} evidence {}",
                to_hex(sealed_.manifest.header.package), to_hex(sha384(signer_.root.public_der())),
                to_hex(signer_.quote.platform_measurement), to_hex(token.program_measurement),
                to_hex(token.device_measurement), to_hex(sha256(signer_.evidence()))));
}

TEST_F(KeyRelease, is_logged_under_no_name_that_a_stranger_makes_up) {
  auto request = body(keeper_.challenge());
  auto head = load<sealed::KeyRequest>(request);
  head.name = Text<64>::from("x released digits/1");
  std::ranges::copy(bytes_of(head), request.begin());
  EXPECT_TRUE(refusal(request).contains("key.package"));
  EXPECT_EQ(latest().name, "small") << "whose the package is";
  head.package[0] ^= 1;
  head.version = 77;
  std::ranges::copy(bytes_of(head), request.begin());
  EXPECT_TRUE(refusal(request).contains("no key of this package"));
  EXPECT_EQ(latest().name, "?");
  EXPECT_EQ(latest().version, 0u);
}

TEST_F(KeyRelease, is_not_without_its_line_in_the_log) {
  auto other = keys::Database::open(folder_.path("keys"));
  ASSERT_TRUE(other);
  const Status away = other->run("ALTER TABLE audit RENAME TO away");
  ASSERT_TRUE(away) << away.error().text;
  const auto request = body(keeper_.challenge());
  for (const bool accepted : {true, false}) {
    if (!accepted) signer_.tokens[0].model_version = 4;
    const auto released = keeper_.release(accepted ? request : body(keeper_.challenge()));
    ASSERT_FALSE(released);
    EXPECT_EQ(released.error().code, Code::kUnavailable);
    EXPECT_EQ(released.error().text, "the key service cannot answer now; its owner's log says why");
  }
  signer_.tokens[0].model_version = 3;
  ASSERT_TRUE(other->run("ALTER TABLE away RENAME TO audit"));
  EXPECT_EQ(latest().number, 0);
  EXPECT_TRUE(refusal(request).contains("key.nonce")) << "it was as good as gone";
  EXPECT_EQ(refusal(), "") << "and another is as good as ever";
}

TEST_F(KeyRelease, is_logged_before_it_is_answered_wherever_the_service_is_killed) {
  NEEDS_STEPS();
  ASSERT_EQ(refusal(), "");
  uint64_t steps = 0;
  for (End end = End::kKilled; end != End::kDone;) {
    std::filesystem::remove(answer_);
    const int64_t before = latest().number;
    end = run_killed(++steps, [&] { return gives_key(); });
    ASSERT_TRUE(end == End::kKilled || end == End::kDone) << steps;
    const int64_t lines = latest().number - before;
    EXPECT_TRUE(lines == 0 || lines == 1) << steps;
    if (std::filesystem::exists(answer_)) {
      EXPECT_EQ(lines, 1) << steps << ": a key went out and nobody knows";
    }
    expect_good_log(formatted("killed before call {}", steps));
    EXPECT_EQ(refusal(), "") << steps << ": no more keys go out";
  }
  EXPECT_GT(steps, 8u);  // it was stepped at all
}

// A power cut can come between any two calls, too, and keeps what was waited for.
TEST_F(KeyRelease, waits_for_the_disk_with_its_line_before_it_is_answered) {
  NEEDS_STEPS();
  std::vector<std::string> calls;
  ASSERT_EQ(run_killed(UINT64_MAX, [&] { return gives_key(); }, &calls), End::kDone);
  // A journal that is gone is a commit, as soon as its folder is on the disk.
  const std::string wanted[] = {
      "sync keys", "unlink keys-journal",
      formatted("sync {}", file_named(std::filesystem::path(answer_).parent_path())),
      "make answer"};
  auto from = calls.cbegin();
  for (const std::string& call : wanted) {
    from = std::find(from, calls.cend(), call);
    ASSERT_NE(from, calls.cend()) << call << " is missing, or comes too early";
  }
}

TEST_F(KeyRelease, is_not_answered_from_a_disk_that_fails_and_the_next_one_is) {
  NEEDS_STEPS();
  ASSERT_EQ(refusal(), "");
  for (const int error : {ENOSPC, EIO}) {
    uint64_t failed = 0;
    for (uint64_t step = 1;; ++step) {
      std::filesystem::remove(answer_);
      const int64_t before = latest().number;
      const Stepped ended = run_failing(step, error, [&] { return gives_key(); });
      if (ended.call.empty()) break;
      ASSERT_TRUE(ended.end == End::kDone || ended.end == End::kFailed) << ended.call;
      const int64_t lines = latest().number - before;
      // One that failed may have been written all the same, before that of the second request.
      const bool answered = ended.end == End::kDone;
      EXPECT_TRUE(lines == 1 || (!answered && lines == 2)) << ended.call << ": " << lines;
      EXPECT_FALSE(answered && ended.call.starts_with("sync keys")) << "it was not waited for";
      failed += answered ? 0 : 1;
      expect_good_log(ended.call);
    }
    EXPECT_GT(failed, 5u) << "a disk that fails is not noticed";
  }
}

TEST_F(KeyRelease, is_refused_for_a_version_that_is_closed_while_its_evidence_is_judged) {
  clock_.meanwhile([this] {
    auto other = keys::Store::open(folder_.path("keys"), clock_, system_random());
    ASSERT_TRUE(other) << other.error().text;
    ASSERT_TRUE(other->raise_floor("small", 4));
  });
  const std::string said = refusal();
  EXPECT_TRUE(said.starts_with("key.rollback: version 3")) << said;
}

TEST_F(KeyRelease, waits_a_short_time_for_somebody_else_who_writes_to_the_store) {
  auto other = keys::Database::open(folder_.path("keys"));
  ASSERT_TRUE(other);
  ASSERT_TRUE(other->run("BEGIN EXCLUSIVE"));
  const auto began = std::chrono::steady_clock::now();
  const auto released = keeper_.release(body(keeper_.challenge()));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4 * keys::Keeper::kPatience);
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code, Code::kUnavailable);
  ASSERT_TRUE(other->run("ROLLBACK"));
  EXPECT_EQ(refusal(), "");
}

TEST_F(KeyRelease, has_few_refusals_written_however_many_there_are) {
  sealed::KeyRequest unknown = unsealer_->request();
  unknown.package[0] ^= 1;
  unknown.nonce = keeper_.challenge();
  const auto refused = [&] {
    const auto released = keeper_.release(bytes_of(unknown));
    return !released && released.error().code == Code::kDenied;
  };
  for (int i = 0; i < keys::Keeper::kRefusals + 20; ++i) EXPECT_TRUE(refused());
  EXPECT_EQ(latest().number, keys::Keeper::kRefusals);
  EXPECT_TRUE(keeper_.release(body(keeper_.challenge()))) << "that keeps nobody from his key";
  EXPECT_EQ(latest().number, keys::Keeper::kRefusals + 1);
  clock_.pass(std::chrono::seconds(2));
  EXPECT_TRUE(refused());
  EXPECT_EQ(latest().number, keys::Keeper::kRefusals + 2) << "one more after a while";
}

// One request and its answer, with the service on loopback.
Result<keys::HttpAnswer> ask_at(const std::string& address, const keys::HttpRequest& request) {
  const auto where = TRY(launch::Address::parse(address));
  const client::Deadline deadline(system_clock(), std::chrono::seconds(20));
  const Fd socket = TRY(client::connect_to({where.host, where.port}, deadline));
  return keys::ask(socket, address, request, deadline);
}

TEST_F(KeyRelease, over_http_gives_a_nonce_and_then_the_key_once) {
  Fd listener = *launch::listen_on("127.0.0.1:0");
  const std::string address = *launch::address_of(listener);
  const keys::Service service(std::move(listener), keeper_, system_clock());
  const auto nonce = ask_at(address, {"GET", "/v1/nonce", {}});
  ASSERT_TRUE(nonce) << nonce.error().text;
  ASSERT_EQ(nonce->body.size(), sizeof(Nonce));
  const auto request = body(load<Nonce>(nonce->body));
  const auto wrapped = ask_at(address, {"POST", "/v1/keys", request});
  ASSERT_TRUE(wrapped) << wrapped.error().text;
  ASSERT_EQ(wrapped->status, 200u);
  ASSERT_EQ(wrapped->body.size(), sizeof(sealed::WrappedKey));
  EXPECT_TRUE(unsealer_->open(load<sealed::WrappedKey>(wrapped->body)));
  const auto again = ask_at(address, {"POST", "/v1/keys", request});
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->status, 403u);
  EXPECT_TRUE(text_of(again->body).contains("key.nonce"));
}

TEST_F(KeyRelease, over_http_refuses_what_is_no_request_and_goes_on) {
  Fd listener = *launch::listen_on("127.0.0.1:0");
  const std::string address = *launch::address_of(listener);
  const keys::Service service(std::move(listener), keeper_, system_clock());
  const auto status = [&](const keys::HttpRequest& request) {
    const auto answer = ask_at(address, request);
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(status({"GET", "/", {}}), 404u);
  EXPECT_EQ(status({"POST", "/v1/nonce", {}}), 404u);
  EXPECT_EQ(status({"POST", "/v1/keys", {}}), 400u);
  EXPECT_EQ(status({"POST", "/v1/keys", std::vector<uint8_t>(1000)}), 400u);
  EXPECT_EQ(status({"POST", "/v1/keys", std::vector<uint8_t>(keys::kBodyBytes + 1)}), 413u);
  EXPECT_EQ(status({"NO METHOD", "x y\r\n", {}}), 400u);
  EXPECT_EQ(status({"GET", "/v1/nonce", {}}), 200u);
}

}  // namespace
}  // namespace casemate::tests
