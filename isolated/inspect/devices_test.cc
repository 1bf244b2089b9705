// SPDX-License-Identifier: Apache-2.0
// What is said of devices and of a model that is planned over some, without walls.
#include <nlohmann/json.hpp>

#include "isolated/inspect/answer.h"
#include "isolated/inspect/model_file.h"
#include "isolated/inspect/quantised_network.h"

namespace casemate::inspect {
namespace {

using nlohmann::json;

Options over(const std::string& devices, bool as_json = false, const std::string& prefer = {}) {
  return {.question = Question::kPlan,
          .json = as_json,
          .rounds = 1,
          .memory_bytes_max = 256 << 20,
          .devices = devices,
          .prefer = prefer};
}

std::string refusal_of(const std::string& devices, const std::string& prefer = {}) {
  const auto answer = plan(mapped(quantised_network().bytes()), over(devices, false, prefer));
  return answer ? "nothing" : answer.error().text;
}

TEST(DevicesAnswer, lists_each_device_with_its_limits_and_says_what_is_simulated) {
  const auto text = devices({});
  ASSERT_TRUE(text) << text.error().text;
  for (const char* part : {"DEVICE ", "\ncpu:0     the processor, ", "\nnpu:0 ", "(simulated)",
                           "67.1 MB", " takes UINT8 INT8; ", "  well\n"})
    EXPECT_TRUE(text->text.contains(part)) << part << " is missing in\n" << text->text;
  const auto as_json = devices({.json = true});
  ASSERT_TRUE(as_json) << as_json.error().text;
  const json found = json::parse(as_json->text, nullptr, false);
  ASSERT_EQ(found["devices"].size(), 3u) << as_json->text;
  for (const json& each : found["devices"]) {
    EXPECT_EQ(each["health"], "well");
    EXPECT_EQ(each["simulated"], each["name"] != "cpu:0");
    EXPECT_GT(each["memory_bytes"].get<uint64_t>(), 0u);
  }
}

TEST(PlanOverDevices, has_what_each_piece_takes_beside_the_whole_and_why_nodes_are_not_taken) {
  const auto answer =
      plan(mapped(quantised_network().bytes()), over("cpu:0,npu:0", false, "npu:0"));
  ASSERT_TRUE(answer) << answer.error().text;
  for (const char* part :
       {" nodes for inputs [1,4,10,10]; 1 thread", "  npu:0           1 ", "  1 ConvInteger\n",
        "  1 MatMulInteger\n", "\nthe whole on the processor alone\n", "the cut takes ",
        "; the results ", "cpu:0 takes every node\n", "npu:0 does not take ",
        "  it takes integer products alone ("})
    EXPECT_TRUE(answer->text.contains(part)) << part << " is missing in\n" << answer->text;
}

TEST(PlanOverDevices, for_programs_is_one_document_with_all_that_was_measured) {
  const auto answer = plan(mapped(quantised_network().bytes()), over("cpu:0,npu:0", true, "npu:0"));
  ASSERT_TRUE(answer) << answer.error().text;
  const json found = json::parse(answer->text, nullptr, false);
  ASSERT_TRUE(found.is_object()) << answer->text;
  const json& pieces = found["cut"]["pieces"];
  ASSERT_EQ(pieces.size(), 5u) << "the accelerator has every other piece";
  uint64_t nodes = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(pieces[i]["device"], i % 2 == 1 ? "npu:0" : "cpu:0");
    EXPECT_GT(pieces[i]["predicted_run_ns"].get<double>(), 0) << i;
    EXPECT_GT(pieces[i]["measured_run_ns"].get<double>(), 0) << i;
    EXPECT_GT(pieces[i]["bytes_in"].get<uint64_t>(), 0u) << i;
    nodes += pieces[i]["nodes"].size();
  }
  EXPECT_EQ(nodes, found["nodes"]);
  EXPECT_EQ(found["whole"]["pieces"].size(), 1u);
  EXPECT_LT(found["difference_max"].get<double>(), 1e-3);
  EXPECT_EQ(found["devices"][1]["name"], "npu:0");
  EXPECT_EQ(found["devices"][1]["costs"]["nodes"].size(), 2u);
  EXPECT_EQ(found["devices"][1]["refused"][0]["nodes"], nodes - 2);
}

TEST(PlanOverDevices, that_make_no_sense_are_refused_with_a_sentence) {
  EXPECT_TRUE(refusal_of("").starts_with("no device is named: write some, as in cpu:0"));
  EXPECT_TRUE(refusal_of("cpu:0,cpu:0").starts_with("the device cpu:0 is named twice"));
  EXPECT_TRUE(refusal_of("cpu").starts_with("'cpu' is no device's name"));
  EXPECT_TRUE(refusal_of("cpu:0,").starts_with("'' is no device's name"));
  EXPECT_TRUE(refusal_of("cpu:7").starts_with("there is no cpu:7"));
  EXPECT_TRUE(refusal_of("cuda:0").starts_with("this build has no driver for 'cuda'"));
  EXPECT_TRUE(refusal_of("cpu:0", "npu:0").starts_with("npu:0 is preferred and not among"));
  const std::string nobody = refusal_of("npu:0");
  EXPECT_TRUE(nobody.starts_with("no device takes node 'a.bytes'")) << nobody;
  EXPECT_TRUE(nobody.contains("npu:0: ") && nobody.contains("integer products alone")) << nobody;
}

}  // namespace
}  // namespace casemate::inspect
