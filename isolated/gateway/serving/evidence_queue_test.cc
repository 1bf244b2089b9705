// SPDX-License-Identifier: Apache-2.0
// Who gets evidence when many want it: the queue on its own, and behind a gateway.

#include "isolated/gateway/serving/evidence_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "base/format.h"
#include "isolated/gateway/loopback/http2_client.h"
#include "isolated/gateway/loopback/running_gateway.h"

namespace casemate::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct QueueClock final : Clock {
  [[nodiscard]] Instant now() const override { return time; }
  [[nodiscard]] int64_t unix_seconds() const override { return 0; }
  Instant time{};
};

// Signs when it is told to.
struct Signer final : Attestor {
  void evidence(const std::optional<Nonce>&, std::string_view, std::string_view,
                Done done) override {
    ++asked;
    if (refuses) return done(Error{Code::kUnavailable, "too often"});
    waiting.push_back(std::move(done));
  }
  void sign() {
    const Done done = std::move(waiting.front());
    waiting.pop_front();
    done(std::vector<uint8_t>{1});
  }
  std::deque<Done> waiting;
  int asked = 0;
  bool refuses = false;
};

class EvidenceQueues : public testing::Test {
 protected:
  EvidenceQueues() : loop_(*Loop::make(clock_)) {}
  void pass(Duration time) {
    clock_.time += time;
    ASSERT_TRUE(loop_->run_once(Duration(0)));
  }
  // The code that a question is answered with at once, or kOk.
  Code add(EvidenceQueue& queue, CallId call, std::optional<Nonce> nonce = Nonce{}) {
    const Status added = queue.add({.call = call, .nonce = nonce, .model = {}, .version = {}});
    return added ? Code::kOk : added.error().code;
  }
  EvidenceQueue::Answer note() {
    return [this](CallId call, const Result<std::vector<uint8_t>>& evidence) {
      answers_.emplace_back(call, evidence ? Code::kOk : evidence.error().code);
    };
  }
  using Answers = std::vector<std::pair<CallId, Code>>;

  QueueClock clock_;
  std::unique_ptr<Loop> loop_;
  Signer signer_;
  Answers answers_;
};

TEST_F(EvidenceQueues, serve_first_who_came_first) {
  EvidenceQueue queue(*loop_, signer_, {.asked = 1, .known = 3, .patience = seconds(10)}, note());
  for (const uint32_t connection : {7u, 3u, 5u}) EXPECT_EQ(add(queue, {connection, 1}), Code::kOk);
  EXPECT_EQ(add(queue, {9, 1}), Code::kUnavailable) << "they are bounded";
  EXPECT_EQ(signer_.asked, 1);
  for (int i = 0; i < 3; ++i) signer_.sign();
  EXPECT_EQ(answers_, (Answers{{{7, 1}, Code::kOk}, {{3, 1}, Code::kOk}, {{5, 1}, Code::kOk}}));
}

TEST_F(EvidenceQueues, forget_who_goes_while_it_waits_and_not_what_is_asked_already) {
  EvidenceQueue queue(*loop_, signer_, {.asked = 2, .known = 9, .patience = seconds(10)}, note());
  EXPECT_EQ(add(queue, {1, 1}), Code::kOk);
  queue.cancel({1, 1});
  EXPECT_EQ(add(queue, {1, 2}), Code::kOk);
  EXPECT_EQ(signer_.asked, 1) << "its connection has one there";
  EXPECT_EQ(add(queue, {2, 1}), Code::kOk);
  EXPECT_EQ(add(queue, {3, 1}), Code::kOk);
  EXPECT_EQ(signer_.asked, 2);
  queue.cancel({3, 1});
  while (!signer_.waiting.empty()) signer_.sign();
  EXPECT_EQ(signer_.asked, 3);
  EXPECT_EQ(answers_, (Answers{{{2, 1}, Code::kOk}, {{1, 2}, Code::kOk}}));
}

