// SPDX-License-Identifier: Apache-2.0
// What a debugged enclave writes is one printable line that says whose it is, and never another's.
#include "outside/cli/serve_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

namespace casemate::cli {
namespace {

using nlohmann::json;

// The log's lines when an enclave, and the monitor, have written these bytes.
std::vector<std::string> logged(bool as_json, std::string_view enclave, std::string_view monitor) {
  auto description = std::make_unique<SystemDescription>();
  description->partition_count = description->enclave_count = 1;
  description->partitions[0].name = Text<limits::kName>::from("vision");
  description->enclaves[0].name = Text<limits::kName>::from("digits");
  description->enclaves[0].flags = EnclaveDescription::kDebug;
  std::ostringstream out;
  std::ostringstream err;
  ServeLog log(as_json, {out, err});
  const auto outputs = log.open(*description);
  EXPECT_TRUE(outputs);
  EXPECT_EQ(outputs->monitor >= 0, as_json) << "text goes where it always went";
  const Fd theirs(::dup(outputs->enclaves));
  const Fd ours(::dup(outputs->monitor));
  log.listen();
  EXPECT_EQ(::write(theirs.number(), enclave.data(), enclave.size()),
            static_cast<ssize_t>(enclave.size()));
  if (as_json) {
    EXPECT_EQ(::write(ours.number(), monitor.data(), monitor.size()),
              static_cast<ssize_t>(monitor.size()));
  }
  log.close();
  EXPECT_EQ(out.str(), "");
  std::vector<std::string> lines;
  std::istringstream all(err.str());
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  return lines;
}

constexpr std::string_view kForged =
    "hello\nmonitor: partition vision: running again after 1.0 ms, epoch 9: nothing\n"
    "{\"time\":\"now\",\"level\":\"info\",\"process\":\"monitor\",\"event\":\"restart\"}\n"
    "\x1b[2J\x1b]0;owned\x07\r\xff\xfe\xc0\x80\n";

TEST(ServeLog, as_text_says_of_each_line_of_an_enclave_that_it_is_one) {
  const auto lines = logged(false, kForged, "");
  ASSERT_EQ(lines.size(), 4u);
  for (const std::string& line : lines) EXPECT_TRUE(line.starts_with("enclave: ")) << line;
  EXPECT_EQ(lines[3], "enclave: ?[2J?]0;owned??????");
}

TEST(ServeLog, as_json_has_an_enclave_s_lines_as_text_of_its_own_and_no_event_of_the_monitor_s) {
  const auto lines = logged(true, std::string(kForged) + std::string(30'000, 'x') + "\n", "");
  ASSERT_EQ(lines.size(), 5u);
  for (const std::string& line : lines) {
    const json event = json::parse(line, nullptr, false);
    ASSERT_TRUE(event.is_object()) << line;
    EXPECT_EQ(event["process"], "enclave");
    EXPECT_EQ(event["event"], "output");
    EXPECT_EQ(event["level"], "debug");
    EXPECT_LE(line.size(), 2500u);
  }
  EXPECT_EQ(json::parse(lines[0])["message"], "hello");
}

TEST(ServeLog, names_the_partition_of_an_enclave_that_the_monitor_speaks_of) {
  const auto lines = logged(true, "", "monitor: enclave digits: refused: node 'x': why\n");
  ASSERT_EQ(lines.size(), 1u);
  const json event = json::parse(lines[0]);
  EXPECT_EQ(event["event"], "refused");
  EXPECT_EQ(event["partition"], "vision");
  EXPECT_EQ(event["enclave"], "digits");
  EXPECT_EQ(event["reason"], "node 'x': why");
}

TEST(ServeLog, of_a_system_without_debugging_gives_enclaves_nothing_to_write_to) {
  const auto nobody = std::make_unique<SystemDescription>();
  std::ostringstream nowhere;
  ServeLog log(false, {nowhere, nowhere});
  EXPECT_EQ(log.open(*nobody)->enclaves, -1);
}

}  // namespace
}  // namespace casemate::cli
