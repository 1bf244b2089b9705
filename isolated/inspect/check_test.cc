// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/inspect/answer.h"
#include "isolated/inspect/model_file.h"

namespace casemate::inspect {
namespace {

using engine::ModelBuilder;
using nlohmann::json;

json check_json(const std::string& model, Options options = {}) {
  options.json = true;
  const auto answer = check(mapped(model), options);
  if (!answer) return {{"error", answer.error().text}};
  json found = json::parse(answer->text);
  if (answer->refusal) found["refusal"] = answer->refusal->text;
  return found;
}

std::string joined(const json& reasons) {
  std::string all;
  for (const json& reason : reasons) all += reason.get<std::string>() + "\n";
  return all;
}

ModelBuilder digits() {
  ModelBuilder b;
  b.input("x", {-1, 1, 8, 8});
  b.output("y", {-1, 4});
  b.noise("w", {4, 1, 8, 8});
  b.node("Conv", {"x", "w"}, "c");
  b.node("Flatten", {"c"}, "y");
  return b;
}

TEST(Check, of_a_model_that_is_served_says_what_is_in_it) {
  const json found = check_json(digits().bytes());
  EXPECT_EQ(found["served"], true) << found;
  EXPECT_EQ(found["operator_sets"], json({{"ai.onnx", 17}}));
  EXPECT_EQ(found["inputs"], json({{{"name", "x"}, {"type", "FP32"}, {"shape", {"N", 1, 8, 8}}}}));
  EXPECT_EQ(found["outputs"][0]["shape"], json({"N", 4}));
  EXPECT_EQ(found["nodes"], 2);
  EXPECT_EQ(found["operators"], json({{"Conv", 1}, {"Flatten", 1}}));
  EXPECT_EQ(found["weight_bytes"], 4 * 64 * 4);
  EXPECT_EQ(found["plans"], 4) << "as a server compiles it";
  EXPECT_GE(found["memory"]["weight_bytes"], 4 * 64 * 4);
  EXPECT_GT(found["batch_max"], 1000);
  EXPECT_EQ(found["refused"], 0);
  EXPECT_FALSE(found.contains("refusal"));
}

TEST(Check, as_text_has_a_row_for_each_of_these) {
  const auto answer = check(mapped(digits().bytes()), {});
  ASSERT_TRUE(answer) << answer.error().text;
  for (const char* part :
       {"can be served  yes\n", "operator sets  ai.onnx 17\n", "input          x FP32 [N,1,8,8]\n",
        "output         y FP32 [N,4]\n", "nodes          2: 1 Conv, 1 Flatten\n",
        "weights        1024 B\n", "plans          compiled for inputs [8,1,8,8], [4,1,8,8], [2,",
        "memory         ", "slow nodes     none\n"}) {
    EXPECT_TRUE(answer->text.contains(part)) << part << "is missing in\n" << answer->text;
  }
}

TEST(Check, names_every_operator_that_there_is_not_and_not_the_first_alone) {
  ModelBuilder b = digits();
  b.output("z", {-1, 4});
  b.node("Frobnicate", {"y"}, "f");
  b.node("Relu", {"f"}, "g");
  b.node("Defrobnicate", {"g"}, "z");
  b.node("Relu", {"nothing"}, "unread");
  const json found = check_json(b.bytes());
  EXPECT_EQ(found["served"], false);
  EXPECT_EQ(found["refused"], 3) << found;
  const std::string reasons = joined(found["reasons"]);
  EXPECT_TRUE(reasons.contains("node 'f' (Frobnicate): operator set 17")) << reasons;
  EXPECT_TRUE(reasons.contains("node 'z' (Defrobnicate): operator set 17")) << reasons;
  EXPECT_TRUE(reasons.contains("node 'unread' (Relu): reads 'nothing'")) << reasons;
  EXPECT_TRUE(found["refusal"].get<std::string>().contains("for 3 reasons")) << found["refusal"];
}

TEST(Check, looks_into_subgraphs_and_functions_too) {
  ModelBuilder b;
  b.input("c", {1}, onnx::TensorProto::BOOL);
  b.input("x", {2});
  b.output("y", {2});
  b.output("z", {2});
  onnx::NodeProto& branch = b.node("If", {"c"}, "y");
  for (const char* name : {"then_branch", "else_branch"}) {
    onnx::AttributeProto& attribute = *branch.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    onnx::NodeProto& inner = *attribute.mutable_g()->add_node();
    inner.set_op_type(std::string("Odd_") + name);
    inner.add_input("x");
    inner.add_output("r");
    attribute.mutable_g()->add_output()->set_name("r");
  }
  b.model.add_opset_import()->set_domain("mine");
  b.model.mutable_opset_import(1)->set_version(1);
  onnx::FunctionProto& function = *b.model.add_functions();
  function.set_domain("mine");
  function.set_name("Twice");
  function.add_input("a");
  function.add_output("b");
  function.add_opset_import()->set_version(17);
  onnx::NodeProto& body = *function.add_node();
  body.set_op_type("OddInside");
  body.add_input("a");
  body.add_output("b");
  b.node("Twice", {"x"}, "z").set_domain("mine");
  const std::string reasons = joined(check_json(b.bytes())["reasons"]);
  for (const char* name : {"(Odd_then_branch)", "(Odd_else_branch)", "(OddInside)"})
    EXPECT_TRUE(reasons.contains(name)) << name << " is missing in\n" << reasons;
}

TEST(Check, names_every_node_whose_shapes_do_not_fit) {
  ModelBuilder b;
  b.input("x", {2, 3});
  b.output("y", {2});
  b.output("z", {2});
  b.noise("w", {5, 4});
  b.noise("v", {7});
  b.node("MatMul", {"x", "w"}, "m");
  b.node("Relu", {"m"}, "y");
  b.node("Add", {"x", "v"}, "z");
  const json found = check_json(b.bytes());
  const std::string reasons = joined(found["reasons"]);
  EXPECT_EQ(found["refused"], 2) << reasons;
  EXPECT_TRUE(reasons.contains("node 'm' (MatMul): ")) << reasons;
  EXPECT_TRUE(reasons.contains("node 'z' (Add): ")) << reasons;
}

TEST(Check, lists_a_bounded_number_and_counts_the_others) {
  ModelBuilder b = digits();
  for (int i = 0; i < 1500; ++i) b.node("Odd", {"y"}, formatted("odd{}", i));
  const json found = check_json(b.bytes());
  EXPECT_EQ(found["refused"], 1500);
  EXPECT_EQ(found["reasons"].size(), 1000u);
}

TEST(Check, names_nodes_for_which_there_is_only_a_reference_kernel) {
  ModelBuilder b;
  b.input("x", {4, 4});
  b.output("y", {4, 4});
  b.node("Det", {"x"}, "d");
  b.node("Add", {"x", "d"}, "y");
  const json found = check_json(b.bytes());
  EXPECT_EQ(found["served"], true) << found;
  EXPECT_EQ(found["slow_nodes"], json({"d"}));
  EXPECT_EQ(found["plans"], 1) << "nothing varies";
}

TEST(Check, of_a_model_that_needs_more_memory_than_it_may_have_is_refused) {
  const json found = check_json(digits().bytes(), {.memory_bytes_max = 1000});
  EXPECT_EQ(found["served"], false);
  EXPECT_EQ(found["refused"], 1) << found;
}

TEST(Check, of_a_shape_that_was_named_looks_at_that_one) {
  ModelBuilder b;
  b.input("x", {-1, 3});
  b.graph()
      .mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(1)
      ->set_dim_param("rows");
  b.output("y", {-1, 4});
  b.noise("w", {6, 4});
  b.node("MatMul", {"x", "w"}, "y");
  EXPECT_EQ(check_json(b.bytes(), {.shapes = {{"rows", 6}}})["served"], true);
  const json wrong = check_json(b.bytes(), {.shapes = {{"rows", 5}}});
  EXPECT_EQ(wrong["served"], false);
  EXPECT_TRUE(joined(wrong["reasons"]).contains("(MatMul)")) << wrong;
  // Not named, it is served: what makes sense is seen when a shape comes.
  EXPECT_EQ(check_json(b.bytes())["served"], true);
  EXPECT_EQ(check_json(b.bytes())["plans"], 0);
  const json unknown = check_json(b.bytes(), {.shapes = {{"lines", 6}}});
  EXPECT_TRUE(unknown["error"].get<std::string>().contains("named 'lines'; there are N, rows"))
      << unknown;
}

TEST(Check, of_a_batch_compiles_for_that_one) {
  // And for one item, of which any other batch is made up.
  EXPECT_EQ(check_json(digits().bytes(), {.batch = 3})["plans"], 2);
  EXPECT_EQ(check_json(digits().bytes(), {.shapes = {{"N", 3}}})["plans"], 2);
  const json both = check_json(digits().bytes(), {.batch = 3, .shapes = {{"N", 4}}});
  EXPECT_TRUE(both["error"].get<std::string>().contains("leave one out")) << both;
  ModelBuilder b;
  b.input("x", {2});
  b.output("y", {2});
  b.node("Relu", {"x"}, "y");
  const json fixed = check_json(b.bytes(), {.batch = 3});
  EXPECT_TRUE(fixed["error"].get<std::string>().contains("batch cannot be chosen")) << fixed;
}

TEST(Check, of_a_file_cut_off_anywhere_is_refused_with_a_reason) {
  const std::string whole = digits().bytes();
  for (size_t length = 1; length < whole.size(); length += 7) {
    const json found = check_json(whole.substr(0, length));
    EXPECT_EQ(found["served"], false) << length;
    EXPECT_FALSE(found["reasons"].empty()) << length;
  }
}

}  // namespace
}  // namespace casemate::inspect
