// SPDX-License-Identifier: Apache-2.0
// What `casemate serve` does with what an operator gives it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "outside/client/session.h"
#include "outside/launch/describe.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

class Serve : public testing::Test {
 protected:
  void SetUp() override {
    std::string scratch = "/tmp/casemate-test-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    models_ = scratch;
    fs::copy(source_folder() + "/models/digits", models_ + "/digits", fs::copy_options::recursive);
  }
  void TearDown() override {
    std::error_code ignored;
    if (!models_.empty()) fs::remove_all(models_, ignored);
  }
  std::string models_;
};

TEST_F(Serve, a_repository_made_for_triton_is_served_and_what_is_not_followed_is_named) {
  std::ofstream(models_ + "/digits/config.pbtxt")
      << "name: \"digits\"\nbackend: \"onnxruntime\"\n"
         "max_batch_size: 0  # not what the ONNX file says\n"
         "instance_group [ { count: 2 kind: KIND_GPU } ]\n";
  fs::create_directories(models_ + "/ensemble");
  std::ofstream(models_ + "/ensemble/config.pbtxt") << "platform: \"ensemble\"\n";
  const ServedSystem system(models_);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Witness witness(system.url());
  EXPECT_TRUE(witness.answered_again());
  EXPECT_EQ(witness.stop(), "");
  const std::string printed = system.printed();
  EXPECT_TRUE(printed.contains("casemate: warning: " + models_ +
                               "/digits/config.pbtxt: not followed: max_batch_size, "
                               "instance_group; the model is served as its ONNX file says"))
      << printed;
  EXPECT_TRUE(printed.contains("casemate: warning: " + models_ +
                               "/ensemble/config.pbtxt: configures a model that has no version"))
      << printed;
}

// A field of a protobuf message: numbers as varints, everything else with its length.
std::string field(int number, const std::string& content) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} +
         content;
}
std::string field(int number, char value) { return {static_cast<char>(number << 3), value}; }

// onnx.ValueInfoProto: FP32 [N,4] or, turned, [4,N].
std::string port(const std::string& name, bool turned) {
  const std::string varying = field(1, field(2, "N"));
  const std::string four = field(1, field(1, char{4}));
  const std::string shape = turned ? four + varying : varying + four;
  return field(1, name) + field(2, field(1, field(1, char{1}) + field(2, shape)));
}

// onnx.ModelProto of operator set 17 with that graph.
std::string model_of(const std::string& graph) {
  return field(1, char{8}) +
         std::string{7 << 3 | 2, static_cast<char>(graph.size() % 128 + 128),
                     static_cast<char>(graph.size() / 128)} +
         graph + field(8, field(2, char{17}));
}

// y = x + w, w four numbers in a file beside the model.
std::string model_with_external_data() {
  const std::string place = field(1, "location") + field(2, "weights.bin");
  const std::string weights =
      field(1, char{4}) + field(2, char{1}) + field(8, "w") + field(13, place) + field(14, char{1});
  const std::string add = field(1, "x") + field(1, "w") + field(2, "y") + field(4, "Add");
  return model_of(field(1, add) + field(2, "g") + field(5, weights) + field(11, port("x", false)) +
                  field(12, port("y", false)));
}

// y [4,N] is x [N,4] transposed.
std::string model_with_the_batch_behind() {
  const std::string node = field(1, "x") + field(2, "y") + field(4, "Transpose");
  return model_of(field(1, node) + field(2, "g") + field(11, port("x", false)) +
                  field(12, port("y", true)));
}

std::vector<float> floats_of(const client::Tensor& tensor) {
  std::vector<float> values(tensor.data.size() / sizeof(float));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = load<float>(Bytes(tensor.data).subspan(i * sizeof(float)));
  return values;
}

Result<client::Tensor> ask(const std::string& url, const std::string& model,
                           const std::vector<float>& values) {
  verify::Policy policy;
  policy.allow_software_root = true;
  auto session = TRY(client::Session::connect(url, policy));
  const Bytes bytes(static_cast<const uint8_t*>(static_cast<const void*>(values.data())),
                    values.size() * sizeof(float));
  const client::Tensor x{"x",
                         ElementType::kFloat32,
                         Shape{static_cast<int64_t>(values.size()) / 4, 4},
                         {bytes.begin(), bytes.end()}};
  auto outputs = TRY(session.infer(model, std::span(&x, 1)));
  return std::move(outputs.at(0));
}

