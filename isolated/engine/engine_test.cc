// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

Model load(const ModelBuilder& builder, LoadOptions options = {}) {
  const std::string bytes = builder.bytes();
  auto model = Model::load(bytes_of(std::string_view(bytes)), options);
  CHECK(model.has_value(), model ? "" : model.error().text.c_str());
  return *std::move(model);
}

std::vector<float> image_of(int64_t batch, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<float> values(static_cast<size_t>(batch) * 144);
  for (float& value : values) value = uniform(random);
  return values;
}

std::vector<float> run_small(Executor& executor, int64_t batch, const std::vector<float>& image) {
  auto outputs = run(executor, {{Shape{batch, 1, 12, 12}, image}});
  CHECK(outputs.has_value(), outputs ? "" : outputs.error().text.c_str());
  return outputs->front().values;
}

TEST(Engine, describes_what_a_model_takes_and_gives) {
  ModelBuilder builder = small_network();
  auto& entry = *builder.model.add_metadata_props();
  entry.set_key("casemate.labels");
  entry.set_value("a,b");
  const Model model = load(builder);
  const ModelDescription& facts = model.description();
  EXPECT_TRUE(facts.sound());
  ASSERT_EQ(facts.input_count, 1u);
  EXPECT_EQ(facts.inputs[0].name.view(), "image");
  EXPECT_EQ(facts.inputs[0].shape(), (Shape{-1, 1, 12, 12}));
  ASSERT_EQ(facts.output_count, 1u);
  EXPECT_EQ(facts.outputs[0].shape(), (Shape{-1, 5}));
  EXPECT_EQ(facts.outputs[0].element_type(), ElementType::kFloat32);
  EXPECT_GT(facts.batch_max, 8u);
  ASSERT_EQ(facts.metadata_count, 1u);
  EXPECT_EQ(facts.metadata[0].value.view(), "a,b");
}

TEST(Engine, fuses_the_small_network_into_five_steps) {
  const Model model = load(small_network());
  EXPECT_EQ(model.compiled().size(), 4u);
  EXPECT_TRUE(model.slow_nodes().empty());
  // Two convolutions, a pool, a product, a softmax.
  EXPECT_EQ(model.compiled().front().plan.steps.size(), 5u) << model.compiled().front().plan.text();
}

TEST(Engine, probabilities_sum_to_one) {
  const Model model = load(small_network());
  Executor executor = *Executor::make(model);
  const auto result = run_small(executor, 2, image_of(2));
  for (size_t item = 0; item < 2; ++item) {
    float sum = 0;
    for (size_t i = 0; i < 5; ++i) sum += result[item * 5 + i];
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

TEST(Engine, any_batch_gives_each_item_what_it_gets_alone) {
  const Model model = load(small_network());
  Executor executor = *Executor::make(model);
  const auto images = image_of(13);
  const auto together = run_small(executor, 13, images);
  for (size_t item = 0; item < 13; ++item) {
    const auto alone = run_small(executor, 1,
                                 {images.begin() + static_cast<ptrdiff_t>(item * 144),
                                  images.begin() + static_cast<ptrdiff_t>((item + 1) * 144)});
    for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(together[item * 5 + i], alone[i], 1e-5) << item;
  }
}

TEST(Engine, the_passes_change_nothing_but_speed) {
  // The same network with every intermediate result an output: nothing can be fused.
  ModelBuilder plain = small_network();
  for (const char* name : {"c1", "n1", "r1", "c2", "sum", "r2"})
    plain.output(name, {-1, 6, 12, 12});
  plain.output("flat", {-1, 216});
  plain.output("logits", {-1, 5});
  const Model fused_model = load(small_network());
  const Model plain_model = load(plain);
  Executor fused = *Executor::make(fused_model);
  Executor unfused = *Executor::make(plain_model);
  const auto image = image_of(3);
  const auto expected = run(unfused, {{Shape{3, 1, 12, 12}, image}});
  ASSERT_TRUE(expected) << expected.error().text;
  const auto got = run_small(fused, 3, image);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected->front().values[i], 1e-5);
}

TEST(Engine, repeats_itself_bit_for_bit) {
  for (const int threads : {1, 2}) {
    const Model model = load(small_network(), {.threads = threads});
    const int status = in_child([&] {
      Executor first = *Executor::make(model);
      Executor second = *Executor::make(model);
      const auto images = image_of(11);
      const auto expected = run_small(first, 11, images);
      for (int i = 0; i < 20; ++i) {
        if (run_small(i % 2 == 0 ? first : second, 11, images) != expected) return false;
      }
      return true;
    });
    EXPECT_EQ(status, 0) << threads << " threads";
  }
}

TEST(Engine, takes_no_more_threads_than_have_something_to_do) {
  EXPECT_EQ(load(small_network(), {.threads = 2}).threads(), 2);
  EXPECT_EQ(load(small_network(), {.threads = 2, .operations_per_thread = 1}).threads(), 2);
  EXPECT_EQ(load(small_network(), {.threads = 2, .operations_per_thread = 1 << 30}).threads(), 1);
}

TEST(Engine, says_what_it_expected_of_an_input) {
  const Model model = load(small_network());
  Executor executor = *Executor::make(model);
  const auto refused = [&](const std::vector<RunInput>& inputs, std::string_view words) {
    const auto result = run(executor, inputs);
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().code == Code::kInvalid || result.error().code == Code::kTooLarge);
    EXPECT_NE(result.error().text.find(words), std::string::npos) << result.error().text;
  };
  refused({}, "takes 1 inputs, it was given 0");
  refused({{Shape{1, 1, 12, 11}, image_of(1)}},
          "input 'image' takes FP32 [-1,1,12,12], it was given FP32 [1,1,12,11]");
  refused({{Shape{1, 1, 12}, image_of(1)}}, "takes FP32 [-1,1,12,12]");
  refused({{Shape{2, 1, 12, 12}, image_of(1)}}, "has 1152 bytes, it was given 576");
  refused({{Shape{0, 1, 12, 12}, {}}}, "the batch is empty");
  refused({{Shape{1ll << 40, 1, 12, 12}, image_of(1)}}, "larger than the limit");
  RunInput wrong{Shape{1, 1, 12, 12}, image_of(1), ElementType::kInt32};
  refused({wrong}, "it was given INT32");
}

