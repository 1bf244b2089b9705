// SPDX-License-Identifier: Apache-2.0
// What files mean: older operator sets, implicit attributes, typed and raw data.
#include <gtest/gtest.h>

#include "isolated/engine/onnx/read.h"
#include "isolated/engine/shape_model.h"

namespace casemate::engine {
namespace {

// x [2,6] through the node to y, whose shape is inferred.
struct Single {
  explicit Single(const std::string& op, std::vector<std::string> inputs = {"x"},
                  int64_t opset = 17, const Dims& shape = {2, 6}, const Dims& result = {2, 6})
      : b(opset) {
    b.input("x", shape);
    b.output("y", result);
    b.node(op, inputs, "y");
  }
  onnx::NodeProto& node() { return *b.graph().mutable_node(0); }
  ModelBuilder b;
};

std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> list;
  for (const Node& node : graph.nodes()) list.push_back(node.op);
  return list;
}

TEST(Import, gives_every_value_its_shape_for_a_batch) {
  for (const int64_t size : {1, 3, 8}) {
    const Graph graph = shape_model(small_network(), size);
    for (const Node& node : graph.nodes())
      EXPECT_EQ(graph.value(node.output()).shapes.front()[0], size) << node.name;
  }
}

TEST(Import, reads_typed_and_raw_data_alike) {
  ModelBuilder b;
  b.input("x", {3});
  b.output("y", {3});
  b.node("Add", {"x", "raw"}, "a");
  b.node("Add", {"a", "typed"}, "y");
  b.floats("raw", {3}, {1, 2, 3});
  auto& typed = b.floats("typed", {3}, {});
  typed.clear_raw_data();
  for (const float value : {1.0F, 2.0F, 3.0F}) typed.add_float_data(value);
  const Graph graph = shape_model(b);
  const auto constant = [&](size_t node) { return graph.constant(graph.nodes()[node].inputs[1]); };
  EXPECT_TRUE(std::ranges::equal(constant(0)->bytes(), constant(1)->bytes()));
}

TEST(Import, takes_initializers_out_of_the_inputs_of_old_files) {
  Single given("Add", {"x", "c"});
  given.b.model.set_ir_version(3);
  given.b.noise("c", {6});
  given.b.input("c", {6});
  const Graph graph = shape_model(given.b);
  EXPECT_EQ(graph.inputs().size(), 1u);
  EXPECT_NE(graph.constant(graph.nodes()[0].inputs[1]), nullptr);
}

TEST(Import, keeps_the_metadata) {
  ModelBuilder b = Single("Relu").b;
  auto& entry = *b.model.add_metadata_props();
  entry.set_key("k");
  entry.set_value("v");
  const std::string bytes = b.bytes();
  const auto read = read_onnx(bytes_of(std::string_view(bytes)), {});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->metadata, (std::vector<std::pair<std::string, std::string>>{{"k", "v"}}));
}

TEST(Import, makes_automatic_padding_explicit) {
  const struct {
    const char* mode;
    Dims kernel, strides, pads;
    int64_t output;
  } cases[] = {
      {"SAME_UPPER", {3, 2}, {1, 1}, {1, 0, 1, 1}, 7},
      {"SAME_LOWER", {3, 2}, {1, 1}, {1, 1, 1, 0}, 7},
      {"SAME_UPPER", {3, 3}, {2, 2}, {1, 1, 1, 1}, 4},
      {"VALID", {3, 3}, {2, 2}, {0, 0, 0, 0}, 3},
      {"SAME_UPPER", {1, 1}, {3, 3}, {0, 0, 0, 0}, 3},
  };
  for (const auto& given : cases) {
    Single model("Conv", {"x", "w"}, 17, {1, 2, 7, 7}, {1, 3, given.output, given.output});
    model.b.noise("w", {3, 2, given.kernel[0], given.kernel[1]});
    set_text(model.node(), "auto_pad", given.mode);
    set_ints(model.node(), "strides", given.strides);
    const Graph graph = shape_model(model.b);
    EXPECT_EQ(graph.nodes()[0].attributes.integers("pads"), given.pads) << given.mode;
    EXPECT_EQ(graph.nodes()[0].attributes.integers("kernel_shape"), given.kernel);
    EXPECT_FALSE(graph.nodes()[0].attributes.has("auto_pad"));
  }
}

TEST(Import, makes_every_change_of_shape_a_reshape) {
  const auto expect_reshape = [](const Single& given) {
    EXPECT_EQ(operators(shape_model(given.b)), std::vector<std::string>{"Reshape"});
  };
  expect_reshape(Single("Flatten", {"x"}, 17, {2, 3, 2}, {2, 6}));
  Single squeeze("Squeeze", {"x", "axes"}, 17, {2, 1, 6});
  squeeze.b.integers("axes", {1}, {1});
  expect_reshape(squeeze);
  Single old_squeeze("Squeeze", {"x"}, 11, {2, 1, 6});
  set_ints(old_squeeze.node(), "axes", {1});
  expect_reshape(old_squeeze);
  Single unsqueeze("Unsqueeze", {"x"}, 11, {2, 6}, {1, 2, 6});
  set_ints(unsqueeze.node(), "axes", {0});
  expect_reshape(unsqueeze);
}

