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
    pulse.started(event.raw());
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

}  // namespace
}  // namespace casemate::opencl
