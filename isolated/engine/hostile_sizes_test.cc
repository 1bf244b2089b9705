// SPDX-License-Identifier: Apache-2.0
// Sizes that come with a request: an operator that is asked for more than the model may use says
// so, with its name, before anything is allocated.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstring>
#include <functional>

#include "base/format.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

constexpr uint64_t kMemory = 64 << 20;

// A node of x [N,2] FLOAT and n, INT64 numbers that say how large its result is.
struct Explosion {
  const char* op;
  Dims good;
  std::vector<Dims> bad;
  size_t rank;  // of the output
  std::function<void(ModelBuilder&, onnx::NodeProto&)> more;
  int type = onnx::TensorProto::FLOAT;  // of the output
  int64_t opset = 17;
};

using onnx::NodeProto;

// The inputs of the node, in place of x and n.
auto reads(std::vector<std::string> names) {
  return [=](ModelBuilder&, NodeProto& node) {
    node.clear_input();
    for (const std::string& name : names) node.add_input(name);
  };
}

void range(ModelBuilder& b, NodeProto& node) {
  b.integers("zero", {}, {0});
  b.integers("one", {}, {1});
  b.integers("first", {}, {0});
  b.node("Gather", {"n", "first"}, "end");
  reads({"zero", "end", "one"})(b, node);
  b.graph().mutable_node()->SwapElements(0, 1);
}
void range_of_steps(ModelBuilder& b, NodeProto& node) {
  b.integers("zero", {}, {0});
  b.integers("million", {}, {1000000});
  b.integers("first", {}, {0});
  b.node("Gather", {"n", "first"}, "step");
  reads({"zero", "million", "step"})(b, node);
  b.graph().mutable_node()->SwapElements(0, 1);
}
void resize(ModelBuilder&, NodeProto& node) {
  node.clear_input();
  for (const char* name : {"x", "", "", "n"}) node.add_input(name);
}
void one_hot(ModelBuilder& b, NodeProto& node) {
  b.integers("where", {1}, {0});
  b.floats("values", {2}, {0, 1});
  reads({"where", "n", "values"})(b, node);
}
void transform(ModelBuilder& b, NodeProto& node) {
  b.integers("shape", {3}, {1, -1, 1});
  b.integers("first", {}, {0});
  b.node("Reshape", {"x", "shape"}, "signal");
  b.node("Gather", {"n", "first"}, "length");
  reads({"signal", "length"})(b, node);
  b.graph().mutable_node()->SwapElements(0, 1);
  b.graph().mutable_node()->SwapElements(1, 2);
}
void window(ModelBuilder& b, NodeProto& node) {
  b.integers("first", {}, {0});
  b.node("Gather", {"n", "first"}, "length");
  reads({"length"})(b, node);
  b.graph().mutable_node()->SwapElements(0, 1);
}
void split(ModelBuilder& b, NodeProto& node) {
  node.set_output(0, "pieces");
  reads({"filled"})(b, node);
  b.node("ConstantOfShape", {"n"}, "filled");
  set_int(b.node("ConcatFromSequence", {"pieces"}, "y"), "axis", 0);
  b.graph().mutable_node()->SwapElements(0, 1);
}

