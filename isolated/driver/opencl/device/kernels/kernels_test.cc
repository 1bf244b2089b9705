// SPDX-License-Identifier: Apache-2.0
// Each family of kernels beside the operators' own functions, twice, with the same bits.
#include <algorithm>

#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/opencl/device/kernel_cache.h"

namespace casemate::driver {
namespace {

using engine::Attributes;
using engine::Draft;
using engine::Graph;
using engine::Ints;
using engine::ValueId;

void expect_same_or_near(const Graph& piece, const std::vector<ByteList>& got,
                         const std::vector<ByteList>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    SCOPED_TRACE(piece.value(piece.outputs()[i]).name);
    if (piece.value(piece.outputs()[i]).type == ElementType::kFloat32) {
      expect_near({got[i]}, {wanted[i]});
    } else {
      EXPECT_EQ(got[i], wanted[i]);
    }
  }
}

class OpenclKernels : public testing::Test {
 protected:
  void SetUp() override {
    if (opencl_device_count() == 0) GTEST_SKIP() << kNoOpencl;
    auto made = make_opencl({.memory_bytes = 256 << 20});
    ASSERT_TRUE(made) << made.error().text;
    device_ = *std::move(made);
    queue_ = *device_->make_queue();
  }
  void compare(const Graph& piece) {
    for (const engine::Node& node : piece.nodes()) {
      const Status taken = device_->takes(piece, node);
      ASSERT_TRUE(taken) << taken.error().text;
    }
    const auto inputs = inputs_for(piece);
    const auto program = device_->compile(piece);
    ASSERT_TRUE(program) << program.error().text;
    const auto got = run_on(*device_, *queue_, piece, *program, inputs);
    ASSERT_TRUE(got) << got.error().text;
    expect_same_or_near(piece, *got, reference(piece, inputs));
    const auto again = run_on(*device_, *queue_, piece, *program, inputs);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *got) << "the same bits each time";
    device_->drop(*program);
  }

  std::unique_ptr<Device> device_;
  std::unique_ptr<Queue> queue_;
};

ValueId typed(Draft& d, const std::string& op, const std::vector<ValueId>& inputs,
              const Shape& shape, ElementType type, Attributes attributes = {}) {
  return d.graph.add_node(
      {.op = op, .name = op, .inputs = inputs, .attributes = std::move(attributes)},
      {{op + std::to_string(d.graph.value_count()), type, {shape}}});
}

// Each is a program by itself, which PoCL takes a third of a second for.
TEST_F(OpenclKernels, activations_compute_what_their_functions_do) {
  Draft d;
  const Shape shape{3, 37};
  const ValueId x = d.input(shape);
  std::vector<ValueId> outputs;
  for (const char* op : {"Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Relu",
                         "Sigmoid", "Softplus", "Softsign", "Tanh"})
    outputs.push_back(d.same(op, x));
  outputs.push_back(d.node("Clip", {x}, shape, {{"min", -0.5F}, {"max", 0.75F}}));
  outputs.push_back(d.node("Gelu", {x}, shape, {{"approximate", std::string("tanh")}}));
  compare(d.finish(outputs));
}

TEST_F(OpenclKernels, functions_of_one_number_compute_what_theirs_do) {
  Draft d;
  const Shape shape{3, 37};
  const ValueId x = d.input(shape);
  const ValueId half = d.graph.add_constant("half", engine::Tensor::of<float>({}, {0.5F}));
  const ValueId positive = d.node("Add", {d.same("Abs", x), half}, shape);
  std::vector<ValueId> outputs;
  for (const char* op : {"Ceil", "Cos", "Erf", "Exp", "Floor", "Neg", "Round", "Sign", "Sin"})
    outputs.push_back(d.same(op, x));
  for (const char* op : {"Log", "Reciprocal", "Sqrt"}) outputs.push_back(d.same(op, positive));
  compare(d.finish(outputs));
}

TEST_F(OpenclKernels, two_operands_are_broadcast_as_their_functions_do) {
  Draft d;
  const Shape whole{2, 3, 5};
  const ValueId x = d.input(whole);
  const ValueId column = d.input({3, 1});
  const ValueId row = d.positive({5});
  std::vector<ValueId> outputs = {
      d.node("Add", {x, column}, whole),      d.node("Sub", {row, x}, whole),
      d.node("Mul", {x, d.input({})}, whole), d.node("Div", {x, row}, whole),
      d.node("Max", {x, column}, whole),      d.node("Min", {column, x}, whole),
      d.node("PRelu", {x, column}, whole),    d.node("Pow", {row, x}, whole),
      d.node("Add", {column, row}, {3, 5})};
  const ValueId less = typed(d, "Less", {x, row}, whole, ElementType::kBool);
  const ValueId equal = typed(d, "Equal", {x, column}, whole, ElementType::kBool);
  const ValueId either = typed(d, "Or", {less, equal}, whole, ElementType::kBool);
  outputs.insert(outputs.end(),
                 {less, equal, either, typed(d, "Not", {either}, whole, ElementType::kBool),
                  d.node("Where", {less, x, column}, whole)});
  compare(d.finish(outputs));
}