TEST(Import, flattens_around_an_old_softmax_and_not_around_a_new_one) {
  Single old("Softmax", {"x"}, 11, {2, 3, 4}, {2, 3, 4});
  EXPECT_EQ(operators(shape_model(old.b)),
            (std::vector<std::string>{"Reshape", "Softmax", "Reshape"}));
  Single last("Softmax", {"x"}, 11, {2, 3, 4}, {2, 3, 4});
  set_int(last.node(), "axis", 2);
  EXPECT_EQ(operators(shape_model(last.b)), std::vector<std::string>{"Softmax"});
  Single fresh("Softmax", {"x"}, 13, {2, 3, 4}, {2, 3, 4});
  const Graph graph = shape_model(fresh.b);
  EXPECT_EQ(graph.nodes()[0].attributes.integer("axis", 0), 2);
}

TEST(Import, reads_bounds_of_clip_from_attributes_and_inputs) {
  Single old("Clip", {"x"}, 7);
  set_float(old.node(), "max", 6);
  Single fresh("Clip", {"x", "", "max"});
  fresh.b.floats("max", {}, {6});
  for (const Single* given : {&old, &fresh}) {
    const Graph graph = shape_model(given->b);
    EXPECT_EQ(graph.nodes()[0].attributes.real("max", 0), 6);
    EXPECT_LT(graph.nodes()[0].attributes.real("min", 0), -1e38F);
  }
}

TEST(Import, puts_the_scalars_of_gemm_into_constants) {
  Single given("Gemm", {"x", "b", "c"}, 17, {2, 6}, {2, 3});
  given.b.floats("b", {6, 3}, std::vector<float>(18, 1));
  given.b.floats("c", {3}, {1, 1, 1});
  set_float(given.node(), "alpha", 0.5F);
  set_float(given.node(), "beta", 3);
  const Graph graph = shape_model(given.b);
  ASSERT_EQ(operators(graph), std::vector<std::string>{"Gemm"});
  const Node& gemm = graph.nodes()[0];
  EXPECT_EQ(graph.constant(gemm.inputs[1])->values<float>()[0], 0.5F);
  EXPECT_EQ(graph.constant(gemm.inputs[2])->values<float>()[0], 3.0F);
}

TEST(Import, turns_sums_of_many_into_sums_of_two) {
  Single sum("Sum", {"x", "x", "c"});
  sum.b.noise("c", {6});
  EXPECT_EQ(operators(shape_model(sum.b)), (std::vector<std::string>{"Add", "Add"}));
  Single mean("Mean", {"x", "x"});
  EXPECT_EQ(operators(shape_model(mean.b)), (std::vector<std::string>{"Add", "Mul"}));
  EXPECT_EQ(operators(shape_model(Single("Max", {"x"}).b)), std::vector<std::string>{"Identity"});
}

TEST(Import, makes_slices_explicit_for_every_dimension) {
  Single given("Slice", {"x", "starts", "ends", "axes", "steps"}, 17, {2, 6}, {2, 3});
  given.b.integers("starts", {1}, {-1});
  given.b.integers("ends", {1}, {INT64_MIN});
  given.b.integers("axes", {1}, {-1});
  given.b.integers("steps", {1}, {-2});
  const Graph graph = shape_model(given.b);
  EXPECT_EQ(graph.nodes()[0].attributes.integers("starts"), (Dims{0, 5}));
  EXPECT_EQ(graph.nodes()[0].attributes.integers("steps"), (Dims{1, -2}));
}

TEST(Import, knows_shapes_as_constants) {
  Single given("Shape", {"x"}, 17, {-1, 6}, {});
  given.b.graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::INT64);
  given.b.graph()
      .mutable_output(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->add_dim()
      ->set_dim_value(1);
  set_int(given.node(), "start", 1);
  const Graph graph = shape_model(given.b);
  const Tensor* shape = graph.constant(graph.outputs()[0]);
  ASSERT_NE(shape, nullptr);
  EXPECT_EQ(shape->values<int64_t>()[0], 6);
}

TEST(Import, drops_what_no_output_needs) {
  ModelBuilder b = Single("Relu").b;
  b.node("Neg", {"x"}, "unread");
  EXPECT_EQ(operators(shape_model(b)), std::vector<std::string>{"Relu"});
}

}  // namespace
}  // namespace casemate::engine