const std::vector<Explosion>& explosions() {
  static const auto plain = [](ModelBuilder&, NodeProto&) {};
  static const std::vector<Dims> kPairs = {
      {1 << 20, 1 << 20}, {1ll << 31, 1}, {1ll << 62, 1ll << 62}, {INT64_MAX, 2}, {-1, 5}};
  static const std::vector<Dims> kLengths = {{1ll << 31}, {1ll << 40}, {INT64_MAX}};
  static const std::vector<Explosion> all = {
      {"Tile", {2, 2}, kPairs, 2, plain},
      {"Expand", {1, 2}, {{1ll << 30, 2}, {1ll << 40, 2}, {INT64_MAX, 2}}, 2, plain},
      {"ConstantOfShape", {2, 2}, kPairs, 2, reads({"n"})},
      {"ConstantOfShape", {4}, {{1000000000000}, {1 << 30}, {INT64_MIN}}, 1, reads({"n"})},
      {"Pad",
       {1, 0, 0, 1},
       {{0, 0, 1ll << 40, 0}, {INT64_MAX, 0, 1, 0}, {0, 1 << 30, 0, 0}},
       2,
       plain},
      {"Resize", {4, 4}, {{1 << 20, 1 << 20}, {1ll << 40, 1}, {INT64_MAX, 1}, {-1, 4}}, 2, resize},
      {"Range", {5}, kLengths, 1, range, onnx::TensorProto::INT64},
      {"Range", {1000}, {{0}}, 1, range_of_steps, onnx::TensorProto::INT64},
      {"OneHot", {3}, {{1ll << 40}, {INT64_MAX}, {-1}}, 2, one_hot},
      {"DFT", {4}, {{1ll << 30}, {1ll << 41}, {INT64_MAX}, {0}}, 3, transform},
      {"HannWindow", {4}, kLengths, 1, window},
      {"CenterCropPad",
       {4, 4},
       {{1 << 20, 1 << 20}, {INT64_MAX, 2}},
       2,
       plain,
       onnx::TensorProto::FLOAT,
       18},
      {"SplitToSequence", {7}, {{1 << 23}}, 1, split},
  };
  return all;
}

ModelBuilder model_of(const Explosion& explosion) {
  ModelBuilder b(explosion.opset);
  b.input("x", {-1, 2});
  b.input("n", {static_cast<int64_t>(explosion.good.size())}, onnx::TensorProto::INT64);
  b.output("y", Dims(explosion.rank, -1), explosion.type);
  explosion.more(b, b.node(explosion.op, {"x", "n"}, "y"));
  return b;
}

Status run_with(Executor& executor, int64_t rows, const Dims& numbers) {
  const std::vector<float> x(static_cast<size_t>(rows * 2), 1.0F);
  const Bytes n(static_cast<const uint8_t*>(static_cast<const void*>(numbers.data())),
                numbers.size() * sizeof(int64_t));
  const std::vector<TensorView> inputs = {
      {ElementType::kFloat32, {rows, 2}, bytes_of_floats(x)},
      {ElementType::kInt64, {static_cast<int64_t>(numbers.size())}, n}};
  HeldOutputs sink;
  return executor.run(inputs, sink);
}

// Empty when all is refused as it should be.
std::string wrong_with(const Explosion& explosion) {
  const std::string bytes = model_of(explosion).bytes();
  auto model = Model::load(bytes_of(std::string_view(bytes)),
                           {.memory_bytes_max = kMemory, .batch_sizes = {2}});
  if (!model) return "load: " + model.error().text;
  Executor executor = *Executor::make(*model);
  const std::string place = formatted("({}): ", explosion.op);
  for (const int64_t rows : {2, 3}) {
    if (const Status good = run_with(executor, rows, explosion.good); !good)
      return "good: " + good.error().text;
    for (const Dims& bad : explosion.bad) {
      const Status refused = run_with(executor, rows, bad);
      if (refused) return formatted("{} is not refused", bad.front());
      const std::string& text = refused.error().text;
      // What the machine has no memory for, we should have refused ourselves.
      const bool named = (text.starts_with("node '") && text.contains(place)) ||
                         text.starts_with("node 'y/") ||  // of a function's body
                         text.starts_with("value '");     // that a plan hands on
      if (!named || text.contains("out of memory")) return formatted("{}: {}", bad.front(), text);
    }
  }
  return {};
}

// A child that may have little more memory than the model: whoever takes more fails.
void expect_bounded(const char* what, const std::function<std::string()>& wrong) {
  const int status = in_child([&] {
#if !defined(__SANITIZE_ADDRESS__)
    const rlimit limit{kMemory * 8, kMemory * 8};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0) return false;
#endif
    const std::string found = wrong();
    if (!found.empty()) std::fprintf(stderr, "%s: %s\n", what, found.c_str());
    return found.empty();
  });
  EXPECT_EQ(status, 0) << what;
}

TEST(HostileSizes, are_refused_with_the_node_before_memory_is_taken) {
  for (const Explosion& explosion : explosions())
    expect_bounded(explosion.op, [&] { return wrong_with(explosion); });
}