TEST_F(OpenclKernels, whole_numbers_are_computed_and_cast) {
  Draft d;
  const Shape shape{4, 5};
  const ValueId x = d.input(shape);
  const auto cast = [&](ValueId from, ElementType type) {
    return typed(d, "Cast", {from}, shape, type, {{"to", static_cast<int64_t>(type)}});
  };
  const ValueId wide = cast(x, ElementType::kInt64);
  const ValueId narrow = cast(x, ElementType::kInt32);
  compare(d.finish({wide, narrow, cast(x, ElementType::kBool), cast(wide, ElementType::kFloat32),
                    typed(d, "Add", {wide, wide}, shape, ElementType::kInt64),
                    typed(d, "Mul", {narrow, narrow}, shape, ElementType::kInt32),
                    typed(d, "Greater", {wide, wide}, shape, ElementType::kBool)}));
}

TEST_F(OpenclKernels, elements_move_to_where_their_functions_put_them) {
  Draft d;
  const ValueId x = d.input({2, 3, 4, 5});
  const ValueId fill = d.graph.add_constant("fill", engine::Tensor::of<float>({}, {7.5F}));
  const ValueId a = d.node("Transpose", {x}, {4, 2, 5, 3}, {{"perm", Ints{2, 0, 3, 1}}});
  const ValueId b = d.node("Slice", {x}, {2, 2, 2, 2},
                           {{"starts", Ints{0, 1, 3, 4}}, {"steps", Ints{1, 1, -2, -3}}});
  const ValueId c = d.node("Expand", {d.input({3, 1, 2})}, {4, 3, 6, 2});
  const ValueId p =
      d.node("Pad", {x, fill}, {2, 4, 4, 8}, {{"pads", Ints{0, 1, 0, 2, 0, 0, 0, 1}}});
  const ValueId joined =
      d.node("Concat", {x, d.input({2, 1, 4, 5}), x}, {2, 7, 4, 5}, {{"axis", int64_t{1}}});
  const ValueId flat = d.node("Reshape", {joined}, {7, 40});
  compare(d.finish({a, b, c, p, joined, flat, d.same("Relu", flat), x}));
}

TEST_F(OpenclKernels, rows_are_picked_by_checked_indices) {
  for (const ElementType type : {ElementType::kInt64, ElementType::kInt32}) {
    Draft d;
    const ValueId indices = d.graph.add_input({"indices", type, {Shape{2, 2}}});
    engine::Node node{.op = "Gather",
                      .name = "gather",
                      .inputs = {d.input({3, 4, 5}), indices},
                      .attributes = {{"axis", int64_t{1}}}};
    node.raw = true;
    const Graph piece = d.finish({d.graph.add_node(
        std::move(node), {{"rows", ElementType::kFloat32, {Shape{3, 2, 2, 5}}}})});
    const auto program = *device_->compile(piece);
    const auto run = [&](const std::vector<int64_t>& picks) {
      std::vector<ByteList> inputs = inputs_for(piece);
      const size_t width = size_of(type);
      inputs[0] = ByteList(4 * width);
      for (size_t i = 0; i < 4; ++i) std::memcpy(&inputs[0][i * width], &picks[i], width);
      const auto queue = *device_->make_queue();
      auto got = run_on(*device_, *queue, piece, program, inputs);
      const bool inside = std::ranges::all_of(picks, [](int64_t i) { return i >= -4 && i < 4; });
      if (got && inside) expect_same_or_near(piece, *got, reference(piece, inputs));
      return got ? Code::kOk : got.error().code;
    };
    EXPECT_EQ(run({0, 3, -1, -4}), Code::kOk);
    EXPECT_EQ(run({0, 0, 0, 4}), Code::kInvalid);
    EXPECT_EQ(run({-5, 0, 0, 0}), Code::kInvalid);
    EXPECT_EQ(run({0, INT32_MAX, 0, 0}), Code::kInvalid);
    EXPECT_EQ(run({0, INT32_MIN, 0, 0}), Code::kInvalid);
    EXPECT_EQ(device_->state().health, Health::kWell);
    EXPECT_EQ(run({3, 2, 1, 0}), Code::kOk) << "nothing sticks to the program";
  }
}