TEST(Engine, refuses_memory_that_is_not_aligned) {
  const Model model = load(small_network());
  Executor executor = *Executor::make(model);
  std::vector<uint8_t> bytes(577);
  const TensorView view{ElementType::kFloat32, Shape{1, 1, 12, 12}, Bytes(bytes).subspan(1)};
  HeldOutputs outputs;
  const Status refused = executor.run(std::span(&view, 1), outputs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
}

TEST(Engine, counts_steps_for_who_watches) {
  const Model model = load(small_network());
  Executor executor = *Executor::make(model);
  ProgressCounter progress = 0;
  const auto image = image_of(3);
  const TensorView view{ElementType::kFloat32, Shape{3, 1, 12, 12}, bytes_of_floats(image)};
  HeldOutputs outputs;
  ASSERT_TRUE(executor.run(std::span(&view, 1), outputs, &progress));
  EXPECT_EQ(progress.load(), 10u);  // 3 = 2 + 1, five steps each
}

TEST(Engine, does_not_split_a_batch_whose_items_see_each_other) {
  ModelBuilder b;
  b.input("x", {-1, 4});
  b.output("y", {-1, 4});
  set_int(b.node("Softmax", {"x"}, "y"), "axis", 0);
  const Model model = load(b);
  EXPECT_EQ(model.description().batch_max, 0u);
  Executor executor = *Executor::make(model);
  const auto halves = run(executor, {{Shape{2, 4}, std::vector<float>(8, 1)}});
  ASSERT_TRUE(halves) << halves.error().text;
  EXPECT_FLOAT_EQ(halves->front().values[0], 0.5F);
  const auto thirds = run(executor, {{Shape{3, 4}, std::vector<float>(12, 1)}});
  ASSERT_TRUE(thirds) << thirds.error().text;
  EXPECT_FLOAT_EQ(thirds->front().values[0], 1.0F / 3);
}

TEST(Engine, refuses_a_model_beyond_its_memory) {
  const std::string bytes = small_network().bytes();
  const auto allowed = Model::load(bytes_of(std::string_view(bytes)), {});
  ASSERT_TRUE(allowed) << allowed.error().text;
  const MemoryUse use = allowed->memory();
  for (const uint64_t limit :
       {use.weight_bytes + use.arena_bytes - 1, use.weight_bytes - 1, uint64_t{1000}}) {
    const auto refused =
        Model::load(bytes_of(std::string_view(bytes)), {.memory_bytes_max = limit});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kTooLarge) << refused.error().text;
  }
}

TEST(Engine, refuses_options_that_make_no_sense) {
  const std::string bytes = small_network().bytes();
  EXPECT_FALSE(Model::load(bytes_of(std::string_view(bytes)), {.batch_sizes = {}}));
  EXPECT_FALSE(Model::load(bytes_of(std::string_view(bytes)), {.batch_sizes = {0}}));
  EXPECT_FALSE(Model::load(bytes_of(std::string_view(bytes)), {.threads = 0}));
}

TEST(Engine, passes_inputs_and_constants_through_to_outputs) {
  ModelBuilder b;
  b.input("x", {2, 3});
  b.output("same", {2, 3});
  b.output("again", {3, 2});
  b.output("one", {1});
  b.output("sum", {2, 3});
  b.output("twice", {2, 3});
  b.node("Identity", {"x"}, "same");
  b.integers("shape", {2}, {3, 2});
  b.node("Reshape", {"x", "shape"}, "again");
  b.floats("c", {1}, {42});
  b.node("Identity", {"c"}, "one");
  b.node("Add", {"x", "c"}, "sum");
  b.node("Add", {"sum", "x"}, "twice");
  const Model model = load(b);
  Executor executor = *Executor::make(model);
  const auto result = run(executor, {{Shape{2, 3}, {1, 2, 3, 4, 5, 6}}});
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ((*result)[0].values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ((*result)[1].shape, (Shape{3, 2}));
  EXPECT_EQ((*result)[1].values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ((*result)[2].values, (std::vector<float>{42}));
  EXPECT_EQ((*result)[3].values, (std::vector<float>{43, 44, 45, 46, 47, 48}));
  EXPECT_EQ((*result)[4].values, (std::vector<float>{44, 46, 48, 50, 52, 54}));
}

TEST(Engine, flushes_denormals_in_every_worker) {
  // The smallest normal number halved: a worker that keeps denormals returns it, one that flushes,
  // 0.
  ModelBuilder b;
  b.input("x", {64, 64, 64});
  b.output("y", {64, 64, 64});
  b.floats("half", {1}, {0.5F});
  b.node("Mul", {"x", "half"}, "y");
  const Model model = load(b, {.threads = 2});
  const int status = in_child([&] {
    Executor executor = *Executor::make(model);
    const std::vector<float> smallest(64 * 64 * 64, std::numeric_limits<float>::min());
    const auto result = run(executor, {{Shape{64, 64, 64}, smallest}});
    return result && result->front().values == std::vector<float>(64 * 64 * 64, 0.0F);
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace casemate::engine
