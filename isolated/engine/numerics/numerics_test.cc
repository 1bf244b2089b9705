// SPDX-License-Identifier: Apache-2.0
// No kernel is further from its operator's meaning than its kind of sum allows.
#include <gtest/gtest.h>

#include "isolated/engine/numerics/measure.h"

namespace casemate::engine {
namespace {

// What an error may be, by the beginning of the name: of the root of the mean square of the result.
double bound_of(const std::string& name) {
  const std::pair<std::string_view, double> bounds[] = {
      {"Winograd's transforms, 2x2", 5e-6},
      {"Winograd's transforms, 4x4", 6e-5},
      {"Elu", 2e-5},  // oneDNN's is exp(x) - 1, whose rounding is large beside a small result
      {"Conv FP32 by Winograd, 2x2", 5e-6},
      {"Conv", 6e-5},  // Winograd's, at worst
      {"Gemm", 1e-5},
      {"MatMul", 1e-5},
      {"matrix product", 1e-5},
      {"product of few rows", 1e-5},
      {"casemate:Attention", 1e-5},
      {"attention", 1e-5},
      {"LayerNormalization", 5e-6},
      {"rows normalized", 5e-6},
  };
  for (const auto& [kind, bound] : bounds) {
    if (name.starts_with(kind)) return bound;
  }
  for (const char* exact :
       {"Abs", "Cast", "Concat", "Expand", "Neg", "Pad", "Relu", "Reshape", "Slice", "Transpose",
        "casemate:Copy", "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "Max", "Min"}) {
    if (name.starts_with(exact)) return 0;
  }
  return 4e-6;  // a function, or a few operations, for each element
}

void expect_bounded(const std::vector<Measured>& measured) {
  for (const Measured& one : measured) {
    EXPECT_GT(one.cases, 0) << one.name;
    EXPECT_LE(one.error, bound_of(one.name)) << one.name << ", " << one.how;
  }
}

TEST(Numerics, every_kernel_is_measured_and_close) {
  const auto measured = measure_kernels();
  ASSERT_TRUE(measured) << measured.error().text;
  expect_bounded(*measured);
}

TEST(Numerics, every_loop_is_close_with_every_instruction_set) { expect_bounded(measure_loops()); }

TEST(Numerics, a_kernel_that_is_wrong_is_found) {
  std::vector<NumericCase> cases = cases_of("Exp", ElementType::kFloat32);
  cases.front().meant.op = "Sqrt";
  std::vector<Measured> measured;
  ASSERT_TRUE(measure_cases("Exp", cases, measured));
  EXPECT_GT(measured.front().error, 0.1);
}

TEST(Numerics, an_operator_without_a_case_has_none) {
  EXPECT_TRUE(cases_of("casemate:New", ElementType::kFloat32).empty());
}

TEST(Numerics, errors_are_of_the_root_of_the_mean_square) {
  EXPECT_EQ(error_of({3, 4}, {3, 4}), 0);
  EXPECT_DOUBLE_EQ(error_of({3, 5}, {3, 4}), 1 / std::sqrt(12.5));
  EXPECT_EQ(error_of({0, 1}, {0, 0}), 1);
  EXPECT_TRUE(std::isinf(error_of({1}, {1, 2})));
  EXPECT_TRUE(std::isinf(error_of({NAN}, {1})));
  EXPECT_EQ(error_of({NAN, HUGE_VAL, 1}, {NAN, HUGE_VAL, 1}), 0);
}

}  // namespace
}  // namespace casemate::engine