TEST_F(OpenclKernels, products_of_all_forms_are_those_of_their_functions) {
  Draft d;
  std::vector<ValueId> outputs;
  for (const int64_t rows : {2, 9}) {
    const ValueId x = d.input({rows, 11});
    const ValueId turned = d.input({11, rows});
    const auto gemm = [&](ValueId a, ValueId b, ValueId c, bool ta, bool tb) {
      outputs.push_back(d.node("Gemm", {a, b, c}, {rows, 13},
                               {{"transA", int64_t{ta}}, {"transB", int64_t{tb}}}));
    };
    gemm(x, d.weights({11, 13}), d.weights({13}), false, false);
    gemm(x, d.weights({13, 11}), d.input({rows, 1}), false, true);
    gemm(turned, d.weights({11, 13}), d.input({rows, 13}), true, false);
    gemm(turned, d.weights({13, 11}), d.weights({1, 13}), true, true);
  }
  outputs.push_back(d.node("MatMul", {d.input({2, 1, 6, 7}), d.input({3, 7, 5})}, {2, 3, 6, 5}));
  outputs.push_back(d.node("MatMul", {d.input({2, 3, 2, 7}), d.input({7, 5})}, {2, 3, 2, 5}));
  outputs.push_back(d.node("MatMul", {d.input({7}), d.input({2, 7, 5})}, {2, 5}));
  outputs.push_back(d.node("MatMul", {d.input({6, 7}), d.input({7})}, {6}));
  compare(d.finish(outputs));
}

ValueId convolve(Draft& d, ValueId x, const Shape& weights, const Shape& to, Ints strides,
                 Ints dilations, Ints pads, int64_t group = 1) {
  const Shape kernel(weights.dims().subspan(2));
  return d.node("Conv", {x, d.weights(weights), d.weights({weights[0]})}, to,
                {{"kernel_shape", Ints(kernel.dims().begin(), kernel.dims().end())},
                 {"strides", std::move(strides)},
                 {"dilations", std::move(dilations)},
                 {"pads", std::move(pads)},
                 {"group", group}});
}

TEST_F(OpenclKernels, convolutions_of_all_forms_are_those_of_their_functions) {
  Draft d;
  const ValueId x = d.input({2, 4, 9, 8});
  compare(d.finish({
      convolve(d, x, {6, 4, 3, 3}, {2, 6, 5, 4}, {2, 2}, {1, 1}, {1, 1, 1, 0}),
      convolve(d, x, {5, 4, 2, 3}, {2, 5, 8, 4}, {1, 1}, {2, 3}, {0, 1, 1, 1}),
      convolve(d, x, {7, 4, 1, 1}, {2, 7, 9, 8}, {1, 1}, {1, 1}, {0, 0, 0, 0}),
      convolve(d, x, {7, 4, 1, 1}, {2, 7, 5, 4}, {2, 2}, {1, 1}, {0, 0, 0, 0}),
      convolve(d, x, {4, 1, 3, 3}, {2, 4, 9, 8}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4),
      convolve(d, x, {8, 1, 3, 3}, {2, 8, 5, 4}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 4),
      convolve(d, x, {20, 2, 3, 3}, {2, 20, 9, 8}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2),
      convolve(d, d.input({1, 3, 12}), {5, 3, 4}, {1, 5, 5}, {2}, {1}, {0, 1}),
  }));
}

TEST_F(OpenclKernels, windows_and_channels_are_pooled_and_normalised) {
  Draft d;
  const ValueId x = d.input({2, 5, 7, 8});
  const auto pool = [&](const char* op, const Shape& to, Ints kernel, Ints strides, Ints pads,
                        int64_t counts) {
    return d.node(op, {x}, to,
                  {{"kernel_shape", std::move(kernel)},
                   {"strides", std::move(strides)},
                   {"pads", std::move(pads)},
                   {"dilations", Ints{1, 1}},
                   {"count_include_pad", counts}});
  };
  compare(d.finish({
      pool("MaxPool", {2, 5, 4, 4}, {3, 3}, {2, 2}, {1, 1, 1, 1}, 0),
      pool("AveragePool", {2, 5, 4, 4}, {3, 3}, {2, 2}, {1, 1, 1, 1}, 0),
      pool("AveragePool", {2, 5, 4, 4}, {3, 3}, {2, 2}, {1, 1, 1, 1}, 1),
      d.node("GlobalAveragePool", {x}, {2, 5, 1, 1}),
      d.node("GlobalMaxPool", {x}, {2, 5, 1, 1}),
      d.node("LRN", {x}, {2, 5, 7, 8}, {{"size", int64_t{3}}, {"alpha", 0.5F}, {"beta", 0.75F}}),
      d.normalization(x),
  }));
}

