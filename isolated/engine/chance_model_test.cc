// SPDX-License-Identifier: Apache-2.0
// Networks of chance: whatever passes and kernels make of one, it computes what the operators' own
// functions compute, for batch sizes that were compiled, for those made up of them, and in plans
// for shapes that are seen first when a model serves; on any number of threads.
#include "isolated/engine/chance_model.h"
#include "base/format.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "isolated/engine/describe.h"
#include "isolated/engine/interpret/interpreter.h"
#include "isolated/engine/onnx/read.h"
#include "isolated/engine/run_model.h"
#include "isolated/engine/runner.h"

namespace casemate::engine {
namespace {

// Of the result's root mean square, for each element: several layers of Winograd's, at worst.
constexpr double kTolerance = 2e-3;
constexpr uint64_t kSeeds = 20;

Tensor noise(const Shape& shape, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  Tensor tensor = *Tensor::zeros(ElementType::kFloat32, shape);
  for (float& value : tensor.values<float>()) value = normal(random);
  return tensor;
}

// Empty when both are the same but for rounding.
std::string difference(std::span<const float> got, std::span<const float> expected) {
  if (got.size() != expected.size())
    return formatted("{} elements instead of {}", got.size(), expected.size());
  double squares = 0;
  for (const float value : expected) squares += static_cast<double>(value) * value;
  const double scale = std::sqrt(squares / static_cast<double>(std::max<size_t>(got.size(), 1)));
  for (size_t i = 0; i < got.size(); ++i) {
    const double wrong = std::fabs(static_cast<double>(got[i]) - expected[i]);
    if (!(wrong <= kTolerance * std::max(scale, 1e-3)))
      return formatted("element {} is {}, not {} (of {:.3g})", i, got[i], expected[i], scale);
  }
  return {};
}

// What is wrong with the model when it runs on `threads` threads; empty when nothing is.
std::string wrong_with(const ModelBuilder& builder, int threads) {
  const std::string bytes = builder.bytes();
  const Bytes file = bytes_of(std::string_view(bytes));
  const auto read = read_onnx(file, {});
  if (!read) return "read: " + read.error().text;
  auto model = Model::load(file, {.batch_sizes = {1, 4}, .threads = threads});
  if (!model) return "load: " + model.error().text;
  if (!model->seal()) return "seal";
  auto executor = Executor::make(*model);
  if (!executor) return "executor: " + executor.error().text;
  Interpreter interpreter;
  Compiler late(1ull << 30);
  Runner runner(late, {});
  for (const int64_t batch : {1, 4, 3}) {
    std::vector<int64_t> dims = read->inputs[0].dims;
    dims[0] = batch;
    const Tensor input = noise(Shape(dims), static_cast<uint64_t>(batch));
    const auto expected = interpreter.run(read->graph, {Datum(input)});
    if (!expected) return "interpreter: " + expected.error().text;
    HeldOutputs sink;
    const std::vector<TensorView> views = {{input.type(), input.shape(), input.bytes()}};
    if (const auto done = executor->run(views, sink); !done) return "run: " + done.error().text;
    const Tensor& wanted = *(*expected)[0].tensor();
    if (sink.outputs[0].shape != wanted.shape()) return "another shape";
    const std::string found = difference(sink.outputs[0].values, wanted.values<float>());
    if (!found.empty()) return formatted("batch {}: {}", batch, found);
    const auto unseen = runner.run(read->graph, {Datum(input)});
    if (!unseen) return "planned late: " + unseen.error().text;
    const std::string wrong =
        difference((*unseen)[0].tensor()->values<float>(), wanted.values<float>());
    if (!wrong.empty()) return formatted("batch {}, planned late: {}", batch, wrong);
  }
  return {};
}

template <class Chance>
void expect_right(uint64_t seed) {
  const ModelBuilder builder = Chance(seed).make();
  EXPECT_EQ(wrong_with(builder, 1), "") << "seed " << seed;
  const int status = in_child([&] {
    const std::string wrong = wrong_with(builder, 2);
    if (!wrong.empty()) std::fprintf(stderr, "on two threads: %s\n", wrong.c_str());
    return wrong.empty();
  });
  EXPECT_EQ(status, 0) << "seed " << seed << " on two threads";
}

TEST(ChanceModel, of_images_computes_what_its_operators_mean) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) expect_right<ChanceImages>(seed);
}

TEST(ChanceModel, of_tokens_computes_what_its_operators_mean) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) expect_right<ChanceTokens>(seed);
}

TEST(ChanceModel, packs_no_weights_again_for_shapes_that_come_later) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const std::string bytes = ChanceTokens(seed).make().bytes();
    ReadModel read = *read_onnx(bytes_of(std::string_view(bytes)), {});
    auto store = *tensors::WeightStore::make(64 << 20);
    Packer packer(store);
    Compiler early(packer, Compiler::Code::kGenerated);
    const auto facts = [&](int64_t n) {
      return facts_of(read.inputs, [=](const std::string&) { return n; });
    };
    ASSERT_TRUE(early.compile(read.graph, facts(2), Compiler::Code::kFixed));
    std::vector<KeptConstant> kept;
    for (uint32_t i = 0; i < read.graph.value_count(); ++i) {
      std::optional<Tensor>& constant = read.graph.value({i}).constant;
      if (!constant) continue;
      const Tensor before = *constant;
      if (before.byte_count() >= kSmallConstant) constant = *packer.keep(before);
      kept.push_back({before, *constant});
    }
    Prepared prepared;
    ASSERT_TRUE(early.prepare(kept, prepared));
    Compiler late(64 << 20, &prepared);
    const auto compiled = late.compile(read.graph, facts(3));
    ASSERT_TRUE(compiled) << compiled.error().text;
    EXPECT_LT(compiled->own->own_bytes(), 8 << 10) << "seed " << seed;
  }
}

}  // namespace
}  // namespace casemate::engine
