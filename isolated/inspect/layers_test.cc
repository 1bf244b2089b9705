// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/layers.h"

#include <nlohmann/json.hpp>

#include "isolated/engine/onnx/model_builder.h"
#include "isolated/inspect/answer.h"
#include "isolated/inspect/model_file.h"
#include "isolated/inspect/sample.h"

namespace casemate::inspect {
namespace {

std::vector<Layer> three() {
  return {
      {.name = "conv1", .op = "Conv", .kernel = "gemm", .ms = 3, .arithmetic_ms = 2, .lost_ms = 1},
      {.name = "add", .op = "Add", .kernel = "loop", .ms = 6, .memory_ms = 1, .lost_ms = 5},
      {.name = "conv12",
       .op = "Conv",
       .kernel = "gemm",
       .ms = 8,
       .arithmetic_ms = 5,
       .lost_ms = 3}};
}

TEST(Layers, are_arranged_by_lost_time_or_as_they_run) {
  const auto names = [](const std::vector<Layer>& layers) {
    std::string all;
    for (const Layer& layer : layers) all += layer.name + " ";
    return all;
  };
  EXPECT_EQ(names(arranged(three(), Order::kTime)), "add conv12 conv1 ");
  EXPECT_EQ(names(arranged(three(), Order::kOrder)), "conv1 add conv12 ");
  EXPECT_EQ(names(arranged(three(), Order::kKind)), "add conv# ");
}

TEST(Layers, of_one_kind_are_summed_up) {
  const Layer convolutions = arranged(three(), Order::kKind)[1];
  EXPECT_EQ(convolutions.steps, 2u);
  EXPECT_DOUBLE_EQ(convolutions.ms, 11);
  EXPECT_DOUBLE_EQ(convolutions.bound_ms(), 7);
  EXPECT_DOUBLE_EQ(convolutions.lost_ms, 4);
  const Layer all = sum_of(three());
  EXPECT_EQ(all.steps, 3u);
  EXPECT_DOUBLE_EQ(all.share(), 8.0 / 17);
  EXPECT_FALSE(all.by_memory());
}

engine::ModelBuilder product() {
  engine::ModelBuilder b;
  b.input("x", {64, 256});
  b.output("y", {64, 256});
  b.noise("w", {256, 256});
  b.node("MatMul", {"x", "w"}, "m");
  b.node("Sigmoid", {"m"}, "s");
  b.node("Add", {"s", "x"}, "y");
  return b;
}

TEST(Layers, are_bounded_by_the_ceiling_that_is_nearer) {
  const std::string file = product().bytes();
  const auto model = engine::Model::load(bytes_of(std::string_view(file)), {});
  ASSERT_TRUE(model) << model.error().text;
  engine::Executor executor = *engine::Executor::make(*model);
  const Sample sample = *Sample::make(*model);
  KeptOutputs outputs;
  Stopwatch stopwatch;
  executor.observe(&stopwatch);
  ASSERT_TRUE(executor.run(sample.views(), outputs));
  // One byte takes as long as a thousand operations: a product of this size is memory's.
  const std::vector<Layer> slow_memory = stopwatch.layers({"", 1e9, 1e6});
  const std::vector<Layer> slow_units = stopwatch.layers({"", 1e6, 1e12});
  ASSERT_EQ(slow_memory.size(), model->compiled().front().plan.steps.size());
  const auto product_of = [](const std::vector<Layer>& layers) {
    return *std::ranges::max_element(layers, {}, &Layer::flops);
  };
  const Layer by_memory = product_of(slow_memory);
  EXPECT_EQ(by_memory.flops, 2.0 * 64 * 256 * 256);
  EXPECT_TRUE(by_memory.by_memory());
  EXPECT_DOUBLE_EQ(by_memory.bound_ms(), 1e3 * by_memory.bytes / 1e6);
  const Layer by_units = product_of(slow_units);
  EXPECT_FALSE(by_units.by_memory());
  EXPECT_DOUBLE_EQ(by_units.bound_ms(), 1e3 * by_units.flops / 1e6);
  EXPECT_GT(by_units.ms, 0);
}

#ifndef __SANITIZE_ADDRESS__
TEST(Ceiling, is_what_a_large_product_comes_near_to_and_does_not_pass) {
  engine::ModelBuilder b;
  b.input("x", {384, 512});
  b.output("y", {384, 512});
  b.noise("w", {512, 512});
  b.node("MatMul", {"x", "w"}, "y");
  const std::string file = b.bytes();
  const auto model = engine::Model::load(bytes_of(std::string_view(file)), {});
  ASSERT_TRUE(model) << model.error().text;
  engine::Executor executor = *engine::Executor::make(*model);
  const Sample sample = *Sample::make(*model);
  KeptOutputs outputs;
  const auto ceiling = measure_ceiling(1);
  ASSERT_TRUE(ceiling) << ceiling.error().text;
  double best = 0;
  for (int i = 0; i < 300; ++i) {
    Stopwatch stopwatch;
    executor.observe(&stopwatch);
    ASSERT_TRUE(executor.run(sample.views(), outputs));
    best = std::max(best, sum_of(stopwatch.layers(*ceiling)).share());
  }
  // Measured once more: a machine that was busy the first time may have lowered it.
  const auto again = measure_ceiling(1);
  ASSERT_TRUE(again) << again.error().text;
  best *= std::min(1.0, ceiling->flops_per_s / again->flops_per_s);
  EXPECT_GT(best, 0.75);
  EXPECT_LT(best, 1.1);
}
#endif

TEST(Ceiling, is_within_reason) {
  const auto ceiling = measure_ceiling(1);
  ASSERT_TRUE(ceiling) << ceiling.error().text;
  EXPECT_GT(ceiling->flops_per_s, 1e9);
  // A core of 10 GHz with two units of 16 floats.
  EXPECT_LT(ceiling->flops_per_s, 2.0 * 10e9 * 2 * 16);
  EXPECT_GT(ceiling->bytes_per_s, 1e8);
  EXPECT_LT(ceiling->bytes_per_s, 1e12);
  EXPECT_FALSE(ceiling->instruction_set.empty());
}

TEST(ProfileAnswer, has_every_layer_and_their_total) {
  const auto answer =
      profile(mapped(product().bytes()), {.json = true, .order = Order::kOrder, .rounds = 3});
  ASSERT_TRUE(answer) << answer.error().text;
  const auto found = nlohmann::json::parse(answer->text);
  double ms = 0;
  for (const auto& layer : found["layers"]) ms += layer["ms"].get<double>();
  EXPECT_GT(ms, 0);
  EXPECT_NEAR(found["total"]["ms"].get<double>(), ms, 1e-9);
  EXPECT_EQ(found["layers"][0]["operator"], "Gemm") << found["layers"];
  EXPECT_EQ(found["layers"][0]["flops"], 2.0 * 64 * 256 * 256);
  EXPECT_EQ(found["rounds"], 3);
  const auto text = profile(mapped(product().bytes()), {.rounds = 1});
  ASSERT_TRUE(text) << text.error().text;
  EXPECT_TRUE(text->text.starts_with("ceilings, measured now with 1 thread: ")) << text->text;
  EXPECT_TRUE(text->text.contains("of what bounds each of ")) << text->text;
}

TEST(Sample, is_of_every_type_what_its_input_takes) {
  engine::ModelBuilder b;
  const std::pair<const char*, int> inputs[] = {
      {"mask", onnx::TensorProto::INT64},     {"positions", onnx::TensorProto::INT32},
      {"types", onnx::TensorProto::INT64},    {"numbers", onnx::TensorProto::UINT8},
      {"halves", onnx::TensorProto::FLOAT16}, {"truths", onnx::TensorProto::BOOL}};
  for (const auto& [name, type] : inputs) {
    b.input(name, {2, 5}, type);
    b.output(std::string("out_") + name, {2, 5}, type);
    b.node("Identity", {name}, std::string("out_") + name);
  }
  const std::string file = b.bytes();
  const auto model = engine::Model::load(bytes_of(std::string_view(file)), {});
  ASSERT_TRUE(model) << model.error().text;
  const Sample sample = *Sample::make(*model);
  const std::vector<TensorView> views = sample.views();
  const auto* mask = static_cast<const int64_t*>(static_cast<const void*>(views[0].data.data()));
  EXPECT_EQ(mask[7], 1);
  const auto* places = static_cast<const int32_t*>(static_cast<const void*>(views[1].data.data()));
  EXPECT_EQ(places[7], 2);
  for (const uint8_t truth : views[5].data) EXPECT_LE(truth, 1);
  engine::Executor executor = *engine::Executor::make(*model);
  KeptOutputs outputs;
  EXPECT_TRUE(executor.run(views, outputs));
}

}  // namespace
}  // namespace casemate::inspect
