// SPDX-License-Identifier: Apache-2.0
// The file of a model is read while it is loaded, and never again; who changes it meanwhile spoils
// results.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/memory_file.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

constexpr int64_t kWidth = 128;  // of weights that stay in the file while it is read

// A file that can be written to while it is mapped.
struct File {
  explicit File(const ModelBuilder& builder) {
    const std::string bytes = builder.bytes();
    size = bytes.size();
    CHECK(::write(fd.number(), bytes.data(), size) == static_cast<ssize_t>(size), "it is written");
    mapping = *Mapping::shared(fd.number(), size);
  }
  // Whatever is read of it now is wrong.
  void spoil() { std::ranges::fill(mapping.bytes(), uint8_t{0xFF}); }

  Fd fd = *make_memory_file("casemate-model");
  size_t size = 0;
  Mapping mapping;
};

// x [N,128] through a product, a convolution with batch normalization, and an addition.
ModelBuilder network() {
  ModelBuilder b;
  b.input("x", {-1, kWidth});
  b.output("y", {-1, kWidth, 1, 1});
  b.noise("w", {kWidth, kWidth});
  b.node("MatMul", {"x", "w"}, "product");
  b.integers("shape", {4}, {-1, kWidth, 1, 1});
  b.node("Reshape", {"product", "shape"}, "image");
  b.noise("kernel", {kWidth, kWidth, 1, 1});
  b.node("Conv", {"image", "kernel"}, "convolved");
  for (const char* name : {"scale", "shift", "mean"}) b.noise(name, {kWidth}, 0.5F);
  b.floats("variance", {kWidth}, std::vector<float>(kWidth, 1));
  b.node("BatchNormalization", {"convolved", "scale", "shift", "mean", "variance"}, "y");
  return b;
}

// The same product for any number of rows in any number of groups: its graph is kept.
ModelBuilder product_of_any_shape() {
  ModelBuilder b;
  b.input("x", {-1, -1, kWidth});
  b.output("y", {-1, -1, kWidth});
  b.noise("w", {kWidth, kWidth});
  b.node("MatMul", {"x", "w"}, "y");
  return b;
}

// x w if the condition holds, else x: the branch sees weights of the graph around it.
ModelBuilder product_in_a_branch() {
  ModelBuilder b;
  b.input("condition", {}, onnx::TensorProto::BOOL);
  b.input("x", {2, kWidth});
  b.output("y", {2, kWidth});
  b.noise("w", {kWidth, kWidth});
  auto& choice = b.node("If", {"condition"}, "y");
  for (const std::string name : {"then_branch", "else_branch"}) {
    auto& attribute = *choice.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    auto& graph = *attribute.mutable_g();
    graph.set_name(name);
    graph.add_output()->set_name(name + "/y");
    auto& node = *graph.add_node();
    node.set_op_type(name == "then_branch" ? "MatMul" : "Identity");
    node.add_input("x");
    if (name == "then_branch") node.add_input("w");
    node.add_output(name + "/y");
  }
  return b;
}

std::vector<float> counting(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 13) / 13;
  return values;
}

// y = x w in double precision.
std::vector<float> product(const std::vector<float>& x, const onnx::TensorProto& weights) {
  const auto* w = static_cast<const float*>(static_cast<const void*>(weights.raw_data().data()));
  std::vector<float> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    double sum = 0;
    const size_t row = i / kWidth * kWidth;
    for (size_t k = 0; k < kWidth; ++k) sum += double{x[row + k]} * w[k * kWidth + i % kWidth];
    y[i] = static_cast<float>(sum);
  }
  return y;
}

void expect_close(const std::vector<float>& have, const std::vector<float>& want) {
  ASSERT_EQ(have.size(), want.size());
  for (size_t i = 0; i < have.size(); ++i) ASSERT_NEAR(have[i], want[i], 1e-3) << i;
}