// x [N,M] whose rows or columns are none, so that its other extent costs nothing.
std::string wrong_with_hollow(const std::string& op, const Shape& shape,
                              const std::function<void(ModelBuilder&, NodeProto&)>& more) {
  ModelBuilder b(17);
  b.input("x", {1, 1});
  auto& dims = *b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  dims.mutable_dim(0)->set_dim_param("rows");
  dims.mutable_dim(1)->set_dim_param("columns");
  b.output("y", {-1, -1});
  more(b, b.node(op, {"x"}, "y"));
  const std::string bytes = b.bytes();
  auto model = Model::load(bytes_of(std::string_view(bytes)), {.memory_bytes_max = kMemory});
  if (!model) return "load: " + model.error().text;
  Executor executor = *Executor::make(*model);
  const TensorView input{ElementType::kFloat32, shape, {}};
  HeldOutputs sink;
  const Status done = executor.run(std::span(&input, 1), sink);
  if (!done && done.error().text.contains("out of memory")) return done.error().text;
  return {};
}

TEST(HostileSizes, of_extents_beside_a_zero_cost_nothing) {
  const auto plain = [](ModelBuilder&, NodeProto&) {};
  const auto over_rows = [](ModelBuilder&, NodeProto& node) { set_ints(node, "axes", {0}); };
  const auto by_rows = [](ModelBuilder&, NodeProto& node) { set_int(node, "axis", 0); };
  const struct {
    const char* op;
    std::function<void(ModelBuilder&, NodeProto&)> more;
  } nodes[] = {{"Exp", plain},
               {"Transpose", plain},
               {"Softmax", by_rows},
               {"Softmax", plain},
               {"ReduceMax", over_rows},
               {"ReduceMean", over_rows},
               {"ArgMax", by_rows},
               {"Shape", plain},
               {"NonZero", plain},
               {"Flatten", plain},
               {"Unique", plain},
               {"Hardmax", plain},
               {"LpNormalization", plain},
               {"MeanVarianceNormalization", over_rows},
               {"Multinomial", plain},
               {"Shrink", plain},
               {"LRN", [](ModelBuilder&, NodeProto& node) { set_int(node, "size", 3); }},
               {"Compress",
                [](ModelBuilder& b, NodeProto& node) {
                  b.graph().mutable_initializer()->Add()->set_name("none");
                  auto& none = *b.graph().mutable_initializer(0);
                  none.set_data_type(onnx::TensorProto::BOOL);
                  none.add_dims(0);
                  node.add_input("none");
                }},
               {"Split",
                [](ModelBuilder&, NodeProto& node) {
                  node.add_output("z");
                  set_int(node, "axis", 1);
                }},
               {"SplitToSequence", [](ModelBuilder& b, NodeProto& node) {
                  node.set_output(0, "pieces");
                  b.node("SequenceLength", {"pieces"}, "y");
                }}};
  for (const auto& node : nodes) {
    for (const Shape& shape : {Shape{0, 1ll << 31}, Shape{1ll << 31, 0}, Shape{0, 0}})
      expect_bounded(node.op, [&] { return wrong_with_hollow(node.op, shape, node.more); });
  }
}

// Sums over neighbours of 400000 channels take 64 times what goes in.
std::string wrong_in_between() {
  constexpr int64_t kChannels = 400000;
  ModelBuilder b;
  b.input("x", {-1, kChannels});
  b.output("y", {-1, kChannels});
  set_int(b.node("LRN", {"x"}, "y"), "size", 3);
  const std::string bytes = b.bytes();
  auto model = Model::load(bytes_of(std::string_view(bytes)),
                           {.memory_bytes_max = kMemory, .batch_sizes = {1}});
  if (!model) return "load: " + model.error().text;
  Executor executor = *Executor::make(*model);
  for (const int64_t rows : {1, 2}) {
    const std::vector<float> x(static_cast<size_t>(rows * kChannels), 1.0F);
    const auto outputs = run(executor, {{Shape{rows, kChannels}, x}});
    if (outputs) return "not refused";
    if (!outputs.error().text.starts_with("node 'y' (LRN): ") ||
        outputs.error().code != Code::kTooLarge)
      return outputs.error().text;
  }
  return {};
}

TEST(HostileSizes, of_what_a_node_needs_in_between_are_refused_too) {
  expect_bounded("LRN", wrong_in_between);
}

}  // namespace
}  // namespace casemate::engine
