// SPDX-License-Identifier: Apache-2.0
// Names that are as long as a file can make them, or hold what no terminal should see: what is said
// of them is short and legible and says the reason, when a model is loaded and when it runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "isolated/engine/graph/refusals.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/onnx/read.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

const std::vector<std::string>& odd_names() {
  static const std::vector<std::string> all = {std::string(64 << 10, 'n'), std::string("a\0b", 3),
                                               "\xff\xc3\x28", "\x1b[2J\r\n"};
  return all;
}

// Far below kErrorTextMax: it is names that are cut, not what is said of them.
void expect_tellable(const std::string& text, std::string_view words, std::string_view reason) {
  EXPECT_LE(text.size(), 3 * kNameTextMax + 200);
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; })) << words;
  EXPECT_NE(text.find(words), std::string::npos) << text;
  EXPECT_NE(text.find(reason), std::string::npos) << text;
}

TEST(HostileNames, of_nodes_and_values_are_told_short_and_printable) {
  for (const std::string& name : odd_names()) {
    const auto refusal = [&](const std::function<void(ModelBuilder&)>& spoil) {
      ModelBuilder b = small_network();
      spoil(b);
      const std::string bytes = b.bytes();
      const auto model = Model::load(bytes_of(std::string_view(bytes)), {});
      return model ? "no error" : model.error().text;
    };
    expect_tellable(refusal([&](ModelBuilder& b) {
                      b.graph().mutable_node(0)->set_name(name);
                      b.graph().mutable_node(0)->set_op_type(name);
                    }),
                    "node '", "has no such operator");
    expect_tellable(
        refusal([&](ModelBuilder& b) { b.graph().mutable_node(0)->set_input(0, name); }), "reads '",
        "which nothing before it makes");
    expect_tellable(refusal([&](ModelBuilder& b) { b.graph().mutable_output(0)->set_name(name); }),
                    "output '", "is made by no node");
    expect_tellable(refusal([&](ModelBuilder& b) {
                      b.graph().mutable_initializer(0)->set_name(name);
                      b.graph().mutable_initializer(0)->set_data_type(77);
                    }),
                    "initializer '", "its element type 77 is not supported");
  }
}

TEST(HostileNames, are_left_alone_where_they_are_merely_not_english) {
  ModelBuilder b = small_network();
  b.graph().mutable_node(0)->set_name("слой_畳み込み");
  b.graph().mutable_node(0)->set_op_type("Nonsense");
  const std::string bytes = b.bytes();
  const auto model = Model::load(bytes_of(std::string_view(bytes)), {});
  ASSERT_FALSE(model);
  EXPECT_TRUE(model.error().text.starts_with("node 'слой_畳み込み' (Nonsense): "))
      << model.error().text;
}

TEST(HostileNames, of_nodes_that_fail_on_data_are_told_short_and_printable) {
  for (const std::string& name : odd_names()) {
    ModelBuilder b;
    b.input("i", {-1}, onnx::TensorProto::INT64);
    b.output("y", {-1});
    b.floats("table", {3}, {1, 2, 3});
    b.node("Gather", {"table", "i"}, "y").set_name(name);
    const std::string bytes = b.bytes();
    const auto model = Model::load(bytes_of(std::string_view(bytes)), {});
    ASSERT_TRUE(model) << model.error().text;
    Executor executor = *Executor::make(*model);
    for (const int64_t count : {1, 3}) {  // one was compiled for, the other is seen when it runs
      const std::vector<int64_t> far(static_cast<size_t>(count), 1ll << 40);
      const Bytes data(static_cast<const uint8_t*>(static_cast<const void*>(far.data())),
                       far.size() * sizeof(int64_t));
      const TensorView view{ElementType::kInt64, {count}, data};
      HeldOutputs sink;
      const Status done = executor.run({&view, 1}, sink);
      ASSERT_FALSE(done);
      expect_tellable(done.error().text, "node '", "index");
    }
  }
}

TEST(HostileNames, of_many_refused_nodes_are_kept_short) {
  ModelBuilder b = small_network();
  for (int i = 0; i < 20; ++i) {
    const std::string name = std::string(64 << 10, 'n') + std::to_string(i);
    b.graph().add_node()->set_op_type("Nonsense");
    b.graph().mutable_node()->rbegin()->set_name(std::to_string(i) + name);
    b.graph().mutable_node()->rbegin()->add_output(name);
  }
  Refusals refusals;
  const std::string bytes = b.bytes();
  EXPECT_FALSE(read_onnx(bytes_of(std::string_view(bytes)), {.refusals = &refusals}));
  EXPECT_EQ(refusals.count(), 20u);
  for (const Error& error : refusals.list())
    expect_tellable(error.text, "node '", "has no such operator");
}

}  // namespace
}  // namespace casemate::engine
