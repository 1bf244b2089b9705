// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/plan/plan.h"

#include "isolated/engine/engine.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/inspect/answer.h"
#include "isolated/inspect/model_file.h"

namespace casemate::inspect {
namespace {

std::string network() {
  engine::ModelBuilder b;
  b.input("x", {-1, 3, 10, 10});
  b.output("y", {-1, 6});
  b.noise("w", {6, 3, 3, 3});
  b.node("Conv", {"x", "w"}, "c");
  b.node("Relu", {"c"}, "r");
  b.node("GlobalAveragePool", {"r"}, "p");
  b.node("Flatten", {"p"}, "y");
  return b.bytes();
}

TEST(PlanAnswer, as_json_is_read_back_as_the_plan_that_runs) {
  const std::string file = network();
  const auto answer = plan(mapped(file), {.json = true, .batch = 5});
  ASSERT_TRUE(answer) << answer.error().text;
  const auto read = engine::plan_from_json(answer->text);
  ASSERT_TRUE(read) << read.error().text;
  const auto model = engine::Model::load(bytes_of(std::string_view(file)), {.batch_sizes = {5}});
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_EQ(*read, model->compiled().front().plan.data());
  EXPECT_EQ(read->inputs[0].shape, (Shape{1, 3, 10, 10})) << "one item at a time is quicker";
}

TEST(PlanAnswer, says_that_a_batch_is_made_item_by_item) {
  const auto batch = plan(mapped(network()), {.batch = 5});
  ASSERT_TRUE(batch) << batch.error().text;
  const char* const words = "[5,3,10,10] is made item by item: this plan runs 5 times\n";
  EXPECT_TRUE(batch->text.contains(words)) << batch->text;
  const auto one = plan(mapped(network()), {});
  ASSERT_TRUE(one) << one.error().text;
  EXPECT_FALSE(one->text.contains("item by item")) << one->text;
}

TEST(PlanAnswer, as_text_has_steps_places_and_totals) {
  const auto answer = plan(mapped(network()), {});
  ASSERT_TRUE(answer) << answer.error().text;
  for (const char* part :
       {"in0 FP32 [1,3,10,10], 1200 bytes\n", "out0 FP32 [1,6], 24 bytes\n", "    0  ", " -> out0",
        " steps, 0 of them slow; 0.000 GFLOP, ", "weights packed "})
    EXPECT_TRUE(answer->text.contains(part)) << part << "is missing in\n" << answer->text;
}

TEST(PlanAnswer, of_a_model_whose_data_decides_on_shapes_is_refused) {
  engine::ModelBuilder b;
  b.input("x", {6});
  b.output("y", {1, -1}, onnx::TensorProto::INT64);
  b.node("NonZero", {"x"}, "y");
  const auto answer = plan(mapped(b.bytes()), {});
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().text.contains("before there is data")) << answer.error().text;
}

}  // namespace
}  // namespace casemate::inspect
