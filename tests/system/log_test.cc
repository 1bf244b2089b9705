// SPDX-License-Identifier: Apache-2.0
// What `casemate serve --log json` writes: one object a line, and a `restart` of everything that
// was started anew.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using nlohmann::json;

// Every line, each of which is an object with what every line has.
std::vector<json> events_of(const std::string& text) {
  std::vector<json> events;
  std::istringstream lines(text.substr(0, text.rfind('\n') + 1));
  std::string line;
  while (std::getline(lines, line)) {
    events.push_back(json::parse(line, nullptr, false));
    EXPECT_TRUE(events.back().is_object()) << line;
    if (!events.back().is_object()) continue;
    for (const char* field : {"time", "level", "process", "event"})
      EXPECT_TRUE(events.back().contains(field)) << field << " is missing in " << line;
  }
  return events;
}

// The first event of that name, once it is there.
json event(const ServedSystem& system, const std::string& name) {
  for (int i = 0; i < 1000; ++i) {
    for (const json& each : events_of(system.printed())) {
      if (each.is_object() && each["event"] == name) return each;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return {};
}

TEST(Log, as_json_has_one_object_a_line_and_the_reason_of_a_restart) {
  const ServedSystem system(source_folder() + "/models", "", {"--log", "json"});
  ASSERT_FALSE(system.url().empty()) << system.printed();
  const auto pid = (*system.status())->partitions[1].pid;
  ASSERT_TRUE(hurt(pid, SIGKILL));
  const json restart = event(system, "restart");
  ASSERT_TRUE(restart.is_object()) << system.printed();
  EXPECT_EQ(restart["partition"], "digits");
  EXPECT_EQ(restart["process"], "monitor");
  EXPECT_EQ(restart["epoch"], 2);
  EXPECT_GT(restart["after_ms"], 0.0);
  EXPECT_EQ(restart["reason"],
            "its runtime died: SIGKILL, not by monitor or operator: see the kernel's log");
  EXPECT_EQ(event(system, "failure")["partition"], "digits");
  EXPECT_EQ(event(system, "serving")["url"], system.url());
}

TEST(Log, of_a_server_that_does_not_start_says_why_in_the_same_form) {
  const ServedSystem system("/nowhere", "", {"--log", "json"});
  EXPECT_TRUE(system.url().empty());
  const auto events = events_of(system.printed());
  ASSERT_EQ(events.size(), 1u) << system.printed();
  EXPECT_EQ(events[0]["event"], "failed");
  EXPECT_EQ(events[0]["level"], "error");
  EXPECT_TRUE(events[0]["message"].get<std::string>().contains("/nowhere"));
}

}  // namespace
}  // namespace casemate::tests
