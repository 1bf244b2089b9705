// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "isolated/engine/engine.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/model_stream.h"
#include "outside/zoo/zoo.h"

namespace casemate {
namespace {

std::string model_bytes(const char* name) {
  const zoo::Graph graph = zoo::find_architecture(name)->build();
  std::string bytes;
  const Status done = zoo::ModelStream(graph, 1).write([&](Bytes piece) -> Status {
    bytes += text_of(piece);
    return {};
  });
  CHECK(done.has_value(), "a string takes everything");
  return bytes;
}

// Noise with mean 0 and variance 1, as prepared images have.
std::vector<float> noise(const Shape& shape, uint64_t seed) {
  std::vector<float> values(*shape.byte_size(ElementType::kFloat32) / sizeof(float));
  zoo::NumberStream(seed, "image").fill({}, 0, values);
  return values;
}

double root_of_mean_square(const std::vector<float>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

double deviation(std::vector<float> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  const auto mean = static_cast<float>(sum / static_cast<double>(values.size()));
  for (float& value : values) value -= mean;
  return root_of_mean_square(values);
}

// The first output of a run.
class HeldOutput final : public engine::OutputSink {
 public:
  Result<MutableBytes> memory(size_t output, ElementType, const Shape&, uint64_t bytes) override {
    std::vector<float>& held = output == 0 ? values : others;
    held.resize(bytes / sizeof(float));
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(held.data())), bytes);
  }
  std::vector<float> values;
  std::vector<float> others;
};

std::vector<float> run(engine::Executor& executor, const Shape& shape, uint64_t seed) {
  const std::vector<float> image = noise(shape, seed);
  const Bytes bytes(static_cast<const uint8_t*>(static_cast<const void*>(image.data())),
                    image.size() * sizeof(float));
  const TensorView view{ElementType::kFloat32, shape, bytes};
  HeldOutput sink;
  const Status done = executor.run({&view, 1}, sink);
  EXPECT_TRUE(done) << done.error().text;
  return sink.values;
}

class RunsInOurEngine : public testing::TestWithParam<const char*> {};

TEST_P(RunsInOurEngine, and_its_outputs_are_sound_and_depend_on_the_input) {
  // Which takes as long as several of the others.
  if (GetParam() == std::string_view("googlenet") && std::getenv("CASEMATE_WHOLE") == nullptr)
    GTEST_SKIP() << "./dev test --whole runs it";
  const std::string bytes = model_bytes(GetParam());
  const auto model = engine::Model::load(bytes_of(std::string_view(bytes)), {.batch_sizes = {1}});
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_TRUE(model->slow_nodes().empty()) << model->slow_nodes().front();
  const PortDescription& port = model->description().inputs[0];
  std::vector<int64_t> dims(port.dims.begin(), port.dims.begin() + port.rank);
  EXPECT_EQ(dims.front(), -1) << "the batch varies";
  dims.front() = 1;

  engine::Executor executor = *engine::Executor::make(*model);
  const std::vector<float> one = run(executor, Shape(dims), 1);
  const std::vector<float> two = run(executor, Shape(dims), 2);
  std::vector<float> apart = one;
  for (size_t i = 0; i < apart.size(); ++i) {
    ASSERT_TRUE(std::isfinite(apart[i])) << i;
    apart[i] -= two[i];
  }
  EXPECT_GT(deviation(one), 1e-3);
  EXPECT_LT(deviation(one), 1e3);
  EXPECT_GT(root_of_mean_square(apart), 0.01 * root_of_mean_square(one));
}

INSTANTIATE_TEST_SUITE_P(Zoo, RunsInOurEngine,
                         testing::Values("lenet-5", "squeezenet", "googlenet", "mobilenet-v1",
                                         "mobilenet-v2", "resnet-18", "densenet-121"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace casemate
