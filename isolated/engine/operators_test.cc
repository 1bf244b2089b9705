// SPDX-License-Identifier: Apache-2.0
// Corners of ONNX's operators, from file to numbers: each expectation is the operator's definition.
#include <gtest/gtest.h>

#include <cmath>

#include "isolated/engine/kernels/node_case.h"
#include "isolated/engine/kernels/reference.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

using Floats = std::vector<float>;

// The first output of the model for these inputs.
Result<RunOutput> answer(const ModelBuilder& builder, const std::vector<RunInput>& inputs) {
  const std::string bytes = builder.bytes();
  const Model model = TRY(Model::load(bytes_of(std::string_view(bytes)), {}));
  Executor executor = TRY(Executor::make(model));
  auto outputs = TRY(run(executor, inputs));
  return std::move(outputs.front());
}

void expect_answer(const ModelBuilder& builder, const std::vector<RunInput>& inputs,
                   const Shape& shape, const std::vector<double>& expected) {
  const auto got = answer(builder, inputs);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(got->shape, shape) << got->shape.text();
  EXPECT_TRUE(near(Tensor::of<float>(got->shape, std::span<const float>(got->values)), expected));
}

RunInput given(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {tensor.shape(), {values.begin(), values.end()}};
}

Dims dims_list(const Shape& shape) { return {shape.dims().begin(), shape.dims().end()}; }

// A window over one spatial dimension, as ONNX defines what auto_pad makes of it.
struct Automatic {
  int64_t kernel, stride, dilation;
  std::string mode;
  int64_t output, begin, end;
};

Automatic automatic(int64_t input, int64_t kernel, int64_t stride, int64_t dilation,
                    const std::string& mode) {
  const int64_t reach = (kernel - 1) * dilation + 1;
  if (mode == "VALID")
    return {kernel, stride, dilation, mode, (input - reach + stride) / stride, 0, 0};
  const int64_t output = (input + stride - 1) / stride;
  const int64_t total = std::max<int64_t>((output - 1) * stride + reach - input, 0);
  const int64_t less = total / 2;
  const bool upper = mode == "SAME_UPPER";
  return {kernel,
          stride,
          dilation,
          mode,
          output,
          upper ? less : total - less,
          upper ? total - less : less};
}

// Windows over rows of `height` and columns of 9 cells, with automatic padding.
void expect_automatic(const std::string& op, const Automatic& rows, const Automatic& columns,
                      int64_t height) {
  SCOPED_TRACE(op + " " + rows.mode + " stride " + std::to_string(rows.stride) + " dilation " +
               std::to_string(rows.dilation) + " kernel " + std::to_string(rows.kernel));
  const bool convolution = op == "Conv";
  const Tensor x = noise({2, 4, height, 9}, 1);
  const Tensor w = noise({6, 2, rows.kernel, columns.kernel}, 2);
  const Shape output{2, convolution ? 6 : 4, rows.output, columns.output};
  ModelBuilder b;
  b.input("x", {2, 4, height, 9});
  b.output("y", dims_list(output));
  if (convolution) b.floats("w", dims_list(w.shape()), given(w).values);
  auto& node = b.node(op, {"x"}, "y");
  if (convolution) {
    node.add_input("w");
    set_int(node, "group", 2);
  }
  set_text(node, "auto_pad", rows.mode);
  set_ints(node, "kernel_shape", {rows.kernel, columns.kernel});
  set_ints(node, "strides", {rows.stride, columns.stride});
  if (op != "AveragePool") set_ints(node, "dilations", {rows.dilation, columns.dilation});
  const Attributes explicit_window{
      {"kernel_shape", Dims{rows.kernel, columns.kernel}},
      {"strides", Dims{rows.stride, columns.stride}},
      {"dilations", Dims{rows.dilation, columns.dilation}},
      {"group", int64_t{2}},
      {"pads", Dims{rows.begin, columns.begin, rows.end, columns.end}}};
  const auto kind = op == "MaxPool" ? ReferencePool::kMax : ReferencePool::kMeanInside;
  expect_answer(b, {given(x)}, output,
                convolution ? reference_convolution(x, w, nullptr, explicit_window, output)
                            : reference_pool(x, kind, explicit_window, output));
}