TEST_F(EvidenceQueues, ask_more_and_more_seldom_while_they_are_refused) {
  EvidenceQueue queue(*loop_, signer_, {.asked = 4, .known = 9, .patience = seconds(20)}, note());
  signer_.refuses = true;
  for (uint32_t connection = 0; connection < 4; ++connection)
    EXPECT_EQ(add(queue, {connection, 1}), Code::kOk);
  for (int i = 0; i < 8; ++i) pass(seconds(1));
  EXPECT_LT(signer_.asked, 10);
  EXPECT_TRUE(answers_.empty()) << "they are patient";
  signer_.refuses = false;
  for (int i = 0; i < 2; ++i) pass(seconds(1));
  ASSERT_EQ(signer_.waiting.size(), 1u) << "one after the other";
  signer_.sign();
  EXPECT_EQ(answers_.front(), std::pair(CallId(0, 1), Code::kOk));
  EXPECT_EQ(signer_.waiting.size(), 2u) << "and then more";
  pass(seconds(10));
  EXPECT_EQ(answers_.back(), std::pair(CallId(3, 1), Code::kUnavailable));
}

TEST_F(EvidenceQueues, let_what_needs_no_signature_pass) {
  EvidenceQueue queue(*loop_, signer_, {.asked = 1, .known = 9, .patience = seconds(10)}, note());
  EXPECT_EQ(add(queue, {1, 1}), Code::kOk);
  EXPECT_EQ(add(queue, {2, 1}, std::nullopt), Code::kOk);
  EXPECT_EQ(signer_.asked, 2);
}

HttpAnswer asked(RunningGateway& gateway, std::string_view request) {
  TlsClient client(gateway.port());
  return client.exchange(request).value_or(HttpAnswer{});
}

std::string question(char digit) {
  return get("/v2/casemate/evidence?nonce=" + std::string(64, digit));
}

TEST(Evidence, is_of_the_version_that_was_named_and_else_of_the_highest) {
  RunningGateway gateway;
  gateway.run([&] { ASSERT_TRUE(gateway.serving().models().add("double", 12)); });
  const auto of = [&](std::string_view query) {
    return asked(gateway, get(formatted("/v2/casemate/evidence?model=double{}", query))).body;
  };
  EXPECT_EQ(of(""), "double 12");
  EXPECT_EQ(of("&version=1"), "double 1");
  EXPECT_EQ(of("&version=12"), "double 12");
}

TEST(Evidence, that_others_wait_for_is_waited_for) {
  RunningGateway gateway({.serving = {.evidence_pending = 1}});
  gateway.attestor().hold = true;
  TlsClient first(gateway.port());
  TlsClient second(gateway.port());
  ASSERT_TRUE(first.send(question('a')));
  while (gateway.attestor().asked == 0) std::this_thread::yield();
  ASSERT_TRUE(second.send(question('b')));
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(gateway.attestor().asked, 1);
  gateway.run([&] { gateway.attestor().release(); });
  EXPECT_EQ(first.receive()->status, 200);
  EXPECT_EQ(second.receive()->status, 200);
}

TEST(Evidence, that_the_monitor_refuses_for_now_is_asked_for_again) {
  RunningGateway gateway;
  gateway.attestor().refusals = 2;
  EXPECT_EQ(asked(gateway, question('a')).status, 200);
  EXPECT_EQ(gateway.attestor().asked, 3);
}

TEST(Evidence, that_the_monitor_goes_on_to_refuse_is_a_503) {
  RunningGateway gateway({.serving = {.evidence_patience = milliseconds(200)}});
  gateway.attestor().refusals = 1'000'000;
  const auto answer = asked(gateway, question('a'));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_LT(gateway.attestor().asked, 10);
}

TEST(Evidence, of_one_connection_is_asked_for_once_at_a_time_however_many_streams_it_has) {
  RunningGateway gateway;
  gateway.attestor().hold = true;
  Http2Client client(gateway.port());
  const auto ask_on = [&](uint32_t stream) {
    const Http2Fields head = {{":method", "GET"},
                              {":scheme", "https"},
                              {":authority", "localhost"},
                              {":path", "/v2/casemate/evidence?nonce=" + std::string(64, 'a')}};
    client.send({Http2Frame::kHeaders, Http2Frame::kEndHeaders | Http2Frame::kEndStream, stream,
                 header_block(head)});
  };
  ask_on(1);
  ask_on(3);
  EXPECT_EQ(client.answer(3)->status(), 503);
  // Who takes a question back has had it asked all the same.
  client.send({Http2Frame::kReset, 0, 1, number_payload(8)});
  ask_on(5);
  ask_on(7);
  EXPECT_EQ(client.answer(7)->status(), 503);
  EXPECT_EQ(gateway.attestor().asked, 1);
  gateway.run([&] { gateway.attestor().release(); });
  EXPECT_EQ(client.answer(5)->status(), 200);
  EXPECT_EQ(gateway.attestor().asked, 2);
}

}  // namespace
}  // namespace casemate::gateway