TEST_F(OpenclKernels, rows_are_reduced_and_normalised) {
  Draft d;
  const ValueId x = d.input({3, 5, 19});
  const Shape whole{3, 5, 19};
  std::vector<ValueId> outputs;
  for (const int64_t axis : {0, 1, 2}) {
    outputs.push_back(d.node("Softmax", {x}, whole, {{"axis", axis}}));
    outputs.push_back(d.node("LogSoftmax", {x}, whole, {{"axis", axis}}));
  }
  outputs.push_back(d.node("ReduceMean", {x}, {3, 5}, {{"axes", Ints{2}}}));
  outputs.push_back(d.node("ReduceMean", {x}, {3, 1, 19}, {{"axes", Ints{1}}}));
  outputs.push_back(d.node("ReduceSum", {x}, {3}, {{"axes", Ints{1, 2}}}));
  outputs.push_back(d.node("ReduceMax", {x}, {19}, {{"axes", Ints{0, 1}}}));
  outputs.push_back(d.node("ReduceMin", {x}, {3, 5, 1}, {{"axes", Ints{2}}}));
  outputs.push_back(d.node("LayerNormalization", {x, d.positive({19}), d.weights({19})}, whole,
                           {{"axis", int64_t{-1}}, {"epsilon", 1e-5F}}));
  compare(d.finish(outputs));
}

TEST_F(OpenclKernels, what_the_engine_rewrites_computes_the_same) {
  size_t compared = 0;
  for (const engine::PassGraph& each : engine::image_graphs()) {
    SCOPED_TRACE(each.what);
    const Graph piece = each.make();
    if (!std::ranges::all_of(piece.nodes(), [&](const engine::Node& node) {
          return device_->takes(piece, node).has_value();
        }))
      continue;
    compare(piece);
    ++compared;
  }
  EXPECT_EQ(compared, engine::image_graphs().size());
}

TEST_F(OpenclKernels, what_there_is_no_kernel_for_is_refused_with_a_reason) {
  const auto why = [&](const Graph& graph) {
    const Status taken = device_->takes(graph, graph.nodes().back());
    return taken ? std::string("taken") : taken.error().text;
  };
  Draft resize;
  EXPECT_TRUE(why(resize.finish({resize.same("Resize", resize.input({1, 1, 2, 2}))}))
                  .contains("no kernel for this operator"));
  Draft doubles;
  const ValueId x = doubles.graph.add_input({"x", ElementType::kFloat64, {Shape{4}}});
  EXPECT_TRUE(why(doubles.finish({typed(doubles, "Relu", {x}, {4}, ElementType::kFloat64)}))
                  .contains("FP32 alone"));
  Draft division;
  const ValueId n = division.graph.add_input({"n", ElementType::kInt64, {Shape{4}}});
  EXPECT_TRUE(why(division.finish({typed(division, "Div", {n, n}, {4}, ElementType::kInt64)}))
                  .contains("not done for INT64"));
  Draft apart;
  EXPECT_TRUE(why(apart.finish({apart.node("ReduceSum", {apart.input({2, 3, 4})}, {3},
                                           {{"axes", Ints{0, 2}}})}))
                  .contains("axes are not neighbours"));
  Draft outside;
  EXPECT_TRUE(why(outside.finish({outside.node("Slice", {outside.input({4})}, {4},
                                               {{"starts", Ints{1}}, {"steps", Ints{1}}})}))
                  .contains("would move what is not there"));
  Draft wrong;
  EXPECT_TRUE(
      why(wrong.finish({wrong.node("MatMul", {wrong.input({2, 3}), wrong.input({4, 2})}, {2, 2})}))
          .contains("do not fit"));
}

TEST_F(OpenclKernels, a_share_is_a_part_of_the_compute_units) {
  const auto run = [&](Device& device) {
    const Graph piece = doubling({40, 40});
    const auto inputs = inputs_for(piece);
    const auto got = run_on(device, piece, inputs);
    ASSERT_TRUE(got) << got.error().text;
    expect_near(*got, reference(piece, inputs));
  };
  EXPECT_EQ(device_->limits().share_percent, 100u);
  for (const OpenclOptions& none :
       {OpenclOptions{.share_percent = 0}, OpenclOptions{.share_percent = 101},
        OpenclOptions{.share_percent = 60, .share_begin_percent = 50}})
    EXPECT_EQ(make_opencl(none).error().code, Code::kInvalid);
  const auto first = make_opencl({.memory_bytes = 8 << 20, .share_percent = 50});
  if (!first && first.error().code == Code::kUnsupported) GTEST_SKIP() << first.error().text;
  ASSERT_TRUE(first) << first.error().text;
  const uint32_t given = (*first)->limits().share_percent;
  if (given == 100) GTEST_SKIP() << "NOT TESTED: the device has one compute unit";
  EXPECT_LE(given, 50u);
  EXPECT_GE(given, 1u);
  const auto second =
      make_opencl({.memory_bytes = 8 << 20, .share_percent = 50, .share_begin_percent = 50});
  ASSERT_TRUE(second) << second.error().text;
  run(**first);
  run(**second);
}

}  // namespace
}  // namespace casemate::driver
