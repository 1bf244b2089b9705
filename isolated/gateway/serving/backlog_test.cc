// SPDX-License-Identifier: Apache-2.0
// Requests that take long to read: the backlog on its own, and behind a gateway.

#include "isolated/gateway/serving/backlog.h"

#include <gtest/gtest.h>

#include <thread>

#include "isolated/gateway/grpc/fields.h"
#include "isolated/gateway/grpc/messages.h"
#include "isolated/gateway/loopback/running_gateway.h"

namespace casemate::gateway {
namespace {

// Whose turn is taken down.
class Backlogs : public testing::Test {
 protected:
  Backlogs() : loop_(*Loop::make(system_clock())) {}
  void SetUp() override {
    backlog_.emplace(*loop_, [this](CallId call, Request request) {
      served_.push_back(call);
      target_ = request.target;
      header_length_ = request.inference_header_length.value_or("none");
    });
  }
  void add(CallId call) { backlog_->add(call, {}, Body()); }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(loop_->run_once(Duration(0)));
  }

  std::unique_ptr<Loop> loop_;
  std::optional<Backlog> backlog_;
  std::vector<CallId> served_;
  std::string target_;
  std::string header_length_;
};

TEST_F(Backlogs, give_one_request_to_a_round_and_the_connections_take_turns) {
  for (const uint32_t turn : {1u, 2u, 3u}) add({1, turn});
  add({5, 1});
  EXPECT_TRUE(served_.empty());
  for (size_t round = 1; round <= 4; ++round) {
    rounds(1);
    EXPECT_EQ(served_.size(), round);
  }
  EXPECT_EQ(served_, (std::vector<CallId>{{1, 1}, {5, 1}, {1, 2}, {1, 3}}));
}

TEST_F(Backlogs, drop_what_is_cancelled) {
  for (const uint32_t turn : {1u, 2u, 3u}) add({1, turn});
  EXPECT_TRUE(backlog_->cancel({1, 2}));
  EXPECT_FALSE(backlog_->cancel({2, 2}));
  rounds(5);
  EXPECT_EQ(served_, (std::vector<CallId>{{1, 1}, {1, 3}}));
}

TEST_F(Backlogs, keep_what_a_request_points_to) {
  std::string target = "/where";
  std::string length = "17";
  const Request request{.target = target, .inference_header_length = length, .body = {}};
  backlog_->add({1, 1}, request, Body());
  target = length = "something else that stands there by then";
  rounds(1);
  EXPECT_EQ(target_, "/where");
  EXPECT_EQ(header_length_, "17");
}

TEST_F(Backlogs, admit_small_texts_until_a_round_has_had_enough) {
  EXPECT_FALSE(backlog_->admits(Backlog::kAtOnce + 1));
  for (uint64_t bytes = 0; bytes < Backlog::kPerRound; bytes += Backlog::kAtOnce)
    EXPECT_TRUE(backlog_->admits(Backlog::kAtOnce));
  EXPECT_FALSE(backlog_->admits(1));
  EXPECT_TRUE(backlog_->admits(0));
  rounds(1);
  EXPECT_TRUE(backlog_->admits(1));
}

constexpr std::string_view kRest = "/v2/models/double/infer";

template <class Condition>
bool in_time(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// A request as the server gives it to the service, from a client that is not there.
Request in_hand(Budget& budget, std::string_view target, std::string_view text, bool grpc = false) {
  Body body(budget, text.size());
  EXPECT_TRUE(body.append(bytes_of(text)));
  return {.method = Method::kPost, .target = target, .grpc = grpc, .body = std::move(body)};
}

TEST(HostileRequests, that_take_long_to_read_are_read_one_a_round_and_the_small_ones_at_once) {
  Budget budget(16 << 20);
  RunningGateway gateway;
  const std::string large(Backlog::kAtOnce + 1, ' ');
  const auto failed = [&] { return gateway.model().statistics().other_failed; };
  gateway.run([&] {
    Serving& serving = gateway.serving();
    for (uint32_t turn = 1; turn <= 4; ++turn)
      serving.serve({1000, turn}, in_hand(budget, kRest, large));
    EXPECT_EQ(failed(), 0u);
    serving.cancelled({1000, 2});
    serving.serve({1001, 1}, in_hand(budget, kRest, "not json"));
    EXPECT_EQ(failed(), 1u);
  });
  uint64_t count = 0;
  EXPECT_TRUE(in_time([&] {
    gateway.run([&] { count = failed(); });
    return count == 4;
  })) << count;
  EXPECT_EQ(budget.used(), 0u);
}

TEST(HostileRequests, of_protobuf_that_take_long_to_read_wait_as_well_and_raw_tensors_do_not) {
  constexpr std::string_view kCall = "/inference.GRPCInferenceService/ModelInfer";
  Budget budget(16 << 20);
  RunningGateway gateway;
  const auto body = [](uint32_t field, std::string_view tensor) {
    std::string input;
    std::string contents;
    if (field == 6) FieldWriter(contents).element(field, tensor);
    FieldWriter(input).text(1, "x").text(2, "FP32").packed(3, std::vector<int64_t>{1, 20'000});
    FieldWriter(input).text(5, contents);
    std::string message;
    FieldWriter(message).text(1, "double").element(5, input);
    if (field == 7) FieldWriter(message).element(field, tensor);
    return message_head(message.size()) + message;
  };
  const std::string tensor(80'000, '\0');
  const auto failed = [&] { return gateway.model().statistics().other_failed; };
  gateway.run([&] {
    gateway.serving().serve({1000, 1}, in_hand(budget, kCall, body(6, tensor), true));
    EXPECT_EQ(failed(), 0u);
    gateway.serving().serve({1000, 2}, in_hand(budget, kCall, body(7, tensor), true));
    EXPECT_EQ(failed(), 1u) << "its shape is not the model's, which has been seen";
    // REST stays REST, whatever its content-type says.
    gateway.serving().serve({1000, 3}, in_hand(budget, kRest, std::string(80'000, ' '), true));
    EXPECT_EQ(failed(), 1u);
  });
  uint64_t count = 0;
  EXPECT_TRUE(in_time([&] {
    gateway.run([&] { count = failed(); });
    return count == 3;
  })) << count;
}

}  // namespace
}  // namespace casemate::gateway
