// SPDX-License-Identifier: Apache-2.0
// Every request is answered exactly once, with its own data, in order, whatever channels do.

#include "isolated/gateway/serving/model.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/eventfd.h>

#include <map>
#include <set>

#include "isolated/gateway/loopback/fake_model.h"

namespace casemate::gateway {
namespace {

class StoppedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] int64_t unix_seconds() const override { return 1'800'000'000; }
  void pass(Duration duration) { now_ += duration; }

 private:
  Instant now_{std::chrono::hours(1)};
};

// What the channels of one test see: who started, in which order.
struct Journal {
  std::vector<float> starts;
  std::set<float> running;
};

// A channel that the test drives: it completes what it is told to, in any order.
class DrivenChannel final : public Channel {
 public:
  DrivenChannel(Journal& journal, uint32_t slots)
      : journal_(journal), slots_(slots), bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~DrivenChannel() override {
    for (const auto& [ticket, value] : calls_) journal_.running.erase(value);
  }

  [[nodiscard]] uint32_t slots() const override { return slots_; }
  Status start(uint64_t ticket, std::span<const TensorView> inputs) override {
    if (failed_) return Error{Code::kPartitionFailed, "dead"};
    if (calls_.size() + done_.size() >= slots_) return Error{Code::kUnavailable, "full"};
    const float value = load<float>(inputs[0].data);
    calls_[ticket] = value;
    journal_.starts.push_back(value);
    journal_.running.insert(value);
    return {};
  }
  void poll(std::vector<Completion>& completions) override {
    for (const uint64_t ticket : ready_) {
      const auto call = calls_.find(ticket);
      if (call == calls_.end() || failed_) continue;
      done_[ticket] = {call->second * 2, 0};
      journal_.running.erase(call->second);
      calls_.erase(call);
      Completion& completion = completions.emplace_back();
      completion.ticket = ticket;
      completion.outputs.push_back({ElementType::kFloat32, {1, 2}, bytes_of(done_[ticket])});
    }
    ready_.clear();
  }
  void release(uint64_t ticket) override { RC_ASSERT(done_.erase(ticket) == 1u); }
  [[nodiscard]] int bell() const override { return bell_.number(); }
  [[nodiscard]] bool failed() const override { return failed_; }

  void complete(size_t which) {
    if (calls_.empty()) return;
    ready_.push_back(std::next(calls_.begin(), static_cast<long>(which % calls_.size()))->first);
    ring();
  }
  void die() {
    failed_ = true;
    ring();
  }
  // Its memory is gone, and nobody has been told yet.
  void vanish() { failed_ = true; }
  [[nodiscard]] std::vector<float> running() const {
    std::vector<float> values;
    for (const auto& [ticket, value] : calls_) values.push_back(value);
    return values;
  }
  // Those that have completed and still have their outputs.
  [[nodiscard]] std::vector<float> completed() const {
    std::vector<float> values;
    for (const auto& [ticket, outputs] : done_) values.push_back(outputs[0] / 2);
    return values;
  }

 private:
  void ring() {
    const uint64_t one = 1;
    (void)!::write(bell_.number(), &one, sizeof one);
  }
  Journal& journal_;
  uint32_t slots_;
  Fd bell_;
  bool failed_ = false;
  std::map<uint64_t, float> calls_;
  std::map<uint64_t, std::array<float, 2>> done_;
  std::vector<uint64_t> ready_;
};

// One model with its loop, and a record of every answer.
struct World final : Answering {
  World() : loop(*Loop::make(clock)), model(*loop, *this, "m", 1) {}

  Answered answered(Model&, Inference& inference, const Result<Outcome>& outcome) override {
    const auto value = static_cast<float>(inference.call.connection);
    if (outcome && value == vanishes) {
      channels.front()->vanish();
      return Answered::kVanished;
    }
    RC_ASSERT(!cancelled.contains(value));
    if (outcome && later.try_emplace(value, later_each).first->second-- > 0)
      return Answered::kLater;
    RC_ASSERT(answers.emplace(value, outcome ? Code::kOk : outcome.error().code).second);
    waiting.erase(value);
    if (outcome) RC_ASSERT(load<float>(outcome->outputs[0].data) == value * 2);
    return Answered::kDone;
  }
  // The next request; its value is its name.
  bool submit() {
    const auto value = static_cast<float>(++count);
    auto inference = std::make_unique<Inference>();
    inference->call.connection = count;
    inference->arrived = clock.now();
    inference->deadline = clock.now() + std::chrono::seconds(30);
    const std::array<float, 2> input{value, 0};
    const Bytes bytes = bytes_of(input);
    inference->request.decoded.emplace_back(bytes.begin(), bytes.end());
    inference->request.inputs.push_back(
        {ElementType::kFloat32, {1, 2}, inference->request.decoded[0]});
    waiting.insert(value);
    if (model.submit(std::move(inference))) return true;
    waiting.erase(value);
    return false;
  }
  DrivenChannel* attach(uint32_t slots) {
    auto channel = std::make_unique<DrivenChannel>(journal, slots);
    DrivenChannel* driven = channel.get();
    channels.push_back(driven);
    RC_ASSERT(model.attach(std::move(channel), doubling_description(2, 8)).has_value());
    return driven;
  }
  void kill(size_t which) {
    if (channels.empty()) return;
    const size_t at = which % channels.size();
    for (const float value : channels[at]->running()) ++failures[value];
    for (const float value : channels[at]->completed()) ++failures[value];
    channels[at]->die();
    channels.erase(channels.begin() + static_cast<long>(at));
    turn();
  }
  void turn() { RC_ASSERT(loop->run_once(Duration(0)).has_value()); }