TEST(Operators, pad_automatically_with_strides_and_dilations) {
  for (const char* mode : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t dilation : {1, 2}) {
        for (const int64_t kernel : {2, 3}) {
          for (const char* op : {"Conv", "MaxPool", "AveragePool"}) {
            if (dilation > 1 && op == std::string_view("AveragePool")) continue;
            expect_automatic(op, automatic(8, kernel, stride, dilation, mode),
                             automatic(9, 3, stride, dilation, mode), 8);
          }
        }
      }
    }
  }
}

// A pool along rows of `width` cells.
ModelBuilder row_pool(const std::string& op, int64_t width, const Dims& kernel_stride,
                      const Dims& pads, int64_t output, bool counts) {
  ModelBuilder b;
  b.input("x", {1, 1, 1, width});
  b.output("y", {1, 1, 1, output});
  auto& node = b.node(op, {"x"}, "y");
  set_ints(node, "kernel_shape", {1, kernel_stride[0]});
  set_ints(node, "strides", {1, kernel_stride[1]});
  set_ints(node, "pads", {0, pads[0], 0, pads[1]});
  set_int(node, "ceil_mode", 1);
  if (counts) set_int(node, "count_include_pad", 1);
  return b;
}

TEST(Operators, pools_round_up_but_start_no_window_in_the_padding) {
  const RunInput six{{1, 1, 1, 6}, {1, 2, 3, 4, 5, 6}};
  const RunInput five{{1, 1, 1, 5}, {1, 2, 3, 4, 5}};
  // Cells 1-3, 3-5, 5-6: the last window has two.
  expect_answer(row_pool("MaxPool", 6, {3, 2}, {0, 0}, 3, false), {six}, {1, 1, 1, 3}, {3, 5, 6});
  expect_answer(row_pool("AveragePool", 6, {3, 2}, {0, 0}, 3, false), {six}, {1, 1, 1, 3},
                {2, 4, 5.5});
  // p1, 23, 45.
  expect_answer(row_pool("MaxPool", 5, {2, 2}, {1, 0}, 3, false), {five}, {1, 1, 1, 3}, {1, 3, 5});
  expect_answer(row_pool("AveragePool", 5, {2, 2}, {1, 0}, 3, false), {five}, {1, 1, 1, 3},
                {1, 2.5, 4.5});
  // p1, 23, 45, and no fourth, which would begin in the padding.
  expect_answer(row_pool("MaxPool", 5, {2, 2}, {1, 1}, 3, false), {five}, {1, 1, 1, 3}, {1, 3, 5});
}

TEST(Operators, averages_count_the_padding_and_what_lies_beyond) {
  expect_answer(row_pool("AveragePool", 5, {2, 2}, {1, 0}, 3, true),
                {{{1, 1, 1, 5}, {1, 2, 3, 4, 5}}}, {1, 1, 1, 3}, {0.5, 2.5, 4.5});
  expect_answer(row_pool("AveragePool", 4, {3, 2}, {0, 1}, 2, true), {{{1, 1, 1, 4}, {1, 2, 3, 4}}},
                {1, 1, 1, 2}, {2, 7.0 / 3});
  // The last window has a cell beyond the padding, which counts too: so the published cases say.
  expect_answer(row_pool("AveragePool", 6, {3, 2}, {0, 0}, 3, true),
                {{{1, 1, 1, 6}, {1, 2, 3, 4, 5, 6}}}, {1, 1, 1, 3}, {2, 4, 11.0 / 3});
}

