// SPDX-License-Identifier: Apache-2.0
// Answers that take long to write: drafts on their own, and behind a gateway.

#include "isolated/gateway/serving/drafts.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/format.h"
#include "isolated/gateway/loopback/running_gateway.h"

namespace casemate::gateway {
namespace {

class TextTurns : public testing::Test {
 protected:
  TextTurns() : loop_(*Loop::make(system_clock())), drafts_(*loop_) {}
  std::unique_ptr<Draft> draft(CallId call) {
    return std::make_unique<Draft>(drafts_, call, ResponseWriter());
  }
  bool grows(const std::unique_ptr<Draft>& draft) { return drafts_.room(*draft) != 0; }
  void round() { ASSERT_TRUE(loop_->run_once(Duration(0))); }

  std::unique_ptr<Loop> loop_;
  Drafts drafts_;
};

TEST_F(TextTurns, are_taken_by_one_draft_at_a_time_and_go_round_the_connections) {
  auto a = draft({1, 1});
  auto b = draft({1, 2});
  auto c = draft({5, 1});
  auto d = draft({5, 2});
  EXPECT_TRUE(grows(a) && !grows(b) && !grows(c) && !grows(d));
  d.reset();
  EXPECT_TRUE(grows(a)) << "one that waited has gone";
  a.reset();
  EXPECT_TRUE(grows(c) && !grows(b));
  c.reset();
  EXPECT_TRUE(grows(b));
  b.reset();
  EXPECT_TRUE(grows(draft({2, 1})));
}

TEST_F(TextTurns, end_when_the_round_has_had_enough) {
  const auto growing = draft({1, 1});
  const int one = 1;
  const int other = 2;
  EXPECT_EQ(drafts_.room(&one), Drafts::kPerRound);
  drafts_.wrote(nullptr, Drafts::kPerRound - 1);
  EXPECT_EQ(drafts_.room(&one), 2 * Drafts::kShort) << "no short answer is cut";
  drafts_.wrote(nullptr, 100);
  EXPECT_EQ(drafts_.room(&one), 0u);
  EXPECT_EQ(drafts_.room(&other), 2 * Drafts::kShort) << "nobody is kept from a turn by others";
  drafts_.wrote(nullptr, 100);
  EXPECT_EQ(drafts_.room(&other), 0u);
  EXPECT_EQ(drafts_.room(*growing), Drafts::kPerRound) << "short answers take nothing from it";
  drafts_.wrote(growing.get(), Drafts::kPerRound);
  EXPECT_FALSE(grows(growing));
  round();
  EXPECT_TRUE(grows(growing));
  EXPECT_EQ(drafts_.room(&one), Drafts::kPerRound);
}

// An item of the model: as text 0.6 MB.
constexpr uint32_t kExtent = 64 << 10;
// Items whose text, 4.7 MB, takes 36 rounds.
constexpr uint32_t kMany = 8;

// A batch whose answer is wanted as text, or in binary and so is short to write.
std::string items_body(uint32_t items, bool text, size_t& json_size) {
  const size_t bytes = size_t{items} * kExtent * sizeof(float);
  std::string body =
      formatted(R"({{"inputs":[{{"name":"x","shape":[{},{}],"datatype":"FP32","parameters":)"
                R"({{"binary_data_size":{}}}}}],"parameters":{{"binary_data_output":{}}}}})",
                items, kExtent, bytes, !text);
  json_size = body.size();
  const float value = 1.234567f;
  const std::string_view image = text_of(bytes_of(value));
  while (body.size() < json_size + bytes) body += image;
  return body;
}

std::string items_request(uint32_t items, bool text) {
  size_t json_size = 0;
  const std::string body = items_body(items, text, json_size);
  return post("/v2/models/double/infer", body,
              formatted("Inference-Header-Content-Length: {}\r\n", json_size));
}

std::string items_as_text(uint32_t items) {
  std::string text = "[2.469134";
  for (uint32_t i = 1; i < items * kExtent; ++i) text += ",2.469134";
  return text + "]}]}";
}

// A gateway whose model completes nothing before it is told to.
class LongAnswers : public testing::Test {
 protected:
  LongAnswers()
      : gateway_({.batch_max = kMany, .width = kExtent, .channel = {.hold = true}}),
        client_(gateway_.port()) {}

