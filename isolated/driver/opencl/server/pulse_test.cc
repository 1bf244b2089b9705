// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/server/pulse.h"

#include <gtest/gtest.h>

#include "isolated/driver/opencl/server/serve.h"

namespace casemate::opencl {
namespace {

// A program's own events stand for commands: they end when the test says so.
struct Commands {
  Commands() {
    cl_device_id one = *device(0);
    context = clCreateContext(nullptr, 1, &one, nullptr, nullptr, nullptr);
  }
  ~Commands() { clReleaseContext(context); }
  Commands(const Commands&) = delete;
  [[nodiscard]] Held<cl_event, clReleaseEvent> start(Pulse& pulse) const {
    Held<cl_event, clReleaseEvent> event(clCreateUserEvent(context, nullptr));
    if (pulse.due() && clRetainEvent(event.raw()) == CL_SUCCESS)
      pulse.started(Pulse::Event(event.raw()));
    return event;
  }
  cl_context context;
};

TEST(Pulse, beats_once_for_commands_that_have_ended) {
  const Commands commands;
  Pulse pulse;
  EXPECT_FALSE(pulse.beats());
  const auto one = commands.start(pulse), two = commands.start(pulse);
  EXPECT_FALSE(pulse.beats());
  clSetUserEventStatus(two.raw(), CL_COMPLETE);
  EXPECT_TRUE(pulse.beats());
  EXPECT_FALSE(pulse.beats()) << "one is still on its way";
  clSetUserEventStatus(one.raw(), -1);
  EXPECT_TRUE(pulse.beats()) << "a command that fails has ended, too";
  EXPECT_FALSE(pulse.beats());
}

TEST(Pulse, of_more_commands_than_it_looks_at_is_that_of_some) {
  const Commands commands;
  Pulse pulse;
  std::vector<Held<cl_event, clReleaseEvent>> all;
  for (size_t i = 0; i < 8 * Pulse::kWatchedMax; ++i) all.push_back(commands.start(pulse));
  EXPECT_FALSE(pulse.beats());
  // Sixteen rounds: each ends a part of the commands, from the first on, as a device does.
  for (size_t round = 0; round < 16; ++round) {
    const size_t part = all.size() / 16;
    for (size_t i = round * part; i < (round + 1) * part; ++i)
      clSetUserEventStatus(all[i].raw(), CL_COMPLETE);
    EXPECT_TRUE(pulse.beats()) << round;
    EXPECT_FALSE(pulse.beats()) << round;
  }
}

TEST(Pulse, takes_no_events_of_commands_that_it_does_not_look_at) {
  const Commands commands;
  Pulse pulse;
  size_t due = 0;
  for (size_t i = 0; i < 8 * Pulse::kWatchedMax; ++i) {
    if (!pulse.due()) continue;
    ++due;
    pulse.started(Pulse::Event(clCreateUserEvent(commands.context, nullptr)));
  }
  EXPECT_GE(due, Pulse::kWatchedMax);
  EXPECT_LT(due, 4 * Pulse::kWatchedMax);
}

TEST(Pulse, is_that_of_each_of_a_few_commands_behind_many_that_have_ended_at_once) {
  const Commands commands;
  Pulse pulse;
  for (size_t i = 0; i < 8 * Pulse::kWatchedMax; ++i)
    clSetUserEventStatus(commands.start(pulse).raw(), CL_COMPLETE);
  std::vector<Pulse::Event> slow;
  for (int i = 0; i < 16; ++i) slow.push_back(commands.start(pulse));
  EXPECT_TRUE(pulse.beats());
  EXPECT_FALSE(pulse.beats());
  for (size_t i = 0; i < slow.size(); ++i) {
    clSetUserEventStatus(slow[i].raw(), CL_COMPLETE);
    EXPECT_TRUE(pulse.beats()) << i;
  }
}

TEST(Pulse, is_watched_by_a_session_whether_its_program_asks_for_events_or_not) {
  std::vector<uint8_t> memory(4096);
  Pulse pulse;
  Session session(*device(0), memory, memory, {}, &pulse);
  const auto say = [&](const auto& call) {
    const auto which = static_cast<uint32_t>(std::remove_cvref_t<decltype(call)>::kCall);
    EXPECT_EQ(session.handle(which, bytes_of(call)).outcome.status, CL_SUCCESS);
  };
  say(CreateContext{.id = 1});
  say(CreateQueue{.id = 2, .context = 1});
  say(Finish{.queue = 2});
  EXPECT_FALSE(pulse.beats());
  for (const uint32_t event : {0u, 7u}) {
    say(Mark{.command = {.queue = 2, .event = event}});
    say(Finish{.queue = 2});
    EXPECT_TRUE(pulse.beats()) << event;
    EXPECT_FALSE(pulse.beats()) << event;
  }
  Wait wait{.count = 1};
  wait.events[0] = 7;
  say(wait);
}

}  // namespace
}  // namespace casemate::opencl
