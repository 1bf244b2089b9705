// SPDX-License-Identifier: Apache-2.0
// Images that are made where a Concat wants them, against plans that copy them there.
#include <gtest/gtest.h>

#include <cmath>

#include "isolated/engine/passes/passes.h"
#include "isolated/engine/passes/text_graphs.h"
#include "isolated/engine/plan/run_plan.h"

namespace casemate::engine {
namespace {

// Branches of every kernel that leaves room, and one that is copied.
Graph inception(int64_t batch) {
  Draft d;
  const ValueId x = d.same("Relu", d.convolution(d.input({batch, 16, 21, 19}), 32));
  const ValueId a = d.same("Relu", d.pointwise(x, 24));
  const ValueId b = d.same("Tanh", d.convolution(d.pointwise(x, 16), 48));
  const ValueId c = d.same("Relu", d.convolution(d.pointwise(x, 8), 20));
  const ValueId s = d.pointwise(d.same("Relu", d.depthwise(x)), 33);
  const ValueId all = d.concat({a, b, d.same("Neg", x), c, s});
  return d.finish({d.same("Relu", d.convolution(all, 12))});
}

Graph dense_block(int64_t batch) {
  Draft d;
  std::vector<ValueId> parts = {d.same("Relu", d.convolution(d.input({batch, 4, 15, 14}), 32))};
  for (int i = 0; i < 5; ++i) {
    const ValueId all = i == 0 ? parts[0] : d.concat(parts);
    const ValueId bottleneck = d.pointwise(d.same("Relu", d.normalization(all)), 32);
    parts.push_back(d.convolution(d.same("Relu", bottleneck), i % 2 == 0 ? 16 : 9));
  }
  return d.finish({d.same("Relu", d.normalization(d.concat(parts)))});
}

std::vector<float> numbers(const Shape& shape) {
  std::vector<float> values(*shape.element_count());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = (static_cast<float>(i * 29 % 31) - 15) / 10;
  return values;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  double sum = 0;
  for (const float value : expected) sum += static_cast<double>(value) * value;
  const double scale = std::sqrt(sum / static_cast<double>(expected.size()));
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-4 * scale) << i;
}

TEST(Joins, compute_what_copies_compute) {
  for (const auto make : {inception, dense_block}) {
    for (const int64_t batch : {1, 3}) {
      for (const int threads : {1, 2}) {
        Derivations derivations;
        Graph graph = make(batch);
        ASSERT_TRUE(optimize(graph, derivations));
        const auto input = numbers(graph.value(graph.inputs()[0]).shapes[0]);
        const auto copied = run_graph(graph, {input}, Layout::kRowMajor);
        set_threads(threads);
        const auto joined = run_graph(graph, {input});
        set_threads(1);
        ASSERT_TRUE(copied) << copied.error().text;
        ASSERT_TRUE(joined) << joined.error().text;
        expect_near(joined->outputs[0], copied->outputs[0]);
        EXPECT_NE(copied->text.find("Concat"), std::string::npos) << copied->text;
      }
    }
  }
}

// One branch of five is copied; of a dense block, nothing is.
TEST(Joins, leave_nothing_to_copy_but_what_no_convolution_makes) {
  Derivations derivations;
  Graph block = dense_block(1);
  ASSERT_TRUE(optimize(block, derivations));
  const auto dense = run_graph(block, {numbers({1, 4, 15, 14})});
  ASSERT_TRUE(dense) << dense.error().text;
  EXPECT_EQ(dense->text.find("Concat"), std::string::npos) << dense->text;
  EXPECT_EQ(dense->text.find("gather"), std::string::npos) << dense->text;
  Graph branches = inception(1);
  ASSERT_TRUE(optimize(branches, derivations));
  const auto made = run_graph(branches, {numbers({1, 16, 21, 19})});
  ASSERT_TRUE(made) << made.error().text;
  const size_t first = made->text.find("Concat");
  ASSERT_NE(first, std::string::npos) << made->text;
  EXPECT_EQ(made->text.find("Concat", first + 1), std::string::npos) << made->text;
}

}  // namespace
}  // namespace casemate::engine
