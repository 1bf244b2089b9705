// SPDX-License-Identifier: Apache-2.0
// Batches whose items run side by side, each on one thread.
#include "isolated/engine/items.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>

#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

constexpr int64_t kPixels = 3 * 10 * 10;

// Convolutions, whose weights are used for each of a hundred pixels.
ModelBuilder convolutions() {
  ModelBuilder b;
  b.input("x", {-1, 3, 10, 10});
  b.output("y", {-1, 4});
  b.noise("w1", {8, 3, 3, 3}, 0.3F);
  b.noise("w2", {4, 8, 3, 3}, 0.3F);
  set_ints(b.node("Conv", {"x", "w1"}, "a"), "pads", {1, 1, 1, 1});
  b.node("Relu", {"a"}, "r");
  set_ints(b.node("Conv", {"r", "w2"}, "c"), "pads", {1, 1, 1, 1});
  b.node("GlobalAveragePool", {"c"}, "p");
  b.node("Flatten", {"p"}, "y");
  return b;
}

Result<Model> load_items(const ModelBuilder& builder, LoadOptions options) {
  const std::string bytes = builder.bytes();
  return Model::load(bytes_of(std::string_view(bytes)), options);
}

RunInput square_images(int64_t batch, uint32_t seed = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(batch * kPixels));
  for (float& value : values) value = normal(random);
  return {Shape{batch, 3, 10, 10}, std::move(values)};
}

RunInput square_image(const RunInput& batch, int64_t item) {
  const auto begin = batch.values.begin() + item * kPixels;
  return {Shape{1, 3, 10, 10}, std::vector<float>(begin, begin + kPixels)};
}

// In a child of its own, since it starts threads.
template <class Check>
bool holds_in_child(Check check) {
  return in_child(check) == 0;
}

TEST(Items, run_side_by_side_where_weights_are_few_and_used_often) {
  EXPECT_NE(load_items(convolutions(), {.threads = 2})->item(), nullptr);
  EXPECT_EQ(load_items(convolutions(), {.threads = 1})->item(), nullptr);
  ModelBuilder product;
  product.input("x", {-1, 64});
  product.output("y", {-1, 32});
  product.noise("w", {64, 32});
  product.node("MatMul", {"x", "w"}, "y");
  EXPECT_EQ(load_items(product, {.threads = 2})->item(), nullptr) << "each weight is used once";
}

TEST(Items, are_all_that_is_compiled_for_where_a_batch_is_made_of_them) {
  for (const int threads : {1, 2}) {
    const auto model = load_items(convolutions(), {.batch_sizes = {1, 4, 8}, .threads = threads});
    ASSERT_TRUE(model) << model.error().text;
    EXPECT_EQ(model->compiled().size(), 1u);
    EXPECT_EQ(model->largest().front().shape, (Shape{8, 3, 10, 10}));
    EXPECT_GT(model->description().batch_max, 8u);
  }
}

TEST(Items, are_not_run_side_by_side_where_weights_would_come_from_memory_each_time) {
  ModelBuilder b;
  b.input("x", {-1, 1024, 9, 9});
  b.output("y", {-1, 9216, 9, 9});
  b.noise("w", {9216, 1024, 1, 1});
  b.node("Conv", {"x", "w"}, "y");
  const auto model = load_items(b, {.batch_sizes = {1}, .threads = 2});
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_EQ(model->item(), nullptr);
}

TEST(Items, are_not_run_side_by_side_where_they_see_each_other) {
  ModelBuilder b = convolutions();
  b.output("z", {-1, 4});
  set_int(b.node("Softmax", {"y"}, "z"), "axis", 0);
  const auto model = load_items(b, {.threads = 2});
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_EQ(model->item(), nullptr);
}

TEST(Items, of_any_batch_are_what_they_are_alone) {
  const auto model = load_items(convolutions(), {.threads = 3});
  ASSERT_TRUE(model && model->item() != nullptr);
  EXPECT_TRUE(holds_in_child([&] {
    Executor executor = *Executor::make(*model);
    for (const int64_t batch : {1, 2, 3, 4, 5, 9}) {
      const RunInput together = square_images(batch);
      const auto results = run(executor, {together});
      if (!results || results->front().shape != Shape{batch, 4}) return false;
      for (int64_t item = 0; item < batch; ++item) {
        const auto alone = run(executor, {square_image(together, item)});
        for (size_t i = 0; i < 4; ++i) {
          const float got = results->front().values[static_cast<size_t>(item) * 4 + i];
          if (std::abs(got - alone->front().values[i]) > 1e-5F) return false;
        }
      }
    }
    return true;
  }));
}

