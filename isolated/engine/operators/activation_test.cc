// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Activated {
  const char* op;
  Attributes attributes;
  std::vector<float> x;
  std::vector<float> y;
  int since = 0;
};

void expect_activated(const Activated& given) {
  const Shape shape{static_cast<int64_t>(given.x.size())};
  const Tensor x = Tensor::of<float>(shape, given.x);
  const auto y = values_of<float>(run_node({given.op, given.attributes, {x}, 1, given.since}));
  ASSERT_EQ(y.size(), given.y.size()) << given.op;
  for (size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(given.y[i])) {
      EXPECT_TRUE(std::isnan(y[i])) << given.op << " of " << given.x[i];
    } else if (y[i] != given.y[i]) {
      EXPECT_NEAR(y[i], given.y[i], 1e-6) << given.op << " of " << given.x[i];
    }
  }
}

TEST(Activation, each_follows_its_formula) {
  const std::vector<float> around = {-1, 0, 1};
  for (const Activated& given : std::initializer_list<Activated>{
           {"Relu", {}, {-1, 0, 2, kNan}, {0, 0, 2, kNan}},
           {"LeakyRelu", {}, around, {-0.01F, 0, 1}},
           {"LeakyRelu", {{"alpha", 0.1F}}, around, {-0.1F, 0, 1}},
           {"ThresholdedRelu", {{"alpha", 2.0F}}, {-1.5F, 1.2F, 2, 2.2F}, {0, 0, 0, 2.2F}},
           {"Elu", {{"alpha", 2.0F}}, around, {-1.2642411F, 0, 1}},
           {"Celu", {{"alpha", 2.0F}}, around, {-0.7869387F, 0, 1}},
           {"Selu", {{"alpha", 2.0F}, {"gamma", 3.0F}}, around, {-3.7927232F, 0, 3}},
           {"Selu", {}, around, {-1.1113307F, 0, 1.050701F}},
           {"Selu", {}, around, {-1.1112877F, 0, 1.0507F}, 1},
           {"Sigmoid", {}, around, {0.2689414F, 0.5F, 0.7310586F}},
           {"HardSigmoid", {{"alpha", 0.5F}, {"beta", 0.6F}}, around, {0.1F, 0.6F, 1}},
           {"HardSigmoid", {}, {-9, 0, 9, kNan}, {0, 0.5F, 1, kNan}},
           {"HardSwish", {}, {-4, -1, 0, 4}, {0, -0.3333333F, 0, 4}},
           {"Softplus", {}, around, {0.3132617F, 0.6931472F, 1.3132617F}},
           {"Softsign", {}, around, {-0.5F, 0, 0.5F}},
           {"Mish", {}, around, {-0.3034015F, 0, 0.8650984F}},
           {"Gelu", {}, around, {-0.1586553F, 0, 0.8413447F}},
           {"Gelu", {{"approximate", "tanh"}}, around, {-0.1588080F, 0, 0.8411920F}},
           {"Shrink", {{"lambd", 1.5F}}, {-2, -1, 0, 1, 2}, {-2, 0, 0, 0, 2}},
           {"Shrink", {{"lambd", 1.5F}, {"bias", 1.5F}}, {-2, 1, 2}, {-0.5F, 0, 0.5F}},
       }) {
    expect_activated(given);
  }
}

TEST(Activation, large_arguments_stay_exact) {
  expect_activated({"Softplus", {}, {1000, -1000, kInfinity}, {1000, 0, kInfinity}});
  expect_activated({"Mish", {}, {1000, -1000}, {1000, 0}});
  expect_activated({"Sigmoid", {}, {1000, -1000, kNan}, {1, 0, kNan}});
  expect_activated({"Elu", {}, {1000, -1000}, {1000, -1}});
  expect_activated({"Celu", {{"alpha", 0.0F}}, {3}, {3}});
}