  // Waits until the gateway's loop finds it true.
  bool comes_true(const std::function<bool()>& condition) {
    bool found = false;
    for (int i = 0; i < 1000 && !found; ++i) {
      if (i != 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      gateway_.run([&] { found = condition(); });
    }
    return found;
  }
  bool started(uint64_t count) {
    return comes_true([&] { return gateway_.channel().started() == count; });
  }
  // Of batches of that size. On the loop's thread.
  uint64_t written(uint32_t items) {
    const auto& batches = gateway_.model().statistics().batches;
    const auto found = batches.find(items);
    return found == batches.end() ? 0 : found->second.compute_output.count;
  }
  // Lets the model complete, and calls `action` while the answer of kMany items is written.
  std::unique_ptr<EachRound> complete(std::function<void()> action) {
    return std::make_unique<EachRound>(gateway_, [this, action = std::move(action)](int round) {
      if (round == 1) gateway_.channel().complete_held();
      if (round != 6) return;
      EXPECT_EQ(gateway_.model().in_flight(), 1u);
      EXPECT_EQ(written(kMany), 0u);
      action();
    });
  }

  RunningGateway gateway_;
  TlsClient client_;
};

TEST_F(LongAnswers, let_a_short_one_pass_that_completed_behind_them) {
  ASSERT_TRUE(client_.send(items_request(kMany, true)));
  ASSERT_TRUE(started(1));
  TlsClient other(gateway_.port());
  ASSERT_TRUE(other.send(items_request(1, false)));
  ASSERT_TRUE(started(2));
  int rounds = 0;
  {
    const EachRound each(gateway_, [&](int round) {
      if (round == 1) gateway_.channel().complete_held();
      if (written(1) == 1 && written(kMany) == 0) ++rounds;
    });
    const auto binary = other.receive();
    ASSERT_TRUE(binary);
    EXPECT_EQ(binary->status, 200) << binary->body;
    const auto text = client_.receive();
    ASSERT_TRUE(text);
    EXPECT_EQ(text->status, 200);
    EXPECT_TRUE(text->body.ends_with(items_as_text(kMany)));
  }
  EXPECT_GE(rounds, 30) << "there were turns for others between the answers";
}

TEST_F(LongAnswers, of_many_clients_come_one_by_one_and_are_right) {
  std::vector<TlsClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(gateway_.port());
    ASSERT_TRUE(clients.back().send(items_request(3, true)));
  }
  ASSERT_TRUE(started(4));
  gateway_.channel().complete_held();
  for (TlsClient& client : clients) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->body.ends_with(items_as_text(3)));
  }
}

TEST_F(LongAnswers, keep_their_place_among_those_of_their_connection) {
  gateway_.channel().complete_held();
  ASSERT_TRUE(client_.send(items_request(kMany, true) + get("/v2/health/live") +
                           items_request(1, false) + items_request(1, true)));
  const auto first = client_.receive();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->body.ends_with(items_as_text(kMany)));
  const auto second = client_.receive();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, R"({"live":true})");
  const auto third = client_.receive();
  ASSERT_TRUE(third);
  EXPECT_EQ(third->header("Content-Type"), "application/octet-stream");
  const auto fourth = client_.receive();
  ASSERT_TRUE(fourth);
  EXPECT_TRUE(fourth->body.ends_with(items_as_text(1)));
}

TEST_F(LongAnswers, are_run_again_when_their_model_dies_while_they_are_written) {
  ASSERT_TRUE(client_.send(items_request(kMany, true)));
  ASSERT_TRUE(started(1));
  const auto each = complete([&] { gateway_.channel().fail_now(); });
  ASSERT_TRUE(comes_true([&] { return gateway_.model().queued() == 1; }));
  gateway_.attach()->complete_held();
  const auto answer = client_.receive();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->body.ends_with(items_as_text(kMany)));
  gateway_.run([&] { EXPECT_EQ(gateway_.model().statistics().replays, 1u); });
}

TEST_F(LongAnswers, become_an_error_when_their_model_is_given_up_while_they_are_written) {
  ASSERT_TRUE(client_.send(items_request(kMany, true)));
  ASSERT_TRUE(started(1));
  const auto each = complete([&] { gateway_.model().give_up("it was removed"); });
  const auto answer = client_.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_TRUE(answer->body.contains("it was removed")) << answer->body;
}

TEST_F(LongAnswers, may_be_late_while_they_are_written_and_then_make_room) {
  ASSERT_TRUE(client_.send(items_request(kMany, true)));
  ASSERT_TRUE(started(1));
  const auto each = complete(
      [&] { (void)gateway_.model().expire(gateway_.loop().now() + std::chrono::hours(1)); });
  const auto answer = client_.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 504);
  EXPECT_TRUE(comes_true([&] { return gateway_.model().in_flight() == 0; }));
  const auto next = client_.exchange(items_request(2, true));
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->body.ends_with(items_as_text(2)));
}

TEST_F(LongAnswers, are_not_finished_for_a_client_that_has_gone) {
  Budget budget(16 << 20);
  size_t json_size = 0;
  const std::string text = items_body(kMany, true, json_size);
  const std::string length = std::to_string(json_size);
  gateway_.run([&] {
    Body body(budget, text.size());
    ASSERT_TRUE(body.append(bytes_of(std::string_view(text))));
    gateway_.serving().serve({1000, 1}, {.method = Method::kPost,
                                         .target = "/v2/models/double/infer",
                                         .inference_header_length = length,
                                         .body = std::move(body)});
  });
  ASSERT_TRUE(started(1));
  const auto each = complete([&] { gateway_.serving().cancelled({1000, 1}); });
  EXPECT_TRUE(comes_true([&] { return gateway_.model().in_flight() == 0; }));
  gateway_.run([&] {
    EXPECT_EQ(gateway_.model().statistics().cancelled, 1u);
    EXPECT_EQ(written(kMany), 0u);
    EXPECT_EQ(budget.used(), 0u);
  });
  // One that closes its socket is noticed as well, whenever that is.
  ASSERT_TRUE(client_.send(items_request(kMany, true)));
  client_.vanish();
  TlsClient other(gateway_.port());
  const auto answer = other.exchange(items_request(2, true));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->body.ends_with(items_as_text(2)));
}

}  // namespace
}  // namespace casemate::gateway
