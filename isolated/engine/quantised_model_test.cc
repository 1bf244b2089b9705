// SPDX-License-Identifier: Apache-2.0
// Files of quantised models, from end to end.
#include <gtest/gtest.h>

#include <set>

#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

Result<Model> load_file(const ModelBuilder& builder, LoadOptions options = {}) {
  const std::string bytes = builder.bytes();
  return Model::load(bytes_of(std::string_view(bytes)), options);
}

// A file of quantised values in the making.
struct QuantisedBuilder {
  ModelBuilder file;

  onnx::TensorProto& raw(const std::string& name, const Dims& dims, int type, std::string bytes) {
    onnx::TensorProto& tensor = *file.graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const int64_t dim : dims) tensor.add_dims(dim);
    tensor.set_raw_data(std::move(bytes));
    return tensor;
  }
  // Signed bytes that nothing repeats soon.
  void bytes(const std::string& name, const Dims& dims) {
    size_t count = 1;
    for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
    std::string values(count, '\0');
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<char>(i * 37 % 251 - 125);
    raw(name, dims, onnx::TensorProto::INT8, std::move(values));
  }
  void steps(const std::string& name, float scale, char zero) {
    file.floats(name + ".scale", {}, {scale});
    raw(name + ".zero", {}, onnx::TensorProto::UINT8, std::string(1, zero));
  }
  // The value as bytes and back, named `to`.
  void told(const std::string& from, const std::string& to, float scale, char zero) {
    steps(to, scale, zero);
    file.node("QuantizeLinear", {from, to + ".scale", to + ".zero"}, to + ".bytes");
    file.node("DequantizeLinear", {to + ".bytes", to + ".scale", to + ".zero"}, to);
  }
  void weights(const std::string& name, const Dims& dims) {
    bytes(name + ".bytes", dims);
    file.floats(name + ".scale", {dims[0]},
                std::vector<float>(static_cast<size_t>(dims[0]), 0.003F));
    raw(name + ".zero", {dims[0]}, onnx::TensorProto::INT8,
        std::string(static_cast<size_t>(dims[0]), '\0'));
    set_int(file.node("DequantizeLinear", {name + ".bytes", name + ".scale", name + ".zero"}, name),
            "axis", 0);
  }
};

// [N,3,10,10] to [N,7]: a convolution, a residual, an average, a product.
QuantisedBuilder image_network() {
  QuantisedBuilder b;
  b.file.input("image", {-1, 3, 10, 10});
  b.file.output("y", {-1, 7});
  b.told("image", "x", 0.02F, static_cast<char>(128));
  b.weights("w1", {16, 3, 3, 3});
  set_ints(b.file.node("Conv", {"x", "w1"}, "c1"), "pads", {1, 1, 1, 1});
  b.file.node("Relu", {"c1"}, "r1");
  b.told("r1", "t1", 0.01F, 0);
  b.weights("w2", {16, 16, 3, 3});
  set_ints(b.file.node("Conv", {"t1", "w2"}, "c2"), "pads", {1, 1, 1, 1});
  b.told("c2", "t2", 0.02F, 100);
  b.file.node("Add", {"t2", "t1"}, "sum");
  b.file.node("Relu", {"sum"}, "r2");
  b.told("r2", "t3", 0.02F, 0);
  b.file.node("GlobalAveragePool", {"t3"}, "mean");
  b.told("mean", "t4", 0.005F, 0);
  set_int(b.file.node("Flatten", {"t4"}, "flat"), "axis", 1);
  b.told("flat", "t5", 0.005F, 0);
  b.weights("w3", {7, 16});
  set_int(b.file.node("Gemm", {"t5", "w3"}, "g"), "transB", 1);
  b.told("g", "y", 0.01F, static_cast<char>(128));
  return b;
}

std::vector<float> numbers(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * 29 % 101) / 40 - 1.25F;
  return values;
}

TEST(QuantisedModel, runs_on_integers_from_end_to_end) {
  const auto model = load_file(image_network().file, {.batch_sizes = {1}});
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_TRUE(model->slow_nodes().empty());
  const std::string plan = model->compiled().front().plan.text();
  EXPECT_TRUE(plan.contains("bytes windows")) << plan;
  EXPECT_FALSE(plan.contains("gemm windows")) << plan;
  // To bytes, two convolutions, an average, a product, and back; the flattening is a view.
  EXPECT_LE(model->compiled().front().plan.steps.size(), 6u) << plan;
}

TEST(QuantisedModel, keeps_weights_as_bytes_alone) {
  const auto model = load_file(image_network().file, {.batch_sizes = {1, 2}});
  ASSERT_TRUE(model) << model.error().text;
  // 2848 weights, packed to whole vectors; as floats they would be four times as many.
  EXPECT_LT(model->memory().weight_bytes, 12000u);
}