  StoppedClock clock;
  std::unique_ptr<Loop> loop;
  Journal journal;
  Model model;
  std::vector<DrivenChannel*> channels;
  uint32_t count = 0;
  float vanishes = 0;  // the outputs of this request do while they are read
  // How often the answer of a request is put off, and of each that was asked for, how often still.
  int later_each = 0;
  std::map<float, int> later;
  std::map<float, Code> answers;
  std::map<float, uint32_t> failures;
  std::set<float> waiting, cancelled;
};

// Nobody who waits was overtaken: whoever runs, everybody before him runs or is done.
void check_order(const World& world) {
  if (world.journal.starts.empty()) return;
  const float last = world.journal.starts.back();
  for (const float value : world.waiting) {
    if (value < last && !world.failures.contains(value))
      RC_ASSERT(world.journal.running.contains(value) || world.answers.contains(value) ||
                world.later.contains(value));
  }
}

void one_step(World& world) {
  const auto which = *rc::gen::inRange<size_t>(0, 64);
  switch (*rc::gen::weightedElement<int>({{8, 0}, {8, 1}, {2, 2}, {2, 3}, {1, 4}, {1, 5}})) {
    case 0:
      world.submit();
      break;
    case 1:
      world.later_each = static_cast<int>(which % 3);
      if (!world.channels.empty()) world.channels[which % world.channels.size()]->complete(which);
      break;
    case 2:
      world.kill(which);
      break;
    case 3:
      if (world.channels.size() < 3) world.attach(1 + static_cast<uint32_t>(which % 4));
      break;
    case 4:
      if (!world.waiting.empty()) {
        const float value =
            *std::next(world.waiting.begin(), static_cast<long>(which % world.waiting.size()));
        if (world.model.cancel({.connection = static_cast<uint32_t>(value), .turn = 0})) {
          world.waiting.erase(value);
          world.cancelled.insert(value);
        }
      }
      break;
    default:
      world.clock.pass(std::chrono::seconds(7));
      (void)world.model.expire(world.clock.now());
  }
  world.turn();
}

TEST(Model, answers_every_request_once_with_its_own_data_whatever_fails) {
  EXPECT_TRUE(rc::check([] {
    World world;
    const int steps = *rc::gen::inRange(0, 120);
    for (int i = 0; i < steps; ++i) {
      one_step(world);
      check_order(world);
    }
    // In the end a channel comes that works, and nobody may be left.
    while (!world.channels.empty()) world.kill(0);
    DrivenChannel* last = world.attach(64);
    for (int i = 0; i < 1000 && !world.waiting.empty(); ++i) {
      last->complete(0);
      world.turn();
    }
    RC_ASSERT(world.waiting.empty());
    for (const auto& [value, code] : world.answers) {
      if (code == Code::kPartitionFailed)
        RC_ASSERT(world.failures[value] == Model::kFailuresMax);
      else
        RC_ASSERT(world.failures[value] < Model::kFailuresMax || code != Code::kOk);
    }
  }));
}

TEST(Model, a_request_that_kills_its_partition_is_answered_and_its_neighbours_survive) {
  World world;
  world.attach(1);
  world.kill(0);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(world.submit());
  // Request 1 kills every channel that runs it.
  int restarts = 0;
  while (!world.waiting.empty() && restarts < 20) {
    DrivenChannel* channel = world.attach(64);
    for (bool killed = false; !killed && !world.waiting.empty();) {
      const auto running = channel->running();
      if (std::ranges::contains(running, 1.0f)) {
        world.kill(0);
        killed = true;
        ++restarts;
      } else {
        channel->complete(0);
        world.turn();
      }
    }
  }
  EXPECT_EQ(restarts, 3);
  EXPECT_EQ(world.answers[1], Code::kPartitionFailed);
  for (const float value : {2.0f, 3.0f, 4.0f}) EXPECT_EQ(world.answers[value], Code::kOk) << value;
}

TEST(Model, outputs_that_vanish_while_they_are_read_are_no_answer_and_the_request_runs_again) {
  World world;
  DrivenChannel* channel = world.attach(3);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(world.submit());
  for (int i = 0; i < 3; ++i) channel->complete(static_cast<size_t>(i));
  world.vanishes = 2;
  world.turn();
  EXPECT_EQ(world.answers.size(), 1u) << "the first was read before, the third cannot be any more";
  EXPECT_EQ(world.model.in_flight(), 0u);
  world.channels.clear();
  world.vanishes = 0;
  DrivenChannel* next = world.attach(64);
  EXPECT_EQ(world.journal.starts, (std::vector<float>{1, 2, 3, 2, 3, 4}));
  while (!world.waiting.empty()) {
    next->complete(0);
    world.turn();
  }
  EXPECT_EQ(world.answers, (std::map<float, Code>{
                               {1, Code::kOk}, {2, Code::kOk}, {3, Code::kOk}, {4, Code::kOk}}));
  EXPECT_EQ(world.model.statistics().execution_count, 4u);
}

// The first of `count` requests completes, and its answer is put off as long as the test likes.
DrivenChannel* put_off(World& world, uint32_t slots, int count) {
  DrivenChannel* channel = world.attach(slots);
  for (int i = 0; i < count; ++i) RC_ASSERT(world.submit());
  world.later[1] = 1'000'000;
  channel->complete(0);
  world.turn();
  RC_ASSERT(world.answers.empty());
  return channel;
}

TEST(Model, an_answer_that_is_put_off_keeps_its_outputs_and_its_slot) {
  World world;
  put_off(world, 1, 2);
  for (int i = 0; i < 3; ++i) world.turn();
  EXPECT_TRUE(world.answers.empty());
  EXPECT_EQ(world.model.in_flight(), 1u);
  EXPECT_EQ(world.journal.starts, (std::vector<float>{1}));
  world.later[1] = 0;
  world.turn();
  EXPECT_EQ(world.answers, (std::map<float, Code>{{1, Code::kOk}}));
  EXPECT_EQ(world.journal.starts, (std::vector<float>{1, 2}));
}

TEST(Model, others_are_answered_while_an_answer_is_put_off) {
  World world;
  DrivenChannel* channel = put_off(world, 3, 3);
  channel->complete(0);
  world.turn();
  EXPECT_EQ(world.answers, (std::map<float, Code>{{2, Code::kOk}}));
  world.later[1] = 0;
  channel->complete(0);
  world.turn();
  EXPECT_EQ(world.answers.size(), 3u);
  EXPECT_EQ(world.model.statistics().execution_count, 3u);
}

TEST(Model, an_answer_that_is_put_off_can_be_cancelled_and_time_out) {
  for (const bool cancelled : {true, false}) {
    World world;
    put_off(world, 1, 2);
    if (cancelled) {
      EXPECT_TRUE(world.model.cancel({.connection = 1, .turn = 0}));
    } else {
      world.clock.pass(std::chrono::minutes(1));
      (void)world.model.expire(world.clock.now());
      EXPECT_EQ(world.answers[1], Code::kTimedOut);
    }
    world.answers.clear();
    world.turn();
    EXPECT_TRUE(world.answers.empty());
    EXPECT_EQ(world.model.in_flight(), cancelled ? 1u : 0u) << "its slot is free";
    EXPECT_FALSE(world.model.cancel({.connection = 1, .turn = 0}));
  }
}

TEST(Model, an_answer_that_is_put_off_goes_with_its_channel_and_is_run_again) {
  World world;
  put_off(world, 2, 2);
  world.kill(0);
  EXPECT_EQ(world.model.in_flight(), 0u);
  EXPECT_EQ(world.model.queued(), 2u);
  world.later[1] = 0;
  DrivenChannel* next = world.attach(2);
  EXPECT_EQ(world.journal.starts, (std::vector<float>{1, 2, 1, 2}));
  for (const size_t which : {0, 1}) next->complete(which);
  world.turn();
  EXPECT_EQ(world.answers, (std::map<float, Code>{{1, Code::kOk}, {2, Code::kOk}}));
}

TEST(Model, when_it_is_given_up_an_answer_that_is_put_off_is_one_of_those_that_are_told) {
  World world;
  put_off(world, 1, 1);
  world.model.give_up("removed");
  EXPECT_EQ(world.answers, (std::map<float, Code>{{1, Code::kUnavailable}}));
  world.turn();
}

TEST(Model, replays_go_to_the_head_of_the_queue_in_their_order) {
  World world;
  world.attach(3);
  for (int i = 0; i < 5; ++i) world.submit();
  world.kill(0);
  world.attach(64);
  EXPECT_EQ(world.journal.starts, (std::vector<float>{1, 2, 3, 1, 2, 3, 4, 5}));
  EXPECT_EQ(world.model.statistics().replays, 3u);
  EXPECT_EQ(world.model.statistics().restarts, 1u);
}

TEST(Model, channels_take_turns) {
  World world;
  DrivenChannel* a = world.attach(8);
  DrivenChannel* b = world.attach(8);
  for (int i = 0; i < 8; ++i) world.submit();
  EXPECT_EQ(a->running().size(), 4u);
  EXPECT_EQ(b->running().size(), 4u);
}

TEST(Model, the_queue_is_bounded_and_says_so) {
  World world;
  EXPECT_FALSE(world.submit()) << "nobody knows yet what the model takes";
  world.attach(1);
  for (uint32_t i = 0; i < limits::kModelQueue + 1; ++i) EXPECT_TRUE(world.submit()) << i;
  EXPECT_FALSE(world.submit());
  EXPECT_EQ(world.model.admits().error().code, Code::kUnavailable);
  EXPECT_EQ(world.model.statistics().rejected, 2u);
}

TEST(Model, requests_wait_through_a_restart_but_not_for_ever) {
  World world;
  world.attach(1);
  world.kill(0);
  EXPECT_FALSE(world.model.available());
  EXPECT_EQ(world.model.reason(), "restarting");
  ASSERT_TRUE(world.submit());
  world.clock.pass(std::chrono::seconds(29));
  EXPECT_LT(world.model.expire(world.clock.now()), Instant::max());
  EXPECT_TRUE(world.answers.empty());
  world.clock.pass(std::chrono::seconds(2));
  EXPECT_EQ(world.model.expire(world.clock.now()), Instant::max());
  EXPECT_EQ(world.answers[1], Code::kTimedOut);
  EXPECT_EQ(world.model.statistics().rejected, 1u);
}

TEST(Model, a_late_completion_of_a_timed_out_request_is_dropped) {
  World world;
  DrivenChannel* channel = world.attach(1);
  world.submit();
  world.clock.pass(std::chrono::minutes(1));
  (void)world.model.expire(world.clock.now());
  EXPECT_EQ(world.answers[1], Code::kTimedOut);
  world.submit();
  EXPECT_EQ(channel->running().size(), 1u) << "its slot is still taken";
  channel->complete(0);
  world.turn();
  channel->complete(0);
  world.turn();
  EXPECT_EQ(world.answers[2], Code::kOk);
}

TEST(Model, when_it_is_given_up_everybody_is_told_why) {
  World world;
  world.attach(1);
  for (int i = 0; i < 3; ++i) world.submit();
  world.model.give_up("out of memory");
  EXPECT_EQ(world.answers.size(), 3u);
  for (const auto& [value, code] : world.answers) EXPECT_EQ(code, Code::kUnavailable);
  EXPECT_FALSE(world.submit());
  EXPECT_NE(world.model.admits().error().text.find("out of memory"), std::string::npos);
  world.channels.clear();
  world.attach(1);
  EXPECT_TRUE(world.submit());
}

TEST(Model, refuses_descriptions_that_are_unsound_or_changed) {
  World world;
  ModelDescription wrong = doubling_description(2, 8);
  wrong.input_count = 1000;
  EXPECT_FALSE(world.model.attach(std::make_unique<DrivenChannel>(world.journal, 1), wrong));
  world.attach(1);
  EXPECT_FALSE(world.model.attach(std::make_unique<DrivenChannel>(world.journal, 1),
                                  doubling_description(3, 8)));
}

TEST(Model, outputs_that_do_not_fit_the_description_are_the_models_failure) {
  World world;
  auto channel = std::make_unique<DrivenChannel>(world.journal, 1);
  DrivenChannel* driven = channel.get();
  ModelDescription description = doubling_description(2, 8);
  description.outputs[0].dims[1] = 3;
  ASSERT_TRUE(world.model.attach(std::move(channel), description));
  world.submit();
  driven->complete(0);
  world.turn();
  EXPECT_EQ(world.answers[1], Code::kPartitionFailed);
  EXPECT_EQ(world.model.statistics().backend_failed, 1u);
}

}  // namespace
}  // namespace casemate::gateway