TEST_F(Serve, a_model_with_external_data_and_one_whose_batch_is_not_extent_0_are_served) {
  for (const char* name : {"added", "turned"}) fs::create_directories(models_ + "/" + name + "/1");
  std::ofstream(models_ + "/added/1/model.onnx") << model_with_external_data();
  const std::vector<float> weights = {10, 20, 30, 40};
  std::ofstream(models_ + "/added/1/weights.bin")
      .write(static_cast<const char*>(static_cast<const void*>(weights.data())), 16);
  std::ofstream(models_ + "/turned/1/model.onnx") << model_with_the_batch_behind();
  const ServedSystem system(models_);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  const auto added = ask(system.url(), "added", {1, 2, 3, 4});
  ASSERT_TRUE(added) << added.error().text << system.printed();
  EXPECT_EQ(floats_of(*added), (std::vector<float>{11, 22, 33, 44}));
  const auto turned = ask(system.url(), "turned", {1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_TRUE(turned) << turned.error().text << system.printed();
  EXPECT_EQ(turned->shape, (Shape{4, 2})) << turned->shape.text();
  EXPECT_EQ(floats_of(*turned), (std::vector<float>{1, 5, 2, 6, 3, 7, 4, 8}));
  // A batch of 3 is neither compiled for nor can it be split: the instance plans it behind its
  // filter.
  const auto three = ask(system.url(), "turned", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  ASSERT_TRUE(three) << three.error().text << system.printed();
  EXPECT_EQ(floats_of(*three), (std::vector<float>{1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12}));
}

TEST_F(Serve, shapes_reach_the_model_and_one_that_it_does_not_have_is_named) {
  fs::create_directories(models_ + "/turned/1");
  std::ofstream(models_ + "/turned/1/model.onnx") << model_with_the_batch_behind();
  const ServedSystem right(models_, "[model.turned]\nshapes = [{ N = 3 }, { N = 2 }]\n");
  ASSERT_FALSE(right.url().empty()) << right.printed();
  const auto turned = ask(right.url(), "turned", {1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_TRUE(turned) << turned.error().text << right.printed();
  EXPECT_EQ(floats_of(*turned), (std::vector<float>{1, 5, 2, 6, 3, 7, 4, 8}));
  const ServedSystem wrong(models_, "[model.turned]\nshapes = [{ sequence = 3 }]\n");
  EXPECT_TRUE(
      wrong.printed().contains("an extent 'sequence', which its inputs do not have; those "
                               "that vary are: 'N'"))
      << wrong.printed();
}

launch::ModelFiles digits() {
  return {"digits", 1, source_folder() + "/models/digits/1", {"model.onnx"}};
}

TEST(Gateway, has_memory_for_all_that_clients_may_make_it_hold) {
  launch::SystemFile file;
  const auto system = launch::describe(file, {digits(), digits()}, build_folder() + "/bin");
  ASSERT_TRUE(system) << system.error().text;
  const SystemDescription& d = **system;
  EXPECT_EQ(d.enclaves[0].options.view(),
            "connections_max=16384;request_mib=64;idle_timeout_s=120;buffered_mib=1024");
  const uint64_t streams = d.streams[0].bulk_in_bytes + d.streams[1].bulk_in_bytes;
  EXPECT_EQ(d.enclaves[0].memory_bytes, (2048ull << 20) + streams);
  EXPECT_GT(d.partitions[0].memory_bytes, d.enclaves[0].memory_bytes);
}

TEST(Gateway, with_little_memory_takes_fewer_connections_and_no_large_requests) {
  launch::SystemFile file;
  file.gateway.memory_mib = 64;
  const auto refused = launch::describe(file, {digits()}, build_folder() + "/bin");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().text.contains("request_mib is 64")) << refused.error().text;
  file.gateway.request_mib = 16;
  const auto system = launch::describe(file, {digits()}, build_folder() + "/bin");
  ASSERT_TRUE(system) << system.error().text;
  EXPECT_EQ((*system)->enclaves[0].options.view(),
            "connections_max=512;request_mib=16;idle_timeout_s=120;buffered_mib=32");
  file.gateway.classical_key_exchange = true;
  const auto lenient = launch::describe(file, {digits()}, build_folder() + "/bin");
  ASSERT_TRUE(lenient) << lenient.error().text;
  EXPECT_TRUE((*lenient)->enclaves[0].options.view().ends_with(";classical_key_exchange=1"))
      << "it is measured";
}

}  // namespace
}  // namespace casemate::tests
