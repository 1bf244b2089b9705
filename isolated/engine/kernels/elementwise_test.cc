// SPDX-License-Identifier: Apache-2.0
// Activations, operators of two values, normalization, softmax: one definition each.
#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"
#include "isolated/engine/kernels/reference.h"

namespace casemate::engine {
namespace {

struct Definition {
  const char* op;
  double (*function)(double);
  Attributes attributes = {};
  bool positive = false;  // only for inputs above zero
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

const std::vector<Definition>& definitions() {
  static const std::vector<Definition> all = {
      {"Abs", [](double x) { return std::fabs(x); }},
      {"Clip",
       [](double x) { return std::min(std::max(x, -0.25), 0.5); },
       {{"min", -0.25F}, {"max", 0.5F}}},
      {"Elu", [](double x) { return x < 0 ? 0.7 * std::expm1(x) : x; }, {{"alpha", 0.7F}}},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Gelu", [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }},
      {"Gelu",
       [](double x) {
         return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
       },
       {{"approximate", "tanh"}}},
      {"HardSigmoid", [](double x) { return std::min(1.0, std::max(0.0, 0.2 * x + 0.5)); }},
      {"HardSwish", [](double x) { return x * std::min(1.0, std::max(0.0, x / 6 + 0.5)); }},
      {"LeakyRelu", [](double x) { return x < 0 ? 0.1 * x : x; }, {{"alpha", 0.1F}}},
      {"Mish", [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {"Neg", [](double x) { return -x; }},
      {"Reciprocal", [](double x) { return 1 / x; }, {}, true},
      {"Relu", [](double x) { return std::max(x, 0.0); }},
      {"Sigmoid", sigmoid},
      {"Sqrt", [](double x) { return std::sqrt(x); }, {}, true},
      {"Tanh", [](double x) { return std::tanh(x); }},
  };
  return all;
}

TEST(Activation, agrees_with_its_definition_in_every_layout_and_fused) {
  const Shape shape{2, 5, 3, 7};
  for (const Definition& definition : definitions()) {
    Tensor x = noise(shape, 1);
    for (float& value : x.values<float>())
      value = definition.positive ? std::fabs(value) + 0.1F : 4 * value;
    std::vector<double> expected;
    for (const float value : x.values<float>()) expected.push_back(definition.function(value));
    for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast, Layout::kBlocked16}) {
      SCOPED_TRACE(definition.op);
      const NodeCase made{.node = {.op = definition.op, .attributes = definition.attributes},
                          .inputs = {{x}},
                          .output = shape,
                          .given = layout};
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_TRUE(near(result->output, expected));
    }
  }
}

TEST(Binary, broadcasts_as_numpy_does) {
  const struct {
    Shape a, b, output;
  } cases[] = {
      {{2, 5, 3, 4}, {2, 5, 3, 4}, {2, 5, 3, 4}},
      {{2, 5, 3, 4}, {5, 1, 1}, {2, 5, 3, 4}},
      {{5, 1, 1}, {2, 5, 3, 4}, {2, 5, 3, 4}},
      {{2, 5, 3, 4}, {}, {2, 5, 3, 4}},
      {{2, 5, 3, 4}, {4}, {2, 5, 3, 4}},
      {{2, 1, 3, 1}, {1, 5, 1, 4}, {2, 5, 3, 4}},
      {{}, {}, {}},
      {{1, 10}, {3, 1}, {3, 10}},
      {{7}, {1}, {7}},
  };
  const std::pair<const char*, double (*)(double, double)> operators[] = {
      {"Add", [](double a, double b) { return a + b; }},
      {"Sub", [](double a, double b) { return a - b; }},
      {"Mul", [](double a, double b) { return a * b; }},
      {"Div", [](double a, double b) { return a / b; }},
      {"Min", [](double a, double b) { return std::min(a, b); }},
      {"Max", [](double a, double b) { return std::max(a, b); }},
      {"Pow", [](double a, double b) { return std::pow(a, b); }},
      {"PRelu", [](double a, double b) { return a < 0 ? a * b : a; }},
  };
  for (const auto& [op, function] : operators) {
    for (const auto& given : cases) {
      for (const int constant : {-1, 0, 1}) {
        for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast, Layout::kBlocked16}) {
          SCOPED_TRACE(std::string(op) + given.a.text() + given.b.text() +
                       std::to_string(constant));
          Tensor a = noise(given.a, 1);
          Tensor b = noise(given.b, 2);
          if (std::string_view(op) == "Pow")
            for (float& value : a.values<float>()) value = std::fabs(value);
          if (std::string_view(op) == "Div")
            for (float& value : b.values<float>()) value += value < 0 ? -1.0F : 1.0F;
          const NodeCase made{.node = {.op = op},
                              .inputs = {{a, constant == 0}, {b, constant == 1}},
                              .output = given.output,
                              .given = layout};
          const auto result = run_case(made);
          ASSERT_TRUE(result) << result.error().text;
          EXPECT_TRUE(near(result->output, reference_binary(a, b, given.output, function)));
        }
      }
    }
  }
}

TEST(Binary, a_sum_goes_on_with_an_activation) {
  const Tensor a = noise({1, 20, 3, 3}, 1);
  const Tensor b = noise({1, 20, 3, 3}, 2);
  const NodeCase made{.node = {.op = "Add", .post_ops = {{.op = "Relu"}}},
                      .inputs = {{a}, {b}},
                      .output = a.shape(),
                      .given = Layout::kChannelsLast};
  EXPECT_TRUE(near(
      run_case(made)->output,
      reference_binary(a, b, a.shape(), [](double x, double y) { return std::max(0.0, x + y); })));
}

TEST(Normalization, scales_and_shifts_each_channel) {
  for (const Shape& shape :
       {Shape{2, 7, 3, 5}, Shape{3, 7}, Shape{1, 7, 9}, Shape{1, 16, 2, 2, 2}}) {
    const Tensor x = noise(shape, 1);
    std::vector<CaseInput> inputs = {{x}};
    for (uint32_t i = 2; i < 6; ++i) inputs.push_back({noise({shape[1]}, i), true});
    for (float& variance : inputs[4].tensor.values<float>()) variance = std::fabs(variance) + 0.5F;
    const NodeCase made{.node = {.op = "BatchNormalization", .attributes = {{"epsilon", 1e-3F}}},
                        .inputs = inputs,
                        .output = shape};
    const auto result = run_case(made);
    ASSERT_TRUE(result) << result.error().text;
    std::vector<double> expected;
    for_each_index(dims_of(shape), [&](const std::vector<int64_t>& index) {
      const auto value = [&](size_t i) {
        return static_cast<double>(inputs[i].tensor.values<float>()[static_cast<size_t>(index[1])]);
      };
      expected.push_back(value(1) * (x.values<float>()[flat(shape, index)] - value(3)) /
                             std::sqrt(value(4) + 1e-3) +
                         value(2));
    });
    EXPECT_TRUE(near(result->output, expected));
  }
}

TEST(Softmax, sums_to_one_along_its_axis_even_for_large_numbers) {
  const Shape shape{3, 4, 5};
  Tensor x = noise(shape, 1);
  for (float& value : x.values<float>()) value *= 100;
  for (const int64_t axis : {0, 1, 2, -1}) {
    for (const char* op : {"Softmax", "LogSoftmax"}) {
      const NodeCase made{
          .node = {.op = op, .attributes = {{"axis", axis}}}, .inputs = {{x}}, .output = shape};
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      const auto along = static_cast<size_t>(axis < 0 ? axis + 3 : axis);
      std::vector<double> expected;
      for_each_index(dims_of(shape), [&](const std::vector<int64_t>& index) {
        const double own = x.values<float>()[flat(shape, index)];
        double sum = 0;
        for (int64_t i = 0; i < shape[along]; ++i) {
          std::vector<int64_t> other = index;
          other[along] = i;
          sum += std::exp(static_cast<double>(x.values<float>()[flat(shape, other)]) - own);
        }
        expected.push_back(std::string_view(op) == "Softmax" ? 1 / sum : -std::log(sum));
      });
      EXPECT_TRUE(near(result->output, expected)) << op << " along " << axis;
    }
  }
}

}  // namespace
}  // namespace casemate::engine
