// SPDX-License-Identifier: Apache-2.0
// Indices that come with a request: every operator that takes some refuses what is outside, with
// its name, in plans that were compiled and in plans for shapes that are seen later.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/format.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

using enum ElementType;

// An input of the node: its extents, 0 for the one that varies, and what is in it.
struct Given {
  ElementType type = kFloat32;
  Dims dims = {};
  std::vector<int64_t> good = {1};  // repeated as often as needed
  bool attacked = false;
};

struct Attack {
  const char* op;
  std::vector<Given> inputs;
  size_t rank;  // of the output
  std::vector<int64_t> bad;
  ElementType makes = kFloat32;
  int64_t opset = 17;
  std::function<void(onnx::NodeProto&)> more = [](onnx::NodeProto&) {};
};

void of_learning(onnx::NodeProto& node) { node.set_domain("ai.onnx.ml"); }
void unreduced(onnx::NodeProto& node) { set_text(node, "reduction", "none"); }
void in_batches(onnx::NodeProto& node) {
  set_int(node, "batch_axis", 0);
  set_int(node, "time_axis", 1);
}
void recurrent(onnx::NodeProto& node) { set_int(node, "hidden_size", 1); }
void with_places(onnx::NodeProto& node) { node.add_output("places"); }
void unpooling(onnx::NodeProto& node) {
  set_ints(node, "kernel_shape", {2});
  set_ints(node, "strides", {2});
}

constexpr int64_t kFar = 1ll << 33;

void last(onnx::NodeProto& node) { set_int(node, "axis", 1); }

const Given kRows{kFloat32, {0, 5}, {1}, false};
Given index(Dims dims, ElementType type = kInt64) { return {type, std::move(dims), {1}, true}; }

const std::vector<int64_t> kOutside = {5, -6, kFar, -kFar, INT64_MAX, INT64_MIN};
const std::vector<int64_t> kNegative = {5, -1, kFar, -kFar, INT64_MAX, INT64_MIN};
const std::vector<int64_t> kNarrow = {5, -6, INT32_MAX, INT32_MIN};

const std::vector<Attack>& attacks() {
  static const std::vector<Attack> all = {
      {"Gather", {kRows, index({0})}, 2, kOutside, kFloat32, 17, last},
      {"Gather", {kRows, index({0}, kInt32)}, 2, kNarrow, kFloat32, 17, last},
      {"GatherElements", {kRows, index({0, 3})}, 2, kOutside, kFloat32, 17, last},
      {"GatherND", {kRows, index({0, 1})}, 2, {kFar, -kFar, INT64_MAX, INT64_MIN}},
      {"Scatter", {kRows, index({0, 1}), {kFloat32, {0, 1}}}, 2, kOutside, kFloat32, 10, last},
      {"ScatterElements",
       {kRows, index({0, 2}), {kFloat32, {0, 2}}},
       2,
       kOutside,
       kFloat32,
       17,
       last},
      {"ScatterND",
       {kRows, index({0, 1}), {kFloat32, {0, 5}}},
       2,
       {kFar, -kFar, INT64_MAX, INT64_MIN}},
      {"ArrayFeatureExtractor", {kRows, index({0})}, 2, kNegative, kFloat32, 17, of_learning},
      {"MaxUnpool",
       {{kFloat32, {0, 1, 3}}, index({0, 1, 3})},
       3,
       {kFar, -1, -kFar, INT64_MAX, INT64_MIN},
       kFloat32,
       17,
       unpooling},
      {"NegativeLogLikelihoodLoss", {kRows, index({0})}, 1, kNegative, kFloat32, 17, unreduced},
      {"SoftmaxCrossEntropyLoss", {kRows, index({0})}, 1, kNegative, kFloat32, 17, unreduced},
      {"ReverseSequence",
       {kRows, index({0})},
       2,
       {6, -1, kFar, INT64_MAX, INT64_MIN},
       kFloat32,
       17,
       in_batches},
      {"RoiAlign",
       {{kFloat32, {0, 1, 4, 4}}, {kFloat32, {0, 4}, {0, 1, 2, 3}}, index({0})},
       4,
       {-1, kFar, INT64_MAX, INT64_MIN}},
      {"MaxRoiPool",
       {{kFloat32, {0, 1, 4, 4}}, {kFloat32, {0, 5}, {0, 0, 0, 2, 2}, true}},
       4,
       {-1, kFar, INT64_MAX, INT64_MIN},
       kFloat32,
       17,
       [](onnx::NodeProto& node) { set_ints(node, "pooled_shape", {2, 2}); }},
      {"RNN",
       {{kFloat32, {3, 0, 2}},
        {kFloat32, {1, 1, 2}},
        {kFloat32, {1, 1, 1}},
        {kFloat32, {1, 2}},
        index({0}, kInt32)},
       4,
       {4, -1, INT32_MAX, INT32_MIN},
       kFloat32,
       17,
       recurrent},
      {"TopK",
       {kRows, index({1})},
       2,
       {6, -1, kFar, INT64_MAX, INT64_MIN},
       kFloat32,
       17,
       with_places},
      {"CumSum", {kRows, {kInt64, {}, {1}, true}}, 2, {2, -3, kFar, INT64_MAX, INT64_MIN}},
      {"OneHot",
       {{kInt64, {0}}, {kInt64, {}, {3}, true}, {kFloat32, {2}, {0, 1}}},
       2,
       {-1, kFar << 20, INT64_MAX, INT64_MIN}},
      {"Reshape", {kRows, {kInt64, {2}, {0}, true}}, 2, {4, -2, kFar, INT64_MAX, INT64_MIN}},
      {"Unsqueeze", {kRows, index({1})}, 3, {3, -4, kFar, INT64_MAX, INT64_MIN}},
      {"Split",
       {kRows, {kInt64, {1}, {5}, true}},
       2,
       {4, -5, kFar, INT64_MAX, INT64_MIN},
       kFloat32,
       17,
       last},
      {"ReduceSum", {kRows, index({1})}, 2, {2, -3, kFar, INT64_MAX, INT64_MIN}},
  };
  return all;
}

