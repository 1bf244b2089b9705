// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace casemate::inspect {
namespace {

Result<Options> parsed(std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  return parse(pointers);
}

TEST(Options, are_what_was_asked) {
  const auto options =
      parsed({"profile", "json=1", "by=kind", "batch=4", "threads=2", "rounds=3", "memory=1024",
              "external_data=1", "seconds=7", "shape=a=5", "shape=b=c=6"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->question, Question::kProfile);
  EXPECT_TRUE(options->json);
  EXPECT_EQ(options->order, Order::kKind);
  EXPECT_EQ(options->batch, 4);
  EXPECT_EQ(options->threads, 2);
  EXPECT_EQ(options->rounds, 3);
  EXPECT_EQ(options->memory_bytes_max, 1024u);
  EXPECT_EQ(options->seconds_max, 7u);
  EXPECT_EQ(options->folder(), "/proc/self/fd/4");
  EXPECT_EQ(options->shapes, (std::map<std::string, int64_t>{{"a", 5}, {"b=c", 6}}));
}

TEST(Options, name_devices_where_there_are_some_to_plan_over) {
  EXPECT_FALSE(parsed({"plan"})->devices);
  const auto none = parsed({"plan", "devices="});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->devices, "") << "said, and to be refused by who opens them";
  const auto some = parsed({"plan", "devices=cpu:0,npu:0", "prefer=npu:0"});
  ASSERT_TRUE(some);
  EXPECT_EQ(some->devices, "cpu:0,npu:0");
  EXPECT_EQ(some->prefer, "npu:0");
  EXPECT_EQ(parsed({"devices"})->question, Question::kDevices);
}

TEST(Options, say_where_the_streams_to_devices_of_other_programs_are) {
  const auto options = parsed({"devices", "remote=opencl:0=3:64:1:1", "remote=opencl:2=7:64:1:1"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->remotes, (std::map<std::string, std::string>{{"opencl:0", "3:64:1:1"},
                                                                  {"opencl:2", "7:64:1:1"}}));
}

TEST(Options, that_make_no_sense_are_refused) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"guess"},
                                             {"check", "json"},
                                             {"check", "json=2"},
                                             {"check", "batch=0"},
                                             {"check", "batch=2x"},
                                             {"check", "threads=1025"},
                                             {"check", "memory=-1"},
                                             {"check", "memory=99999999999999999999"},
                                             {"check", "shape=5"},
                                             {"check", "shape=a=0"},
                                             {"check", "by=chance"},
                                             {"check", "remote=opencl:0"},
                                             {"check", "colour=red"}})
    EXPECT_FALSE(parsed(words)) << (words.empty() ? "" : words.back());
}

}  // namespace
}  // namespace casemate::inspect
