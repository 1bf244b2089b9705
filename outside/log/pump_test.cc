// SPDX-License-Identifier: Apache-2.0
#include "outside/log/pump.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace casemate::log_events {
namespace {

// What a pump makes of these bytes.
std::vector<std::string> lines_of(std::string_view bytes) {
  std::vector<std::string> lines;
  auto pipe = Pipe::make();
  EXPECT_TRUE(pipe);
  {
    const Pump pump(std::move(pipe->reading),
                    [&](std::string_view line) { lines.emplace_back(line); });
    while (!bytes.empty()) {
      const ssize_t written = ::write(pipe->writing.number(), bytes.data(), bytes.size());
      if (written <= 0) break;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }
  return lines;
}

TEST(Pump, hands_on_every_line_and_what_has_no_end_when_it_is_told_to_stop) {
  EXPECT_EQ(lines_of("one\ntwo\n\nfour"), (std::vector<std::string>{"one", "two", "", "four"}));
  EXPECT_TRUE(lines_of("").empty());
}

TEST(Pump, cuts_a_line_without_end_and_goes_on_behind_it) {
  const auto lines = lines_of(std::string(1'000'000, 'x') + "\nnext\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].size(), Pump::kLineMax);
  EXPECT_TRUE(lines[0].ends_with("x ..."));
  EXPECT_EQ(lines[1], "next");
}

TEST(Pump, whose_writers_never_stop_ends_when_it_is_told_to) {
  auto pipe = Pipe::make();
  ASSERT_TRUE(pipe);
  std::atomic<bool> over = false;
  auto pump = std::make_unique<Pump>(std::move(pipe->reading), [](std::string_view) {});
  std::jthread writer([&] {
    const std::string bytes(4096, 'x');
    while (!over && ::write(pipe->writing.number(), bytes.data(), bytes.size()) > 0) {
    }
  });
  ::signal(SIGPIPE, SIG_IGN);
  pump.reset();
  over = true;
  SUCCEED();
}

}  // namespace
}  // namespace casemate::log_events
