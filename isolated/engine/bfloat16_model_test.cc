// SPDX-License-Identifier: Apache-2.0
// A whole model in bfloat16, beside the same one in FP32.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "isolated/engine/graph/tensor.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

uint16_t narrow(float value) { return std::bit_cast<uint16_t>(static_cast<Bfloat16>(value)); }
float widened(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// Numbers that bfloat16 has, around zero.
std::vector<float> held_by_both(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float& value : values) value = widened(narrow(uniform(random)));
  return values;
}

std::string bytes_as(int type, const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) {
    const uint32_t bits =
        type == onnx::TensorProto::BFLOAT16 ? narrow(value) : std::bit_cast<uint32_t>(value);
    for (size_t i = 0; i < (type == onnx::TensorProto::BFLOAT16 ? 2u : 4u); ++i)
      bytes.push_back(static_cast<char>(bits >> (8 * i)));
  }
  return bytes;
}

// x [N,8] to probabilities [N,5], all in that type.
ModelBuilder two_layers(int type) {
  ModelBuilder b;
  const auto weights = [&](const std::string& name, const Dims& dims, uint32_t seed) {
    auto& tensor = b.floats(name, dims, {});
    size_t count = 1;
    for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
    tensor.set_data_type(type);
    tensor.set_raw_data(bytes_as(type, held_by_both(count, seed)));
  };
  b.input("x", {-1, 8}, type);
  b.output("y", {-1, 5}, type);
  weights("w1", {8, 16}, 1);
  weights("b1", {16}, 2);
  weights("w2", {16, 5}, 3);
  b.node("MatMul", {"x", "w1"}, "p1");
  b.node("Add", {"p1", "b1"}, "s1");
  b.node("Relu", {"s1"}, "r1");
  b.node("MatMul", {"r1", "w2"}, "p2");
  b.node("Softmax", {"p2"}, "y");
  return b;
}

class TypedOutput final : public OutputSink {
 public:
  Result<MutableBytes> memory(size_t, ElementType made, const Shape&, uint64_t bytes) override {
    type = made;
    held.resize(bytes);
    return MutableBytes(held);
  }
  ElementType type = ElementType::kNone;
  std::vector<uint8_t> held;
};

std::vector<uint8_t> probabilities(int type, const std::vector<float>& x) {
  const std::string file = two_layers(type).bytes();
  const auto model = Model::load(bytes_of(std::string_view(file)), {});
  CHECK(model.has_value(), model ? "" : model.error().text.c_str());
  Executor executor = *Executor::make(*model);
  const std::string data = bytes_as(type, x);
  const auto element = static_cast<ElementType>(type);
  const TensorView view{
      element, {static_cast<int64_t>(x.size() / 8), 8}, bytes_of(std::string_view(data))};
  TypedOutput sink;
  const Status done = executor.run({&view, 1}, sink);
  CHECK(done.has_value(), done ? "" : done.error().text.c_str());
  EXPECT_EQ(sink.type, element);
  return sink.held;
}

TEST(Bfloat16Model, gives_what_the_same_in_fp32_gives_but_for_its_rounding) {
  for (const size_t batch : {1, 3, 8}) {
    SCOPED_TRACE(batch);
    const std::vector<float> x = held_by_both(batch * 8, 9);
    const auto narrow_bytes = probabilities(onnx::TensorProto::BFLOAT16, x);
    const auto wide_bytes = probabilities(onnx::TensorProto::FLOAT, x);
    ASSERT_EQ(narrow_bytes.size(), batch * 5 * 2);
    ASSERT_EQ(wide_bytes.size(), batch * 5 * 4);
    float least = 1;
    float most = 0;
    for (size_t i = 0; i < batch * 5; ++i) {
      uint16_t bits = 0;
      float wide = 0;
      std::memcpy(&bits, narrow_bytes.data() + 2 * i, 2);
      std::memcpy(&wide, wide_bytes.data() + 4 * i, 4);
      // Each of five roundings is off by 2^-9 of its result; a logit is the sum of 16 of them.
      EXPECT_NEAR(widened(bits), wide, 0.03) << i;
      least = std::min(least, wide);
      most = std::max(most, wide);
    }
    EXPECT_GT(most - least, 0.1F) << "otherwise this proves nothing";
  }
}

}  // namespace
}  // namespace casemate::engine
