// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Reals = std::vector<float>;

TEST(Variadic, any_number_of_operands_is_folded) {
  const Tensor a = Tensor::of<float>({3}, {3, 2, 1});
  const Tensor b = Tensor::of<float>({3}, {1, 4, 4});
  const Tensor c = Tensor::of<float>({3}, {2, 6, 1});
  EXPECT_EQ(values_of<float>(run_node({"Max", {}, {a, b, c}})), (Reals{3, 6, 4}));
  EXPECT_EQ(values_of<float>(run_node({"Min", {}, {a, b, c}})), (Reals{1, 2, 1}));
  EXPECT_EQ(values_of<float>(run_node({"Sum", {}, {a, b, c}})), (Reals{6, 12, 6}));
  EXPECT_EQ(values_of<float>(run_node({"Mean", {}, {a, b, c}})), (Reals{2, 4, 2}));
  for (const char* op : {"Max", "Min", "Sum", "Mean"})
    EXPECT_EQ(values_of<float>(run_node({op, {}, {a}})), (Reals{3, 2, 1})) << op;
}

TEST(Variadic, operands_are_broadcast_since_set_8) {
  const Tensor a = Tensor::of<int8_t>({2, 1}, {1, 5});
  const Tensor b = Tensor::of<int8_t>({}, {3});
  const Tensor c = Tensor::of<int8_t>({2}, {2, 4});
  EXPECT_EQ(values_of<int8_t>(run_node({"Max", {}, {a, b, c}})), (std::vector<int8_t>{3, 4, 5, 5}));
  const Tensor d = Tensor::of<float>({2}, {1, 5});
  const Tensor e = Tensor::of<float>({}, {3});
  EXPECT_EQ(error_of(run_node({"Sum", {}, {d, e}, 1, 6})),
            "its operands have the shapes [2] and [], which must be equal");
  EXPECT_EQ(values_of<float>(run_node({"Sum", {}, {d, d}, 1, 6})), (Reals{2, 10}));
}

TEST(Variadic, what_is_no_number_wins) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor a = Tensor::of<float>({2}, {nan, 1});
  const Tensor b = Tensor::of<float>({2}, {1, nan});
  for (const char* op : {"Max", "Min"}) {
    for (const float y : values_of<float>(run_node({op, {}, {a, b}}))) EXPECT_TRUE(std::isnan(y));
  }
}

TEST(Variadic, operands_are_there_and_of_one_type) {
  const Tensor a = Tensor::of<float>({1}, {1});
  const Tensor b = Tensor::of<double>({1}, {1});
  EXPECT_EQ(error_of(run_node({"Max", {}, {a, b}})),
            "its input 1 is a tensor of FP64, it takes one of FP32");
  EXPECT_EQ(error_of(run_node({"Max", {}, {}})), "it is not defined for tensors of NONE");
  EXPECT_EQ(error_of(run_node({"Max", {}, {a, Datum()}})), "its input 1 is left out");
  const Tensor whole = Tensor::of<int32_t>({1}, {1});
  EXPECT_EQ(error_of(run_node({"Mean", {}, {whole}})), "it is not defined for tensors of INT32");
}

}  // namespace
}  // namespace casemate::engine
