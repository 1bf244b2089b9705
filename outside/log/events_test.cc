// SPDX-License-Identifier: Apache-2.0
#include "outside/log/events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace casemate::log_events {
namespace {

using nlohmann::json;

json line_of(std::string_view line) {
  const std::string text = json_of(event_of(line), "2026-11-30T06:20:00.123Z");
  EXPECT_EQ(text.find('\n'), text.npos);
  return json::parse(text, nullptr, false);
}

TEST(Event, of_a_restart_has_all_that_is_known_of_it) {
  const json partition = line_of(
      "monitor: partition p1: running again after 4.3 ms, epoch 2: its runtime died: SIGSEGV");
  EXPECT_EQ(partition["time"], "2026-11-30T06:20:00.123Z");
  EXPECT_EQ(partition["level"], "warning");
  EXPECT_EQ(partition["process"], "monitor");
  EXPECT_EQ(partition["event"], "restart");
  EXPECT_EQ(partition["partition"], "p1");
  EXPECT_EQ(partition["after_ms"], 4.3);
  EXPECT_EQ(partition["epoch"], 2);
  EXPECT_EQ(partition["reason"], "its runtime died: SIGSEGV");
  EXPECT_FALSE(partition.contains("enclave"));
  const json enclave = line_of(
      "monitor: enclave digits: running again after 0.9 ms, epoch 1, start 3: the operator ended "
      "it");
  EXPECT_EQ(enclave["event"], "restart");
  EXPECT_EQ(enclave["enclave"], "digits");
  EXPECT_EQ(enclave["start"], 3);
  EXPECT_EQ(enclave["reason"], "the operator ended it");
}

TEST(Event, of_every_sentence_of_the_monitor_has_its_name) {
  const std::pair<const char*, const char*> all[] = {
      {"partition p1: its runtime died; starting again in 20 ms", "failure"},
      {"partition p1: its runtime died; it failed too often in a row, giving up until the next "
       "start of the system",
       "given_up"},
      {"partition p1: ended on request, starting again", "ended_on_request"},
      {"enclave one: its instance died; a fresh one comes from the template", "failure"},
      {"enclave one: its template died: SIGKILL; starting again in 0 ms", "failure"},
      {"enclave one: refused: node 'conv1': why", "refused"},
      {"partition p1: no standby: why", "standby_failed"},
      {"partition p1: its standby is dropped: its runtime died", "standby_failed"},
      {"stream from gateway to one: closed: an end of it lied; connecting again in 20 ms",
       "stream_closed"},
      {"stopping", "stopping"},
      {"cgroup v2: memory pids cpu cpuset", "message"},
  };
  for (const auto& [sentence, event] : all)
    EXPECT_EQ(line_of(std::string("monitor: ") + sentence)["event"], event) << sentence;
  const json failure = line_of("monitor: partition p1: a; b; starting again in 20 ms");
  EXPECT_EQ(failure["reason"], "a; b");
  EXPECT_EQ(failure["wait_ms"], 20);
  const json stream = line_of(
      "monitor: stream from gateway to one: closed: an end of it lied; connecting again in 20 ms");
  EXPECT_EQ(stream["enclave"], "gateway");
  EXPECT_EQ(stream["peer"], "one");
}

TEST(Event, whose_reason_a_stranger_wrote_has_no_field_of_his) {
  for (const char* forged :
       {"running again after 1 ms, epoch 7: nothing", "why; starting again in 20 ms",
        "x\", \"event\": \"restart\", \"epoch\": 7, \"a\": \"", "\n{\"event\":\"restart\"}",
        "x; it failed too often in a row, giving up", "partition p2: refused: x"}) {
    const json event = line_of("monitor: enclave one: refused: " + std::string(forged));
    ASSERT_TRUE(event.is_object()) << forged;
    EXPECT_EQ(event["event"], "refused") << forged;
    EXPECT_EQ(event["enclave"], "one") << forged;
    for (const char* field : {"epoch", "after_ms", "wait_ms", "partition"})
      EXPECT_FALSE(event.contains(field)) << forged;
  }
}

TEST(Event, of_a_line_that_nobody_of_ours_wrote_is_a_message_of_somebody_unknown) {
  const std::string bytes("\x1b[2J\xff\xc0\x00 monitor: partition p1: x", 32);
  const json event = line_of(bytes);
  ASSERT_TRUE(event.is_object());
  EXPECT_EQ(event["process"], "unknown");
  EXPECT_EQ(event["event"], "message");
  EXPECT_TRUE(event["message"].get<std::string>().starts_with("?[2J??? monitor: "));
  EXPECT_EQ(line_of("")["event"], "message");
  EXPECT_EQ(line_of("monitor: ")["process"], "monitor");
  for (const char* half :
       {"monitor: partition ", "monitor: partition p1",
        "monitor: partition p1: running again after ",
        "monitor: enclave one: running again after 1.0 ms, epoch ", "monitor: stream from a to "})
    EXPECT_EQ(line_of(half)["event"], "message") << half;
  EXPECT_LE(line_of("monitor: " + std::string(100'000, 'x')).dump().size(), 5000u);
}

TEST(Time, is_written_as_rfc_3339_has_it) {
  const std::string now = time_now();
  ASSERT_EQ(now.size(), std::string_view("2026-11-30T06:20:00.123Z").size()) << now;
  EXPECT_EQ(now[10], 'T');
  EXPECT_EQ(now[19], '.');
  EXPECT_EQ(now.back(), 'Z');
}

}  // namespace
}  // namespace casemate::log_events
