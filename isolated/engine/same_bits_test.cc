// SPDX-License-Identifier: Apache-2.0
// For the same number of threads a model gives the same bits from run to run: in one executor, in
// another, and in a model that was loaded again.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/format.h"
#include "isolated/engine/chance_model.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

constexpr uint64_t kSeeds = 12;
constexpr int kRuns = 4;

std::vector<float> noise(const Shape& shape, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(*shape.element_count());
  for (float& value : values) value = normal(random);
  return values;
}

Shape shape_of(const Model& model, int64_t batch) {
  Shape shape = model.description().inputs[0].shape();
  shape[0] = batch;
  return shape;
}

// The outputs of a model that is loaded, sealed, and run some times; none when two runs differ.
Result<std::vector<RunOutput>> steady(Bytes file, int64_t batch, int threads) {
  Model model = TRY(Model::load(file, {.batch_sizes = {1, 4}, .threads = threads}));
  TRY(model.seal());
  const Shape shape = shape_of(model, batch);
  std::optional<std::vector<RunOutput>> first;
  for (int i = 0; i < kRuns; ++i) {
    Executor executor = TRY(Executor::make(model));
    for (int k = 0; k < kRuns; ++k) {
      const auto outputs = TRY(run(executor, {{shape, noise(shape, 7)}}));
      if (!first) first = outputs;
      for (size_t o = 0; o < outputs.size(); ++o) {
        if (!std::ranges::equal(bytes_of_floats(outputs[o].values),
                                bytes_of_floats((*first)[o].values)))
          return Error{Code::kPlatform, formatted("run {} of executor {} differs", k, i)};
      }
    }
  }
  return *first;
}

// Empty when all is the same. Batches: compiled, and made up of compiled ones or planned late.
std::string wrong_with(const ModelBuilder& builder, int threads) {
  const std::string bytes = builder.bytes();
  const Bytes file = bytes_of(std::string_view(bytes));
  for (const int64_t batch : {4, 3}) {
    const auto once = steady(file, batch, threads);
    const auto again = steady(file, batch, threads);
    if (!once) return once.error().text;
    if (!again) return again.error().text;
    for (size_t o = 0; o < once->size(); ++o) {
      if (!std::ranges::equal(bytes_of_floats((*once)[o].values),
                              bytes_of_floats((*again)[o].values)))
        return formatted("batch {}: the model that was loaded again differs", batch);
    }
  }
  return {};
}

template <class Chance>
void expect_same_bits(uint64_t seed) {
  const ModelBuilder builder = Chance(seed).make();
  EXPECT_EQ(wrong_with(builder, 1), "") << "seed " << seed;
  const int status = in_child([&] {
    const std::string wrong = wrong_with(builder, 2);
    if (!wrong.empty()) std::fprintf(stderr, "on two threads: %s\n", wrong.c_str());
    return wrong.empty();
  });
  EXPECT_EQ(status, 0) << "seed " << seed << " on two threads";
}

TEST(SameBits, of_images_from_run_to_run) {
  for (uint64_t seed = 100; seed < 100 + kSeeds; ++seed) expect_same_bits<ChanceImages>(seed);
}

TEST(SameBits, of_tokens_from_run_to_run) {
  for (uint64_t seed = 100; seed < 100 + kSeeds; ++seed) expect_same_bits<ChanceTokens>(seed);
}

TEST(SameBits, of_recurrent_layers_and_sums_over_many_from_run_to_run) {
  ModelBuilder b;
  b.input("x", {-1, 9, 12});
  b.output("y", {9, 1, -1, 16});
  b.noise("w", {1, 64, 12}, 0.3F);
  b.noise("r", {1, 64, 16}, 0.3F);
  set_ints(b.node("Transpose", {"x"}, "steps"), "perm", {1, 0, 2});
  set_int(b.node("LSTM", {"steps", "w", "r"}, "y"), "hidden_size", 16);
  EXPECT_EQ(wrong_with(b, 1), "");
  EXPECT_EQ(in_child([&] { return wrong_with(b, 2).empty(); }), 0);
}

}  // namespace
}  // namespace casemate::engine