TEST(File, is_not_needed_once_the_model_is_loaded) {
  const ModelBuilder builder = network();
  const std::string bytes = builder.bytes();
  Model kept = *Model::load(bytes_of(std::string_view(bytes)), {});
  File file(builder);
  Model model = *Model::load(file.mapping, {});
  file.spoil();
  ASSERT_TRUE(model.seal());
  Executor executor = *Executor::make(model);
  Executor other = *Executor::make(kept);
  for (const int64_t batch : {1, 2, 8, 11}) {
    const std::vector<float> x = counting(static_cast<size_t>(batch * kWidth));
    const auto y = run(executor, {{Shape{batch, kWidth}, x}});
    const auto z = run(other, {{Shape{batch, kWidth}, x}});
    ASSERT_TRUE(y && z);
    EXPECT_EQ(y->front().values, z->front().values);
  }
}

TEST(File, is_not_needed_by_shapes_that_are_seen_later) {
  ModelBuilder builder = product_of_any_shape();
  File file(builder);
  Model model = *Model::load(file.mapping, {.shapes = {{{"N", 2}}}});
  file.spoil();
  ASSERT_TRUE(model.seal());
  Executor executor = *Executor::make(model);
  for (const Shape& shape : {Shape{2, 2, kWidth}, Shape{1, 3, kWidth}, Shape{4, 1, kWidth}}) {
    const std::vector<float> x = counting(*shape.element_count());
    const auto y = run(executor, {{shape, x}});
    ASSERT_TRUE(y) << y.error().text;
    expect_close(y->front().values, product(x, builder.graph().initializer(0)));
  }
}

TEST(File, is_not_needed_by_the_branches_of_a_node) {
  ModelBuilder builder = product_in_a_branch();
  File file(builder);
  Model model = *Model::load(file.mapping, {});
  file.spoil();
  ASSERT_TRUE(model.seal());
  Executor executor = *Executor::make(model);
  const std::vector<float> x = counting(2 * kWidth);
  const uint8_t yes = 1;
  const std::vector<TensorView> inputs = {
      {ElementType::kBool, Shape{}, Bytes(&yes, 1)},
      {ElementType::kFloat32, Shape{2, kWidth}, bytes_of_floats(x)}};
  HeldOutputs sink;
  const Status done = executor.run(inputs, sink);
  ASSERT_TRUE(done) << done.error().text;
  expect_close(sink.outputs[0].values, product(x, builder.graph().initializer(0)));
}

TEST(File, has_its_weights_packed_once_though_the_graph_is_kept) {
  File file(product_of_any_shape());
  const Model model = *Model::load(file.mapping, {.shapes = {{{"N", 2}}}});
  const uint64_t weights = kWidth * kWidth * sizeof(float);
  EXPECT_LT(model.memory().weight_bytes, 3 * weights / 2);
  EXPECT_EQ(model.memory().unpacked_bytes, weights);
}

TEST(File, that_changes_while_it_is_loaded_spoils_results_and_nothing_else) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the race is what is tested";
#endif
  File file(network());
  const std::string before(text_of(file.mapping.bytes()));
  for (int round = 0; round < 20; ++round) {
    std::ranges::copy(bytes_of(std::string_view(before)), file.mapping.bytes().begin());
    std::jthread writer([&](const std::stop_token& stop) {
      const MutableBytes bytes = file.mapping.bytes();
      for (size_t i = 0; !stop.stop_requested(); i = (i + 7919) % bytes.size()) bytes[i] ^= 0x55;
    });
    auto model = Model::load(file.mapping, {.batch_sizes = {1}});
    writer.request_stop();
    writer.join();
    if (!model) continue;
    auto executor = Executor::make(*model);
    ASSERT_TRUE(executor);
    EXPECT_TRUE(run(*executor, {{Shape{1, kWidth}, counting(kWidth)}}));
  }
}

// A mapping of a file that was cut has nothing behind it. Who loads it dies of that, and
// alone; in a jail every file is the monitor's own copy, which nobody can cut.
TEST(File, that_is_cut_while_it_is_loaded_costs_the_process_that_loads_it) {
  File file(network());
  ASSERT_EQ(::ftruncate(file.fd.number(), 0), 0);
  const int status = in_child([&] {
    ::signal(SIGBUS, SIG_DFL);  // sanitizers have their own
    return Model::load(file.mapping, {}).has_value();
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGBUS);
}

}  // namespace
}  // namespace casemate::engine
