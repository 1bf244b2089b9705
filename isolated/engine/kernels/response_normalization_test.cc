// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"

namespace casemate::engine {
namespace {

NodeCase node_case(const Shape& shape, int64_t size, Layout layout) {
  NodeCase made{
      .node = {.op = "LRN", .attributes = {{"size", size}, {"alpha", 0.02F}, {"bias", 1.5F}}},
      .preferred = layout,
      .given = layout};
  made.inputs = {{noise(shape, 1)}};
  made.output = shape;
  return made;
}

// ONNX, LRN: x / (bias + alpha / size * the sum of squares around it) ^ beta, beta being 0.75.
std::vector<double> reference(const Tensor& input, int64_t size) {
  const Shape& shape = input.shape();
  const int64_t channels = shape[1];
  const int64_t inner = shape[2] * shape[3];
  const auto x = input.values<float>();
  std::vector<double> y(x.size());
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    const int64_t channel = i / inner % channels;
    double sum = 0;
    for (int64_t other = std::max<int64_t>(channel - (size - 1) / 2, 0);
         other <= std::min(channel + size / 2, channels - 1); ++other) {
      const double near = x[static_cast<size_t>(i + (other - channel) * inner)];
      sum += near * near;
    }
    const double base = 1.5 + 0.02 / static_cast<double>(size) * sum;
    y[static_cast<size_t>(i)] = x[static_cast<size_t>(i)] / std::pow(base, 0.75);
  }
  return y;
}

TEST(ResponseNormalization, agrees_with_its_definition_in_every_layout) {
  for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast, Layout::kBlocked16}) {
    for (const int64_t size : {1, 3, 4, 5, 9}) {
      SCOPED_TRACE(std::string(name_of(layout)) + ", size " + std::to_string(size));
      const NodeCase made = node_case({2, 32, 5, 6}, size, layout);
      const auto result = run_case(made);
      if (!result) {
        // What oneDNN has only a reference loop for is left to the operator's own function.
        EXPECT_EQ(result.error().code, Code::kUnsupported) << result.error().text;
        continue;
      }
      EXPECT_FALSE(result->needs.slow);
      EXPECT_TRUE(near(result->output, reference(made.inputs[0].tensor, size)));
    }
  }
}

TEST(ResponseNormalization, of_published_networks_runs_on_generated_loops) {
  const auto result = run_case(node_case({1, 64, 7, 7}, 5, Layout::kChannelsLast));
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_FALSE(result->needs.slow) << result->needs.implementation;
}

}  // namespace
}  // namespace casemate::engine
