// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

const Tensor kData = Tensor::of<float>({4}, {1, 2, 3, 4});
const std::vector<float> kSame = {1, 2, 3, 4};

Tensor truth(bool value) { return Tensor::of<bool>({}, {value}); }
Tensor scalar(float value) { return Tensor::of<float>({}, {value}); }

TEST(Dropout, outside_of_training_it_keeps_all) {
  for (const int since : {7, 10, 12, 13, 22}) {
    const auto y = run_node({"Dropout", {{"ratio", 0.9F}}, {kData}, 2, since});
    EXPECT_EQ(values_of<float>(y), kSame) << since;
    if (since < 10) {
      EXPECT_EQ(values_of<float>(y, 1), (std::vector<float>{1, 1, 1, 1}));
    } else {
      EXPECT_EQ(values_of<bool>(y, 1), (std::vector<bool>{true, true, true, true}));
    }
  }
  EXPECT_EQ(values_of<float>(run_node({"Dropout", {}, {kData, scalar(0.5F), truth(false)}})),
            kSame);
  EXPECT_EQ(values_of<float>(run_node({"Dropout", {}, {kData, scalar(0), truth(true)}})), kSame);
  const Attributes tested = {{"is_test", int64_t{1}}, {"ratio", 0.5F}};
  EXPECT_EQ(values_of<float>(run_node({"Dropout", tested, {kData}, 1, 6})), kSame);
}

// numpy.random.RandomState(0).rand(4) is 0.549, 0.715, 0.603, 0.545.
TEST(Dropout, in_training_it_drops_and_scales) {
  const Attributes seed = {{"seed", int64_t{0}}};
  const auto y = run_node({"Dropout", seed, {kData, scalar(0.6F), truth(true)}, 2});
  const auto kept = values_of<float>(y);
  EXPECT_EQ(values_of<bool>(y, 1), (std::vector<bool>{false, true, true, false}));
  EXPECT_EQ(kept[0], 0);
  EXPECT_NEAR(kept[1], 5, 1e-5);
  EXPECT_NEAR(kept[2], 7.5, 1e-5);
  EXPECT_EQ(kept[3], 0);
}

TEST(Dropout, half_of_many_are_dropped_without_a_ratio) {
  const Tensor ones = Tensor::of<double>({10000}, std::vector<double>(10000, 1));
  const auto y = values_of<double>(run_node({"Dropout", {}, {ones, Datum(), truth(true)}}));
  double sum = 0;
  for (const double element : y) sum += element;
  EXPECT_NEAR(sum, 10000, 300);
  EXPECT_EQ(values_of<double>(run_node({"Dropout", {}, {ones, Datum(), truth(true)}})), y);
  // In operator sets 1 and 6 an attribute is what keeps it from training.
  const auto old = values_of<double>(run_node({"Dropout", {}, {ones}, 1, 6}));
  EXPECT_EQ(old, y);
}

TEST(Dropout, a_ratio_that_is_none_is_refused_in_training) {
  for (const float ratio : {1.0F, -0.5F, 2.0F}) {
    EXPECT_EQ(error_of(run_node({"Dropout", {}, {kData, scalar(ratio), truth(true)}})),
              formatted("its ratio is {}, it takes one from 0 to below 1", ratio));
    EXPECT_EQ(values_of<float>(run_node({"Dropout", {}, {kData, scalar(ratio), truth(false)}})),
              kSame);
  }
  EXPECT_EQ(error_of(run_node({"Dropout", {}, {kData, scalar(std::nanf("")), truth(true)}})),
            "its ratio is nan, it takes one from 0 to below 1");
  EXPECT_EQ(error_of(run_node({"Dropout", {}, {kData, kData, truth(true)}})),
            "its input 1 has 4 elements, it takes one");
  EXPECT_EQ(error_of(run_node({"Dropout", {}, {kData, scalar(0), kData}})),
            "its input 2 is a tensor of FP32, it takes one of BOOL");
}

}  // namespace
}  // namespace casemate::engine