// A model with one node from x [2,2,3] to y.
ModelBuilder one_node(const std::string& op, const Dims& output, int64_t opset = 17) {
  ModelBuilder b(opset);
  b.input("x", {2, 2, 3});
  b.output("y", output);
  b.node(op, {"x"}, "y");
  return b;
}
const RunInput kTwelve{{2, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};

TEST(Operators, count_negative_axes_from_the_end) {
  ModelBuilder flat = one_node("Flatten", {4, 3});
  set_int(*flat.graph().mutable_node(0), "axis", -1);
  expect_answer(flat, {kTwelve}, {4, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});

  ModelBuilder join = one_node("Concat", {2, 4, 3});
  join.graph().mutable_node(0)->add_input("x");
  set_int(*join.graph().mutable_node(0), "axis", -2);
  expect_answer(join, {kTwelve}, {2, 4, 3},
                {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 6, 7, 8, 9, 10, 11});

  ModelBuilder mean = one_node("ReduceMean", {2, 3});
  set_ints(*mean.graph().mutable_node(0), "axes", {-2});
  set_int(*mean.graph().mutable_node(0), "keepdims", 0);
  expect_answer(mean, {kTwelve}, {2, 3}, {1.5, 2.5, 3.5, 7.5, 8.5, 9.5});

  ModelBuilder sum = one_node("ReduceSum", {2, 1, 1});
  sum.integers("axes", {2}, {-1, -2});
  sum.graph().mutable_node(0)->add_input("axes");
  expect_answer(sum, {kTwelve}, {2, 1, 1}, {15, 51});

  for (const char* op : {"ReduceMax", "ReduceMin"}) {
    ModelBuilder best = one_node(op, {1, 2, 3});
    set_ints(*best.graph().mutable_node(0), "axes", {-3});
    expect_answer(best, {kTwelve}, {1, 2, 3},
                  op == std::string_view("ReduceMax") ? std::vector<double>{6, 7, 8, 9, 10, 11}
                                                      : std::vector<double>{0, 1, 2, 3, 4, 5});
  }
}

// Shares of e^x among `count` numbers from x on, `step` apart.
std::vector<double> shares(int count, double step) {
  std::vector<double> list;
  double total = 0;
  for (int i = 0; i < count; ++i) total += std::exp(i * step);
  for (int i = 0; i < count; ++i) list.push_back(std::exp(i * step) / total);
  return list;
}

TEST(Operators, take_a_softmax_over_one_axis_since_set_13_and_over_all_behind_it_before) {
  const auto six = shares(6, 1);
  std::vector<double> old(six);
  old.insert(old.end(), six.begin(), six.end());
  for (const int64_t axis : {1, -2}) {
    ModelBuilder before = one_node("Softmax", {2, 2, 3}, 11);
    set_int(*before.graph().mutable_node(0), "axis", axis);
    expect_answer(before, {kTwelve}, {2, 2, 3}, old);

    const auto two = shares(2, 3);
    ModelBuilder since = one_node("Softmax", {2, 2, 3}, 13);
    set_int(*since.graph().mutable_node(0), "axis", axis);
    std::vector<double> expected;
    for (int i = 0; i < 12; ++i) expected.push_back(two[i / 3 % 2]);
    expect_answer(since, {kTwelve}, {2, 2, 3}, expected);
  }
  expect_answer(one_node("Softmax", {2, 2, 3}, 11), {kTwelve}, {2, 2, 3}, old);
  const auto three = shares(3, 1);
  std::vector<double> last;
  for (size_t i = 0; i < 12; ++i) last.push_back(three[i % 3]);
  expect_answer(one_node("Softmax", {2, 2, 3}, 13), {kTwelve}, {2, 2, 3}, last);
}

TEST(Operators, broadcast_both_sides_at_once) {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) {
    SCOPED_TRACE(op);
    ModelBuilder b;
    b.input("x", {2, 1, 3});
    b.input("z", {4, 1});
    b.output("y", {2, 4, 3});
    b.node(op, {"x", "z"}, "y");
    const Tensor x = noise({2, 1, 3}, 1);
    const Tensor z = noise({4, 1}, 2);
    const std::string_view name = op;
    expect_answer(b, {given(x), given(z)}, {2, 4, 3},
                  reference_binary(x, z, {2, 4, 3}, [&](double p, double q) {
                    if (name == "Add") return p + q;
                    if (name == "Sub") return p - q;
                    if (name == "Mul") return p * q;
                    if (name == "Div") return p / q;
                    return name == "Max" ? std::max(p, q) : std::min(p, q);
                  }));
  }
}

TEST(Operators, reshape_with_extents_that_are_kept_and_one_that_is_found) {
  const std::vector<double> same = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const struct {
    Dims target, output;
  } cases[] = {{{0, -1}, {2, 6}}, {{-1, 0}, {6, 2}}, {{0, 0, 3, 1}, {2, 2, 3, 1}}, {{-1}, {12}}};
  for (const auto& one : cases) {
    ModelBuilder b = one_node("Reshape", one.output);
    b.integers("target", {static_cast<int64_t>(one.target.size())}, one.target);
    b.graph().mutable_node(0)->add_input("target");
    expect_answer(b, {kTwelve}, Shape(one.output), same);
  }
}