std::vector<uint8_t> filled(const Given& given, const Shape& shape, const int64_t* attack) {
  const uint64_t count = *shape.element_count();
  const size_t size = size_of(given.type);
  std::vector<uint8_t> bytes(count * size);
  for (uint64_t i = 0; i < count; ++i) {
    // One of many is bad: the last, or the image that a region is of.
    const uint64_t where = given.type == kFloat32 ? 0 : count - 1;
    const bool bad = attack != nullptr && given.attacked && i == where;
    const int64_t value = bad ? *attack : given.good[i % given.good.size()];
    const auto real = static_cast<float>(value);
    const auto narrow = static_cast<int32_t>(value);
    const void* from = given.type == kInt64   ? static_cast<const void*>(&value)
                       : given.type == kInt32 ? static_cast<const void*>(&narrow)
                                              : &real;
    std::memcpy(bytes.data() + i * size, from, size);
  }
  return bytes;
}

ModelBuilder model_of(const Attack& attack) {
  ModelBuilder b(attack.opset);
  auto& learning = *b.model.add_opset_import();
  learning.set_domain("ai.onnx.ml");
  learning.set_version(3);
  std::vector<std::string> names;
  for (const Given& given : attack.inputs) {
    names.push_back("x" + std::to_string(names.size()));
    Dims dims = given.dims;
    std::ranges::replace(dims, 0, -1);
    b.input(names.back(), dims, static_cast<int>(given.type));
  }
  b.output("y", Dims(attack.rank, -1), static_cast<int>(attack.makes));
  attack.more(b.node(attack.op, names, "y"));
  return b;
}

// Runs it where what varies is `extent`, with the bad value if there is one.
Status run_attack(const Attack& attack, Executor& executor, int64_t extent, const int64_t* bad) {
  std::vector<std::vector<uint8_t>> memory;
  std::vector<TensorView> inputs;
  for (const Given& given : attack.inputs) {
    Dims dims = given.dims;
    std::ranges::replace(dims, 0, extent);
    memory.push_back(filled(given, Shape(dims), bad));
    inputs.push_back({given.type, Shape(dims), memory.back()});
  }
  HeldOutputs sink;
  return executor.run(inputs, sink);
}

TEST(HostileIndices, are_refused_with_the_node_in_every_kind_of_plan) {
  for (const Attack& attack : attacks()) {
    SCOPED_TRACE(attack.op);
    const std::string bytes = model_of(attack).bytes();
    auto model = Model::load(bytes_of(std::string_view(bytes)), {.batch_sizes = {2}});
    ASSERT_TRUE(model) << model.error().text;
    Executor executor = *Executor::make(*model);
    const std::string op = attack.op;
    const std::string place =
        formatted("node 'y' ({}{}): ", op == "ArrayFeatureExtractor" ? "ai.onnx.ml:" : "", op);
    for (const int64_t extent : {2, 3}) {  // compiled, if anything was, and not
      const Status good = run_attack(attack, executor, extent, nullptr);
      ASSERT_TRUE(good) << good.error().text;
      for (const int64_t bad : attack.bad) {
        const Status refused = run_attack(attack, executor, extent, &bad);
        ASSERT_FALSE(refused) << bad;
        EXPECT_TRUE(refused.error().code == Code::kInvalid ||
                    refused.error().code == Code::kTooLarge)
            << refused.error().text;
        EXPECT_TRUE(refused.error().text.starts_with(place)) << refused.error().text;
      }
    }
  }
}

}  // namespace
}  // namespace casemate::engine
