// SPDX-License-Identifier: Apache-2.0
// What a model is asked to be compiled for: extents by the names that they have in its file.
#include <gtest/gtest.h>

#include <algorithm>

#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

// "N" stands for extents that vary: of the batch alone, or of two.
ModelBuilder product(bool batched) {
  ModelBuilder b;
  const std::vector<int64_t> dims =
      batched ? std::vector<int64_t>{-1, 8} : std::vector<int64_t>{-1, -1, 8};
  b.input("x", dims);
  b.output("y", dims);
  b.noise("w", {8, 8});
  b.node("MatMul", {"x", "w"}, "y");
  return b;
}

Result<Model> load(const ModelBuilder& builder, const LoadOptions& options) {
  const std::string bytes = builder.bytes();
  return Model::load(bytes_of(std::string_view(bytes)), options);
}

std::vector<int64_t> compiled_batches(const Model& model) {
  std::vector<int64_t> batches;
  for (const Compiled& compiled : model.compiled())
    batches.push_back(compiled.inputs.front().shape[0]);
  return batches;
}

TEST(Shapes, of_a_model_whose_batch_alone_varies_are_batch_sizes) {
  const auto alone = load(product(true), {.batch_sizes = {}, .shapes = {{{"N", 6}}, {{"N", 3}}}});
  ASSERT_TRUE(alone) << alone.error().text;
  EXPECT_EQ(compiled_batches(*alone), (std::vector<int64_t>{6, 3, 1})) << "1 makes up any other";
  const auto both = load(product(true), {.batch_sizes = {4}, .shapes = {{{"N", 6}}}});
  ASSERT_TRUE(both) << both.error().text;
  EXPECT_EQ(compiled_batches(*both), (std::vector<int64_t>{6, 4, 1}));
}

TEST(Shapes, of_any_other_model_are_all_that_it_is_compiled_for) {
  const auto model = load(product(false), {.batch_sizes = {}, .shapes = {{{"N", 6}}, {{"N", 3}}}});
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_EQ(compiled_batches(*model), (std::vector<int64_t>{6, 3}));
  EXPECT_EQ(model->compiled().front().inputs.front().shape, (Shape{6, 6, 8}));
}

TEST(Shapes, that_were_compiled_run_like_those_that_were_not) {
  const auto compiled = load(product(false), {.batch_sizes = {}, .shapes = {{{"N", 3}}}});
  const auto planned = load(product(false), {});
  ASSERT_TRUE(compiled && planned);
  EXPECT_TRUE(planned->compiled().empty());
  Executor fast = *Executor::make(*compiled);
  Executor slow = *Executor::make(*planned);
  const RunInput x{Shape{3, 3, 8}, std::vector<float>(72, 0.5F)};
  const auto a = run(fast, {x});
  const auto b = run(slow, {x});
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->front().shape, b->front().shape);
  for (size_t i = 0; i < a->front().values.size(); ++i)
    EXPECT_NEAR(a->front().values[i], b->front().values[i], 1e-5);
}

TEST(Shapes, that_name_what_the_model_does_not_have_are_refused_with_what_it_has) {
  const auto refused = load(product(false), {.shapes = {{{"N", 2}, {"sequence", 128}}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(refused.error().text,
            "the model is to be compiled for an extent 'sequence', which its inputs do not have; "
            "those that vary are: 'N'");
  ModelBuilder fixed;
  fixed.input("x", {2, 8});
  fixed.output("y", {2, 8});
  fixed.node("Relu", {"x"}, "y");
  const auto none = load(fixed, {.shapes = {{{"N", 2}}}});
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().text.ends_with("those that vary are: none")) << none.error().text;
}

TEST(Shapes, beyond_what_can_be_compiled_are_refused) {
  for (const int64_t extent : {int64_t{-1}, (int64_t{1} << 20) + 1}) {
    for (const bool batched : {true, false}) {
      const auto refused = load(product(batched), {.shapes = {{{"N", extent}}}});
      ASSERT_FALSE(refused) << extent;
      EXPECT_EQ(refused.error().code, Code::kInvalid);
    }
  }
  EXPECT_FALSE(load(product(true), {.shapes = {{{"N", 0}}}})) << "a batch has an item";
  EXPECT_FALSE(load(product(true), {.batch_sizes = {}})) << "it must be compiled for something";
}

}  // namespace
}  // namespace casemate::engine