TEST(Activation, the_clipped_may_be_integers) {
  const Tensor x = Tensor::of<int8_t>({3}, {-100, 5, 100});
  EXPECT_EQ(values_of<int8_t>(run_node({"Relu", {}, {x}})), (std::vector<int8_t>{0, 5, 100}));
  const Tensor low = Tensor::of<int8_t>({}, {-10});
  const Tensor high = Tensor::of<int8_t>({}, {10});
  EXPECT_EQ(values_of<int8_t>(run_node({"Clip", {}, {x, low, high}})),
            (std::vector<int8_t>{-10, 5, 10}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Clip", {}, {x, Datum(), high}})),
            (std::vector<int8_t>{-100, 5, 10}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Clip", {}, {x, high, low}})),
            (std::vector<int8_t>{-10, -10, -10}));
  EXPECT_EQ(values_of<int8_t>(run_node({"Clip", {}, {x}})), (std::vector<int8_t>{-100, 5, 100}));
}

TEST(Activation, bounds_were_attributes_before_operator_set_11) {
  const Attributes bounds = {{"min", -0.5F}, {"max", 2.0F}};
  expect_activated({"Clip", bounds, {-kInfinity, 0, 3, kNan}, {-0.5F, 0, 2, kNan}, 6});
  expect_activated({"Clip", {{"max", 2.0F}}, {-5, 3}, {-5, 2}, 1});
  // Since then they are ignored.
  expect_activated({"Clip", bounds, {-5, 3}, {-5, 3}, 11});
}

TEST(Activation, bounds_are_single_and_of_the_type_of_the_data) {
  const Tensor x = Tensor::of<float>({1}, {1});
  const Tensor two = Tensor::of<float>({2}, {1, 2});
  EXPECT_EQ(error_of(run_node({"Clip", {}, {x, two}})), "its input 1 has 2 elements, it takes one");
  const Tensor whole = Tensor::of<int32_t>({}, {1});
  EXPECT_EQ(error_of(run_node({"Clip", {}, {x, whole}})),
            "its input 1 is a tensor of INT32, it takes one of FP32");
}

TEST(Activation, shrunk_integers_stay_in_their_type) {
  const Tensor x = Tensor::of<int8_t>({3}, {-128, 1, 127});
  EXPECT_EQ(values_of<int8_t>(run_node({"Shrink", {{"bias", -1e30F}, {"lambd", 2.0F}}, {x}})),
            (std::vector<int8_t>{-128, 0, 127}));
  const Tensor y = Tensor::of<uint8_t>({2}, {1, 200});
  EXPECT_EQ(values_of<uint8_t>(run_node({"Shrink", {{"bias", 0.5F}}, {y}})),
            (std::vector<uint8_t>{0, 199}));
}

TEST(Activation, gelu_knows_two_formulas) {
  const Tensor x = Tensor::of<float>({1}, {1});
  EXPECT_EQ(error_of(run_node({"Gelu", {{"approximate", "sigmoid"}}, {x}})),
            "its attribute 'approximate' is 'sigmoid', it takes 'none' or 'tanh'");
}

TEST(Activation, slopes_are_broadcast_to_the_data_and_not_back) {
  const Tensor x = Tensor::of<float>({2, 2}, {-1, 2, -3, -4});
  const Tensor slopes = Tensor::of<float>({2}, {10, 100});
  EXPECT_EQ(values_of<float>(run_node({"PRelu", {}, {x, slopes}})),
            (std::vector<float>{-10, 2, -30, -400}));
  EXPECT_EQ(error_of(run_node({"PRelu", {}, {slopes, x}})),
            "its slopes of shape [2,2] cannot be broadcast to [2]");
  const Tensor whole = Tensor::of<int32_t>({2}, {-5, 5});
  EXPECT_EQ(values_of<int32_t>(run_node({"PRelu", {}, {whole, whole}})),
            (std::vector<int32_t>{25, 5}));
}

TEST(Activation, slopes_were_per_channel_before_operator_set_7) {
  const Tensor x = Tensor::of<float>({1, 2, 2}, {-1, -2, -3, -4});
  const Tensor slopes = Tensor::of<float>({2}, {10, 100});
  EXPECT_EQ(values_of<float>(run_node({"PRelu", {}, {x, slopes}, 1, 6})),
            (std::vector<float>{-10, -20, -300, -400}));
  const Tensor one = Tensor::of<float>({1}, {2});
  EXPECT_EQ(values_of<float>(run_node({"PRelu", {}, {x, one}, 1, 1})),
            (std::vector<float>{-2, -4, -6, -8}));
  const Tensor three = Tensor::of<float>({3}, {1, 2, 3});
  EXPECT_EQ(error_of(run_node({"PRelu", {}, {x, three}, 1, 6})),
            "its slopes of shape [3] cannot be broadcast to [1,2,2]");
}

}  // namespace
}  // namespace casemate::engine
