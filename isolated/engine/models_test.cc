// SPDX-License-Identifier: Apache-2.0
// Models that others have made, end to end. They lie beside the checkout, not in it.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

std::filesystem::path data_folder() {
  const char* source = std::getenv("CASEMATE_SOURCE");
  return std::filesystem::path(source == nullptr ? "." : source) / ".." / "shared" / "data";
}

#define NEED(path)                    \
  if (!std::filesystem::exists(path)) \
  GTEST_SKIP() << (path) << " is not there: it lies beside the checkout"

Result<Model> load(const std::filesystem::path& path, int threads = 1) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return Model::load(bytes_of(std::string_view(bytes)), {.threads = threads});
}

// The bytes of a gzip file from `skip` on.
std::vector<uint8_t> unzipped(const std::filesystem::path& path, size_t skip) {
  std::FILE* pipe = ::popen(("gzip -dc " + path.string()).c_str(), "r");
  if (pipe == nullptr) return {};
  std::vector<uint8_t> bytes;
  std::array<uint8_t, 65536> buffer;
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(got));
  }
  ::pclose(pipe);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(std::min(skip, bytes.size())));
  return bytes;
}

TEST(Models, mnist_8_reads_handwriting) {
  const auto folder = data_folder();
  NEED(folder / "models/mnist_8.onnx");
  NEED(folder / "mnist/t10k-images-idx3-ubyte.gz");
  const auto model = load(folder / "models/mnist_8.onnx");
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_TRUE(model->slow_nodes().empty());
  // Biases, activations and the flattening are all part of the convolutions and the product.
  EXPECT_EQ(model->compiled().front().plan.steps.size(), 5u)
      << model->compiled().front().plan.text();
  const auto pixels = unzipped(folder / "mnist/t10k-images-idx3-ubyte.gz", 16);
  const auto labels = unzipped(folder / "mnist/t10k-labels-idx1-ubyte.gz", 8);
  ASSERT_EQ(pixels.size(), 784u * 10000u);
  ASSERT_EQ(labels.size(), 10000u);
  Executor executor = *Executor::make(*model);
  size_t right = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto first = pixels.begin() + static_cast<ptrdiff_t>(784 * i);
    const auto result = run(executor, {{Shape{1, 1, 28, 28}, {first, first + 784}}});
    ASSERT_TRUE(result) << result.error().text;
    const auto& scores = result->front().values;
    if (std::ranges::max_element(scores) - scores.begin() == labels[i]) ++right;
  }
  // ONNX Runtime 1.30 gets 9,891; rounding may tip a close one.
  EXPECT_NEAR(static_cast<double>(right), 9891, 2);
}

TEST(Models, super_resolution_10_makes_a_grey_picture_grey) {
  const auto path = data_folder() / "models/super_resolution_10.onnx";
  NEED(path);
  const auto model = load(path);
  ASSERT_TRUE(model) << model.error().text;
  EXPECT_GT(model->description().batch_max, 0u);
  Executor executor = *Executor::make(*model);
  const auto result = run(executor, {{Shape{1, 1, 224, 224}, std::vector<float>(224 * 224, 0.5F)}});
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->front().shape, (Shape{1, 1, 672, 672}));
  EXPECT_NEAR(result->front().values[336 * 672 + 336], 0.50238, 1e-5);
}

TEST(Models, version_rfb_320_finds_nothing_in_a_grey_picture) {
  const auto path = data_folder() / "models/version-RFB-320.onnx";
  NEED(path);
  const auto model = load(path);
  ASSERT_TRUE(model) << model.error().text;
  // oneDNN joins no rows of these widths.
  for (const std::string& name : model->slow_nodes())
    EXPECT_TRUE(name.starts_with("Concat ")) << name;
  Executor executor = *Executor::make(*model);
  const auto result =
      run(executor, {{Shape{1, 3, 240, 320}, std::vector<float>(3 * 240 * 320, 0)}});
  ASSERT_TRUE(result) << result.error().text;
  const float scores[] = {0.94266F, 0.05734F};
  const float box[] = {0.00211F, 0.00388F, 0.02349F, 0.04172F};
  for (size_t i = 0; i < 2; ++i) EXPECT_NEAR((*result)[0].values[i], scores[i], 1e-5);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR((*result)[1].values[i], box[i], 1e-5);
}

TEST(Models, silero_vad_hears_nothing_in_silence) {
  const auto path = data_folder() / "models/silero_vad.onnx";
  NEED(path);
  const auto model = load(path);
  ASSERT_TRUE(model) << model.error().text;
  Executor executor = *Executor::make(*model);
  const struct {
    int64_t samples;
    int64_t rate;
    float probability;
  } cases[] = {{576, 16000, 0.0016698F}, {288, 8000, 0.0173675F}};
  for (const auto& given : cases) {
    const std::vector<float> silence(static_cast<size_t>(given.samples));
    const std::vector<float> state(256);
    const TensorView inputs[] = {
        {ElementType::kFloat32, Shape{1, given.samples}, bytes_of_floats(silence)},
        {ElementType::kFloat32, Shape{2, 1, 128}, bytes_of_floats(state)},
        {ElementType::kInt64, Shape{}, bytes_of(given.rate)}};
    HeldOutputs outputs;
    const Status ran = executor.run(inputs, outputs);
    ASSERT_TRUE(ran) << ran.error().text;
    EXPECT_NEAR(outputs.outputs[0].values[0], given.probability, 1e-5) << given.rate;
    EXPECT_EQ(outputs.outputs[1].shape, (Shape{2, 1, 128}));
  }
}

}  // namespace
}  // namespace casemate::engine