TEST(Items, that_are_equal_get_the_same_bits_in_every_place_and_run) {
  const auto model = load_items(convolutions(), {.threads = 2});
  EXPECT_TRUE(holds_in_child([&] {
    Executor executor = *Executor::make(*model);
    RunInput same = square_images(8);
    for (int64_t item = 1; item < 8; ++item)
      std::ranges::copy_n(same.values.begin(), kPixels, same.values.begin() + item * kPixels);
    std::set<std::string> seen;
    for (int i = 0; i < 50; ++i) {
      const auto result = run(executor, {same});
      const Bytes bits = bytes_of_floats(result->front().values);
      for (size_t item = 0; item < 8; ++item) {
        const Bytes own = bits.subspan(item * 16, 16);
        seen.emplace(own.begin(), own.end());
      }
    }
    return seen.size() == 1;
  }));
}

TEST(Items, have_memory_for_each_thread_that_counts) {
  const auto model = load_items(convolutions(), {.threads = 4});
  ASSERT_TRUE(model && model->item() != nullptr);
  EXPECT_EQ(model->memory().arena_bytes, 4 * side_bytes(model->item()->plan));
  const uint64_t used = model->memory().arena_bytes + model->memory().weight_bytes;
  const auto refused = load_items(convolutions(), {.memory_bytes_max = used - 1, .threads = 4});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
}

TEST(Items, pack_no_weights_again) {
  const auto one = load_items(convolutions(), {.batch_sizes = {1}, .threads = 1});
  const auto two = load_items(convolutions(), {.threads = 2});
  EXPECT_EQ(two->memory().weight_bytes, one->memory().weight_bytes);
}

TEST(Items, are_all_counted_for_who_watches) {
  const auto model = load_items(convolutions(), {.threads = 2});
  const size_t side = model->item()->plan.steps.size();
  const size_t alone = model->compiled().back().plan.steps.size();
  EXPECT_TRUE(holds_in_child([&] {
    Executor executor = *Executor::make(*model);
    ProgressCounter progress = 0;
    const RunInput batch = square_images(5);
    const TensorView view{ElementType::kFloat32, batch.shape, bytes_of_floats(batch.values)};
    HeldOutputs outputs;
    return executor.run(std::span(&view, 1), outputs, &progress) &&
           progress.load() == 4 * side + alone;
  }));
}

// Each batch gets as many threads as have something to do for it.
TEST(Items, of_small_models_take_more_threads_in_larger_batches) {
  ModelBuilder b;
  b.input("x", {-1, 64});
  b.output("y", {-1, 64});
  b.noise("w", {64, 64});
  b.node("MatMul", {"x", "w"}, "y");  // 4,096 multiply-adds an item
  const auto model =
      load_items(b, {.batch_sizes = {1, 8}, .threads = 2, .operations_per_thread = 10'000});
  ASSERT_TRUE(model) << model.error().text;
  ASSERT_EQ(model->compiled().size(), 2u);
  EXPECT_EQ(model->compiled()[0].threads, 2) << "for eight items";
  EXPECT_EQ(model->compiled()[1].threads, 1) << "for one";
  EXPECT_EQ(model->threads(), 2);
}

// Who is told of steps is told by one thread, in their order.
TEST(Items, run_one_after_another_while_somebody_observes) {
  class Observer final : public StepObserver {
   public:
    void begin(const Plan&) override { next_ = 0, ++plans; }
    void done(const Plan&, size_t step) override {
      in_order = in_order && step == next_++ && std::this_thread::get_id() == thread_;
    }
    int plans = 0;
    bool in_order = true;

   private:
    size_t next_ = 0;
    std::thread::id thread_ = std::this_thread::get_id();
  };
  const auto model = load_items(convolutions(), {.threads = 2});
  EXPECT_TRUE(holds_in_child([&] {
    Executor executor = *Executor::make(*model);
    Observer observer;
    executor.observe(&observer);
    const auto observed = run(executor, {square_images(4)});
    executor.observe(nullptr);
    const auto after = run(executor, {square_images(4)});
    return observed && after && observer.plans == 4 && observer.in_order;
  }));
}

}  // namespace
}  // namespace casemate::engine