TEST(Operators, refuse_what_is_empty_or_leave_it_out) {
  ModelBuilder join = one_node("Concat", {2, 2, 3});
  join.floats("none", {2, 0, 3}, {});
  join.graph().mutable_node(0)->add_input("none");
  set_int(*join.graph().mutable_node(0), "axis", 1);
  const auto joined = answer(join, {kTwelve});
  if (joined) {
    EXPECT_EQ(joined->values, kTwelve.values);
  } else {
    EXPECT_EQ(joined.error().code, Code::kUnsupported) << joined.error().text;
  }

  ModelBuilder cut = one_node("Slice", {2, 0, 3});
  cut.integers("one", {1}, {1});
  for (const char* name : {"one", "one", "one"}) cut.graph().mutable_node(0)->add_input(name);
  const auto nothing = answer(cut, {kTwelve});
  ASSERT_TRUE(nothing) << nothing.error().text;
  EXPECT_EQ(nothing->shape, (Shape{2, 0, 3}));

  ModelBuilder product(17);
  product.input("x", {2, 3});
  product.output("y", {2, 1});
  product.noise("w", {3, 1});
  product.floats("none", {0}, {});
  product.node("Gemm", {"x", "w", "none"}, "y");
  EXPECT_FALSE(answer(product, {{{2, 3}, Floats(6, 1)}}));
}

TEST(Operators, multiply_and_add_with_both_scalars_and_every_transposition) {
  const Tensor a = noise({4, 6}, 1);
  const Tensor w = noise({6, 5}, 2);
  const auto product = reference_matmul(a, w, {4, 5});
  const auto turned = [](const Tensor& matrix) {
    const auto columns = static_cast<size_t>(matrix.shape()[1]);
    const auto rows = static_cast<size_t>(matrix.shape()[0]);
    Tensor result = *Tensor::zeros(ElementType::kFloat32, {matrix.shape()[1], matrix.shape()[0]});
    for (size_t i = 0; i < rows * columns; ++i)
      result.values<float>()[i % columns * rows + i / columns] = matrix.values<float>()[i];
    return result;
  };
  for (const Shape& shape : {Shape{5}, Shape{1, 5}, Shape{4, 1}, Shape{4, 5}, Shape{1}, Shape{}}) {
    for (const int kind : {0, 1, 2, 3, 4, 5, 6, 7}) {
      SCOPED_TRACE(shape.text() + " kind " + std::to_string(kind));
      const bool left = (kind & 1) != 0;
      const bool right = (kind & 2) != 0;
      const bool constant = (kind & 4) != 0;  // w and c are
      const Tensor c = noise(shape, 3);
      const Tensor p = left ? turned(a) : a;
      const Tensor q = right ? turned(w) : w;
      ModelBuilder b;
      b.input("a", dims_list(p.shape()));
      std::vector<RunInput> inputs = {given(p)};
      for (const auto& [name, tensor] : {std::pair{"w", &q}, std::pair{"c", &c}}) {
        if (constant) {
          b.floats(name, dims_list(tensor->shape()), given(*tensor).values);
        } else {
          b.input(name, dims_list(tensor->shape()));
          inputs.push_back(given(*tensor));
        }
      }
      b.output("y", {4, 5});
      auto& node = b.node("Gemm", {"a", "w", "c"}, "y");
      set_float(node, "alpha", 0.5F);
      set_float(node, "beta", -2.0F);
      set_int(node, "transA", left ? 1 : 0);
      set_int(node, "transB", right ? 1 : 0);
      auto expected = reference_binary(c, *Tensor::zeros(ElementType::kFloat32, {4, 5}), {4, 5},
                                       [](double x, double) { return -2 * x; });
      for (size_t i = 0; i < expected.size(); ++i) expected[i] += 0.5 * product[i];
      expect_answer(b, inputs, {4, 5}, expected);
    }
  }
}

TEST(Operators, raise_to_a_power_of_any_type) {
  const RunInput x{{4}, {1, 2, 3, 4}};
  ModelBuilder squared;
  squared.input("x", {4});
  squared.output("y", {4});
  squared.integers("two", {}, {2});
  squared.node("Pow", {"x", "two"}, "y");
  expect_answer(squared, {x}, {4}, {1, 4, 9, 16});

  for (const int type :
       {onnx::TensorProto::INT8, onnx::TensorProto::UINT8, onnx::TensorProto::INT32,
        onnx::TensorProto::INT64, onnx::TensorProto::DOUBLE}) {
    SCOPED_TRACE(type);
    ModelBuilder b;
    b.input("x", {4});
    b.input("e", {4});
    b.output("y", {4});
    set_int(b.node("Cast", {"e"}, "i"), "to", type);
    b.node("Pow", {"x", "i"}, "y");
    expect_answer(b, {x, {{4}, {3, 2, 1, 0}}}, {4}, {1, 4, 3, 1});
  }
}

}  // namespace
}  // namespace casemate::engine
