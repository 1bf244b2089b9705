// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/model_stream.h"

#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/crypto.h"
#include "outside/zoo/architectures.h"

namespace casemate::zoo {
namespace {

std::string bytes_of_model(const Graph& graph, uint64_t seed) {
  std::string bytes;
  const ModelStream stream(graph, seed);
  const Status done = stream.write([&](Bytes piece) -> Status {
    bytes += text_of(piece);
    return {};
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(bytes.size(), stream.size());
  return bytes;
}

onnx::ModelProto parsed(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

std::vector<float> values_of(const onnx::TensorProto& tensor) {
  std::vector<float> values(tensor.raw_data().size() / sizeof(float));
  std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
  return values;
}

TEST(ModelStream, the_bytes_are_those_that_protobuf_writes) {
  for (const Graph& graph : {lenet_5(), squeezenet(), mobilenet_v2()}) {
    const std::string bytes = bytes_of_model(graph, 3);
    const onnx::ModelProto model = parsed(bytes);
    EXPECT_TRUE(model.SerializeAsString() == bytes) << graph.proto().name();
    EXPECT_NO_THROW(onnx::checker::check_model(model, true));
  }
}

// Changes with the weights or the graph: kRevision should change then, too.
TEST(ModelStream, a_seed_gives_the_same_bytes_on_every_machine) {
  const std::string bytes = bytes_of_model(mobilenet_v2(), 1);
  EXPECT_EQ(to_hex(sha256(bytes_of(std::string_view(bytes)))),
            "3c4361725fce44ee425f09dfce9ff4dc1e2f6f2d696acdf3fe8640b412911b19");
}

TEST(ModelStream, another_seed_gives_other_weights_and_the_same_graph) {
  onnx::ModelProto one = parsed(bytes_of_model(lenet_5(), 1));
  onnx::ModelProto two = parsed(bytes_of_model(lenet_5(), 2));
  for (int i = 0; i < one.graph().initializer_size(); ++i) {
    EXPECT_NE(one.graph().initializer(i).raw_data(), two.graph().initializer(i).raw_data());
  }
  one.mutable_graph()->clear_initializer();
  two.mutable_graph()->clear_initializer();
  EXPECT_EQ(one.graph().SerializeAsString(), two.graph().SerializeAsString());
}

TEST(ModelStream, the_file_says_where_it_comes_from) {
  const onnx::ModelProto model = parsed(bytes_of_model(lenet_5(), 42));
  EXPECT_EQ(model.producer_name(), "casemate");
  EXPECT_EQ(model.opset_import(0).version(), 17);
  std::map<std::string, std::string> properties;
  for (const auto& entry : model.metadata_props()) properties[entry.key()] = entry.value();
  EXPECT_EQ(properties["casemate.zoo.architecture"], "lenet-5");
  EXPECT_EQ(properties["casemate.zoo.seed"], "42");
  EXPECT_EQ(properties["casemate.zoo.parameters"], "61706");
  EXPECT_EQ(properties["casemate.input.image.color"], "grey");
}

TEST(ModelStream, weights_are_what_their_recipes_say) {
  const Graph graph = mobilenet_v2();
  const onnx::ModelProto model = parsed(bytes_of_model(graph, 9));
  ASSERT_EQ(static_cast<size_t>(model.graph().initializer_size()), graph.tensors().size());
  for (const Graph::Tensor& tensor : graph.tensors()) {
    const auto at = static_cast<int>(&tensor - graph.tensors().data());
    const std::vector<float> values = values_of(model.graph().initializer(at));
    std::vector<float> expected(tensor.elements());
    NumberStream(9, tensor.head.name()).fill(tensor.draw, 0, expected);
    EXPECT_EQ(values, expected) << tensor.head.name();
    if (tensor.head.name().ends_with("running_var")) {
      EXPECT_GT(std::ranges::min(values), 0) << tensor.head.name();
    }
  }
}

TEST(ModelStream, a_large_model_goes_through_little_memory) {
  const Graph graph = alexnet();
  const ModelStream stream(graph, 1);
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  uint64_t size = 0;
  ASSERT_TRUE(stream.write([&](Bytes piece) -> Status {
    size += piece.size();
    return {};
  }));
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_GT(size, 244'000'000u);
  EXPECT_EQ(size, stream.size());
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 << 10) << "KiB";
}

TEST(ModelStream, what_the_sink_says_ends_the_stream_at_once) {
  const Graph graph = alexnet();
  int pieces = 0;
  const Status done = ModelStream(graph, 1).write([&](Bytes) -> Status {
    if (++pieces < 4) return {};
    return Error{Code::kPlatform, "the disk is full"};
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text, "the disk is full");
  EXPECT_EQ(pieces, 4);
}

}  // namespace
}  // namespace casemate::zoo