TEST(QuantisedModel, any_batch_gives_each_item_what_it_gets_alone) {
  const auto model = load_file(image_network().file, {.batch_sizes = {1, 4}});
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_GT(model->description().batch_max, 4u);
  Executor executor = *Executor::make(*model);
  const auto images = numbers(7 * 300);
  const auto together = run(executor, {{Shape{7, 3, 10, 10}, images}});
  ASSERT_TRUE(together) << together.error().text;
  std::set<float> different;
  for (size_t item = 0; item < 7; ++item) {
    const std::vector<float> image(images.begin() + static_cast<ptrdiff_t>(item * 300),
                                   images.begin() + static_cast<ptrdiff_t>((item + 1) * 300));
    const auto alone = run(executor, {{Shape{1, 3, 10, 10}, image}});
    ASSERT_TRUE(alone);
    for (size_t i = 0; i < 7; ++i) {
      EXPECT_EQ(together->front().values[item * 7 + i], alone->front().values[i]);
      different.insert(alone->front().values[i]);
    }
  }
  EXPECT_GT(different.size(), 10u) << "nothing saturates everywhere";
}

// Rows [N,30] by a matrix, quantised by what they hold: the batch is one value, not items.
QuantisedBuilder dynamic_product() {
  QuantisedBuilder b;
  b.file.input("x", {-1, 30});
  b.file.output("y", {-1, 20});
  auto& quantise = b.file.node("DynamicQuantizeLinear", {"x"}, "x.bytes");
  quantise.add_output("x.scale");
  quantise.add_output("x.zero");
  b.bytes("w", {30, 20});
  b.file.floats("w.scale", {}, {0.01F});
  b.file.node("MatMulInteger", {"x.bytes", "w", "x.zero"}, "sums");
  set_int(b.file.node("Cast", {"sums"}, "real"), "to", onnx::TensorProto::FLOAT);
  b.file.node("Mul", {"x.scale", "w.scale"}, "scale");
  b.file.node("Mul", {"real", "scale"}, "scaled");
  b.file.noise("bias", {20});
  b.file.node("Add", {"scaled", "bias"}, "y");
  return b;
}

TEST(QuantisedModel, dynamic_products_are_the_same_in_plans_that_come_later) {
  const auto model = load_file(dynamic_product().file, {.batch_sizes = {3}});
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_TRUE(model->slow_nodes().empty());
  const auto planned = load_file(dynamic_product().file, {.batch_sizes = {5}});
  ASSERT_TRUE(planned) << planned.error().text;
  Executor later = *Executor::make(*model);
  Executor now = *Executor::make(*planned);
  const std::vector<RunInput> inputs = {{Shape{5, 30}, numbers(150)}};
  const auto expected = run(now, inputs);
  const auto got = run(later, inputs);
  ASSERT_TRUE(expected && got);
  for (size_t i = 0; i < 100; ++i)
    EXPECT_NEAR(got->front().values[i], expected->front().values[i], 1e-5F);
  EXPECT_NE(got->front().values[0], got->front().values[41]);
}

// The items of a batch share one scale: what one client sends would change another's answer.
TEST(QuantisedModel, a_batch_quantised_by_what_it_holds_is_not_shared) {
  const auto model = load_file(dynamic_product().file, {.batch_sizes = {1, 3}});
  ASSERT_TRUE(model);
  EXPECT_LE(model->description().batch_max, 1u);
}

TEST(QuantisedModel, weights_whose_zero_point_has_another_type_are_refused) {
  QuantisedBuilder b = image_network();
  for (auto& tensor : *b.file.graph().mutable_initializer()) {
    if (tensor.name() == "w2.zero") tensor.set_data_type(onnx::TensorProto::UINT8);
  }
  const auto model = load_file(b.file, {.batch_sizes = {1}});
  ASSERT_FALSE(model);
  EXPECT_TRUE(model.error().text.contains("node 'w2'")) << model.error().text;
}

TEST(QuantisedModel, scales_that_fit_no_channel_are_refused) {
  QuantisedBuilder b = image_network();
  for (auto& tensor : *b.file.graph().mutable_initializer()) {
    if (tensor.name() != "w2.scale") continue;
    tensor.set_dims(0, 15);
    tensor.mutable_raw_data()->resize(60);
  }
  const auto model = load_file(b.file, {.batch_sizes = {1}});
  ASSERT_FALSE(model);
  EXPECT_TRUE(model.error().text.contains("node 'w2'")) << model.error().text;
}

}  // namespace
}  // namespace casemate::engine
