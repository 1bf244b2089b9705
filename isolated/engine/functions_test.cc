// SPDX-License-Identifier: Apache-2.0
// Functions that a model brings along: what they mean, and what they can be made to cost.
#include <gtest/gtest.h>

#include "base/format.h"
#include "isolated/engine/shape_model.h"

namespace casemate::engine {
namespace {

// A model of x [2] to y that calls functions of the domain "f".
ModelBuilder calling(const std::string& function) {
  ModelBuilder b;
  auto& set = *b.model.add_opset_import();
  set.set_domain("f");
  set.set_version(1);
  b.input("x", {2});
  b.output("y", {2});
  b.node(function, {"x"}, "y").set_domain("f");
  return b;
}

// A function from "in" to "out", still without nodes.
onnx::FunctionProto& function(ModelBuilder& b, const std::string& name) {
  auto& made = *b.model.add_functions();
  made.set_name(name);
  made.set_domain("f");
  made.add_input("in");
  made.add_output("out");
  made.add_opset_import()->set_version(17);
  auto& set = *made.add_opset_import();
  set.set_domain("f");
  set.set_version(1);
  return made;
}

onnx::NodeProto& call(onnx::FunctionProto& body, const std::string& op, const std::string& input,
                      const std::string& output, bool of_model = true) {
  auto& node = *body.add_node();
  node.set_op_type(op);
  if (of_model) node.set_domain("f");
  node.add_input(input);
  node.add_output(output);
  return node;
}

Result<Graph> import(const ModelBuilder& b, uint64_t memory_bytes_max = 1ull << 30) {
  const std::string bytes = b.bytes();
  return shape_model(bytes_of(std::string_view(bytes)), 1, memory_bytes_max);
}

void expect_refused(const Result<Graph>& made, Code code, std::string_view words) {
  ASSERT_FALSE(made) << words;
  EXPECT_EQ(name_of(made.error().code), name_of(code)) << made.error().text;
  EXPECT_NE(made.error().text.find(words), std::string::npos) << made.error().text;
}

TEST(Functions, take_the_place_of_their_calls) {
  ModelBuilder b = calling("Twice");
  auto& twice = function(b, "Twice");
  call(twice, "Once", "in", "mid");
  call(twice, "Once", "mid", "out");
  call(function(b, "Once"), "Exp", "in", "out", false);
  const auto graph = import(b);
  ASSERT_TRUE(graph) << graph.error().text;
  ASSERT_EQ(graph->nodes().size(), 2u);
  EXPECT_EQ(graph->nodes()[0].name, "y/Once #0/Exp #0");
}

TEST(Functions, that_call_themselves_are_refused) {
  ModelBuilder itself = calling("Again");
  call(function(itself, "Again"), "Again", "in", "out");
  expect_refused(import(itself), Code::kInvalid,
                 "node 'y/Again #0' (Again): its function 'Again' calls itself");
  ModelBuilder each_other = calling("Ping");
  call(function(each_other, "Ping"), "Pong", "in", "out");
  call(function(each_other, "Pong"), "Ping", "in", "out");
  expect_refused(import(each_other), Code::kInvalid,
                 "node 'y/Pong #0/Ping #0' (Ping): its function 'Ping' calls itself");
}

TEST(Functions, that_are_nested_too_deep_are_refused) {
  ModelBuilder b = calling("f0");
  for (int i = 0; i < 60; ++i)
    call(function(b, formatted("f{}", i)), formatted("f{}", i + 1), "in", "out");
  call(function(b, "f60"), "Exp", "in", "out", false);
  expect_refused(import(b), Code::kInvalid, "subgraphs and functions are nested too deep");
}

TEST(Functions, that_grow_without_measure_are_refused) {
  ModelBuilder b = calling("f0");
  for (int i = 0; i < 40; ++i) {  // 2^40 nodes
    auto& made = function(b, formatted("f{}", i));
    call(made, formatted("f{}", i + 1), "in", "mid");
    call(made, formatted("f{}", i + 1), "mid", "out");
  }
  call(function(b, "f40"), "Exp", "in", "out", false);
  expect_refused(import(b), Code::kTooLarge, "the model has more than 65536 nodes");
}

// A model with 1000 calls of one function.
ModelBuilder calling_often() {
  ModelBuilder b = calling("Once");
  b.graph().clear_node();
  for (int i = 0; i < 1000; ++i)
    b.node("Once", {i == 0 ? "x" : formatted("v{}", i)}, i == 999 ? "y" : formatted("v{}", i + 1))
        .set_domain("f");
  return b;
}

TEST(Functions, are_paid_for_at_each_call) {
  ModelBuilder lists = calling_often();
  auto& padded = call(function(lists, "Once"), "Pad", "in", "out", false);
  set_ints(padded, "pads", Dims(20000));  // 160 KiB in memory, 20 KB in the file
  lists.model.mutable_functions(0)->mutable_opset_import(0)->set_version(10);
  expect_refused(import(lists, 16 << 20), Code::kTooLarge, "that the model may still use");

  ModelBuilder names = calling_often();
  call(function(names, "Once"), "Exp", "in", "out", false).set_name(std::string(1 << 18, 'n'));
  expect_refused(import(names, 16 << 20), Code::kTooLarge, "that the model may still use");

  ModelBuilder texts = calling_often();
  auto& constant = call(function(texts, "Once"), "Constant", "in", "c", false);
  constant.clear_input();
  auto& attribute = *constant.add_attribute();
  attribute.set_name("value_strings");
  attribute.set_type(onnx::AttributeProto::STRINGS);
  for (int i = 0; i < 100; ++i) attribute.add_strings(std::string(1000, 't'));
  call(*texts.model.mutable_functions(0), "Identity", "in", "out", false);
  expect_refused(import(texts, 16 << 20), Code::kTooLarge, "that the model may still use");
}

TEST(Functions, give_their_bodies_what_a_call_states_and_it_is_paid_for) {
  ModelBuilder b = calling("Once");
  auto& made = function(b, "Once");
  made.add_attribute("bound");
  auto& body = call(made, "LeakyRelu", "in", "out", false);
  auto& taken = *body.add_attribute();
  taken.set_name("alpha");
  taken.set_type(onnx::AttributeProto::FLOAT);
  taken.set_ref_attr_name("bound");
  set_float(*b.graph().mutable_node(0), "bound", 0.25F);
  const auto graph = import(b);
  ASSERT_TRUE(graph) << graph.error().text;
  EXPECT_EQ(graph->nodes()[0].attributes.real("alpha", 0), 0.25F);

  taken.set_name("mode");
  taken.set_type(onnx::AttributeProto::STRING);
  b.graph().mutable_node(0)->clear_attribute();
  set_text(*b.graph().mutable_node(0), "bound", std::string(1 << 20, 'x'));
  body.set_op_type("DepthToSpace");
  set_int(body, "blocksize", 1);
  for (int i = 0; i < 40; ++i) {
    const onnx::NodeProto again = body;
    *made.add_node() = again;
    made.mutable_node(made.node_size() - 1)->set_output(0, formatted("unused{}", i));
  }
  expect_refused(import(b, 16 << 20), Code::kTooLarge, "that the model may still use");
}

TEST(Functions, that_are_defined_twice_or_make_less_than_they_say_are_refused) {
  ModelBuilder twice = calling("Once");
  call(function(twice, "Once"), "Exp", "in", "out", false);
  call(function(twice, "Once"), "Exp", "in", "out", false);
  expect_refused(import(twice), Code::kInvalid, "the model defines its function 'Once' twice");
  ModelBuilder less = calling("Once");
  call(function(less, "Once"), "Exp", "in", "other", false);
  expect_refused(import(less), Code::kInvalid, "node 'y' (Once): its function does not make 'out'");
  ModelBuilder more = calling("Once");
  call(function(more, "Once"), "Exp", "in", "out", false);
  more.graph().mutable_node(0)->add_input("x");
  expect_refused(import(more), Code::kInvalid,
                 "node 'y' (Once): has 2 inputs and 1 outputs, its function takes 1 and 1");
  ModelBuilder outside = calling("Once");
  call(function(outside, "Once"), "Add", "in", "out", false).add_input("x");
  expect_refused(import(outside), Code::kInvalid, "node 'y/Add #0' (Add): reads 'x'");
}

}  // namespace
}  // namespace casemate::engine
