// SPDX-License-Identifier: Apache-2.0
// Outputs whose extents vary with the batch in other ways than extent 0 being the batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

Result<Model> load(const ModelBuilder& builder) {
  const std::string bytes = builder.bytes();
  return Model::load(bytes_of(std::string_view(bytes)), {});
}

std::vector<float> counting(size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 1.0F);
  return values;
}

// A sink whose outputs are followed by cells that nobody may write.
class GuardedOutputs final : public OutputSink {
 public:
  static constexpr size_t kGuard = 256;
  static constexpr float kUntouched = -77;

  Result<MutableBytes> memory(size_t, ElementType, const Shape& shape, uint64_t bytes) override {
    shapes.push_back(shape);
    cells.emplace_back(bytes / sizeof(float) + kGuard, kUntouched);
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(cells.back().data())), bytes);
  }
  [[nodiscard]] bool intact() const {
    return std::ranges::all_of(cells, [](const std::vector<float>& list) {
      return std::all_of(list.end() - kGuard, list.end(), [](float v) { return v == kUntouched; });
    });
  }
  [[nodiscard]] std::vector<float> output(size_t index) const {
    return {cells[index].begin(), cells[index].end() - kGuard};
  }
  std::vector<Shape> shapes;
  std::vector<std::vector<float>> cells;
};

Status run_guarded(const Model& model, const Shape& shape, const std::vector<float>& values,
                   GuardedOutputs& sink) {
  Executor executor = TRY(Executor::make(model));
  const TensorView view{ElementType::kFloat32, shape, bytes_of_floats(values)};
  return executor.run(std::span(&view, 1), sink);
}

// x [N,6,4], turned around by Neg twice so that something is computed, to y.
ModelBuilder boxes(const Dims& output, const std::vector<int64_t>& target) {
  ModelBuilder b;
  b.input("x", {-1, 6, 4});
  b.output("y", output);
  b.node("Neg", {"x"}, "n");
  b.integers("target", {static_cast<int64_t>(target.size())}, target);
  b.node("Reshape", {"n", "target"}, "y");
  return b;
}

TEST(VaryingOutputs, several_rows_for_each_item_run_in_any_batch) {
  const struct {
    ModelBuilder model;
    Shape described;
    Shape of_one;
  } cases[] = {{boxes({-1, 4}, {-1, 4}), {-1, 4}, {6, 4}}, {boxes({-1}, {-1}), {-1}, {24}}};
  for (const auto& given : cases) {
    const auto model = load(given.model);
    ASSERT_TRUE(model) << model.error().text;
    EXPECT_EQ(model->description().outputs[0].shape(), given.described);
    EXPECT_EQ(model->description().batch_max, 0u) << "extent 0 of the output is not the batch";
    for (int64_t batch = 1; batch <= 8; ++batch) {
      SCOPED_TRACE(batch);
      const auto values = counting(static_cast<size_t>(batch) * 24);
      GuardedOutputs sink;
      const Status ran = run_guarded(*model, {batch, 6, 4}, values, sink);
      ASSERT_TRUE(ran) << ran.error().text;
      EXPECT_TRUE(sink.intact());
      Shape expected = given.of_one;
      expected[0] *= batch;
      EXPECT_EQ(sink.shapes[0], expected);
      const auto got = sink.output(0);
      ASSERT_EQ(got.size(), values.size());
      for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], -values[i]);
    }
  }
}

// What the transposition of [N,rows,columns] to [rows,N,columns] makes.
std::vector<float> rows_first(const std::vector<float>& x, size_t batch, size_t rows,
                              size_t columns) {
  std::vector<float> y(x.size());
  for (size_t n = 0; n < batch; ++n) {
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < columns; ++c)
        y[(r * batch + n) * columns + c] = x[(n * rows + r) * columns + c];
    }
  }
  return y;
}

// Any batch gives what it should, compiled for or not.
void expect_rows_first(const Model& model, const Shape& one, const Shape& output) {
  const auto rows = static_cast<size_t>(output[0]);
  const size_t columns = output.rank() == 3 ? static_cast<size_t>(output[2]) : 1;
  for (int64_t batch = 1; batch <= 8; ++batch) {
    SCOPED_TRACE(batch);
    const auto count = static_cast<size_t>(batch);
    const auto values = counting(count * rows * columns);
    Shape input = one;
    input[0] = batch;
    GuardedOutputs sink;
    const Status ran = run_guarded(model, input, values, sink);
    ASSERT_TRUE(ran) << ran.error().text;
    Shape expected = output;
    expected[1] = batch;
    EXPECT_EQ(sink.shapes[0], expected);
    EXPECT_EQ(sink.output(0), rows_first(values, count, rows, columns));
    EXPECT_TRUE(sink.intact());
  }
}

TEST(VaryingOutputs, the_batch_may_be_the_last_extent) {
  ModelBuilder b;
  b.input("x", {-1, 5});
  b.output("y", {5, -1});
  b.node("Transpose", {"x"}, "y");
  const auto model = load(b);
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_EQ(model->description().outputs[0].shape(), (Shape{5, -1}));
  EXPECT_EQ(model->description().batch_max, 0u);
  expect_rows_first(*model, {1, 5}, {5, 1});
}

TEST(VaryingOutputs, the_batch_may_be_in_the_middle) {
  ModelBuilder b;
  b.input("x", {-1, 7, 3});
  b.output("y", {7, -1, 3});
  set_ints(b.node("Transpose", {"x"}, "y"), "perm", {1, 0, 2});
  const auto model = load(b);
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_EQ(model->description().outputs[0].shape(), (Shape{7, -1, 3}));
  expect_rows_first(*model, {1, 7, 3}, {7, 1, 3});
}

TEST(VaryingOutputs, several_extents_may_vary) {
  ModelBuilder b;
  b.input("x", {-1, 8});
  b.output("y", {-1, -1});
  b.node("Transpose", {"x"}, "t");
  b.node("MatMul", {"x", "t"}, "y");
  const auto model = load(b);
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_EQ(model->description().outputs[0].shape(), (Shape{-1, -1}));
  for (const int64_t batch : {1, 2, 4, 8}) {
    GuardedOutputs sink;
    const auto values = counting(static_cast<size_t>(batch) * 8);
    const Status ran = run_guarded(*model, {batch, 8}, values, sink);
    ASSERT_TRUE(ran) << ran.error().text;
    EXPECT_EQ(sink.shapes[0], (Shape{batch, batch}));
    EXPECT_TRUE(sink.intact());
    EXPECT_FLOAT_EQ(sink.output(0)[0], 204);
  }
}

TEST(VaryingOutputs, batch_sizes_may_change_ranks_inside) {
  // Squeeze without axes takes a batch of 1 away, and no other: the last axis behind it is the
  // first of one and the second of the others.
  ModelBuilder b;
  b.input("x", {-1, 4});
  b.output("y", {-1, 4});
  b.node("Squeeze", {"x"}, "s");
  b.node("Softmax", {"s"}, "p");
  b.integers("rows", {2}, {-1, 4});
  b.node("Reshape", {"p", "rows"}, "y");
  const auto model = load(b);
  ASSERT_TRUE(model) << model.error().text;
  for (const int64_t batch : {1, 2, 3}) {
    GuardedOutputs sink;
    const auto count = static_cast<size_t>(batch) * 4;
    ASSERT_TRUE(run_guarded(*model, {batch, 4}, std::vector<float>(count, 1), sink));
    EXPECT_EQ(sink.output(0), std::vector<float>(count, 0.25F));
  }
}

}  // namespace
}  // namespace casemate::engine
