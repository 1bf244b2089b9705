// SPDX-License-Identifier: Apache-2.0
// Nodes of chance: whatever a model states, an operator that moves elements computes it or refuses
// it, and what its dry runs foretell comes true. Seeded, so that what it finds is found again.
#include <cmath>
#include <map>
#include <random>

#include "isolated/engine/operators/literals.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

struct Tried {
  const char* op;
  size_t inputs;
  size_t outputs = 1;
};

constexpr Tried kTried[] = {{"Reshape", 2},
                            {"Flatten", 1},
                            {"Squeeze", 2},
                            {"Unsqueeze", 2},
                            {"Shape", 1},
                            {"Size", 1},
                            {"Expand", 2},
                            {"Transpose", 1},
                            {"Slice", 5},
                            {"Concat", 4},
                            {"Split", 2, 3},
                            {"Tile", 3},
                            {"Trilu", 2},
                            {"ReverseSequence", 2},
                            {"DepthToSpace", 1},
                            {"SpaceToDepth", 1},
                            {"Pad", 4},
                            {"Col2Im", 3},
                            {"Gather", 2},
                            {"GatherElements", 2},
                            {"GatherND", 2},
                            {"ai.onnx.ml:ArrayFeatureExtractor", 2},
                            {"Scatter", 3},
                            {"ScatterElements", 3},
                            {"ScatterND", 3},
                            {"OneHot", 3},
                            {"Compress", 2},
                            {"NonZero", 1},
                            {"Unique", 1, 4},
                            {"Resize", 4},
                            {"Upsample", 2},
                            {"GridSample", 2},
                            {"AffineGrid", 2},
                            {"RoiAlign", 3},
                            {"MaxRoiPool", 2},
                            {"SequenceConstruct", 3},
                            {"SequenceAt", 2},
                            {"SequenceInsert", 3},
                            {"SequenceErase", 2},
                            {"SequenceLength", 1},
                            {"SplitToSequence", 2},
                            {"ConcatFromSequence", 1},
                            {"Optional", 1},
                            {"OptionalHasElement", 1},
                            {"OptionalGetElement", 1}};

class Chance {
 public:
  explicit Chance(uint64_t seed) : engine_(seed) {}

  int64_t below(int64_t count) {
    return static_cast<int64_t>(engine_() % static_cast<uint64_t>(count));
  }
  bool once_in(int64_t count) { return below(count) == 0; }
  template <class T>
  T one_of(std::initializer_list<T> list) {
    return list.begin()[below(static_cast<int64_t>(list.size()))];
  }
  // Mostly such as models have, now and then such as nobody thought of.
  int64_t integer() {
    if (!once_in(12)) return below(5) - 1;
    return one_of<int64_t>({INT64_MIN, INT64_MAX, INT32_MAX, INT32_MIN, -7, 9, 1LL << 33});
  }
  double real() {
    if (!once_in(10)) return static_cast<double>(below(17)) / 4 - 1;
    return one_of<double>({NAN, INFINITY, -INFINITY, 1e300, -1e38, 1e-30, 1e10});
  }
  std::vector<int64_t> integers(int64_t count) {
    std::vector<int64_t> list;
    for (int64_t i = 0; i < count; ++i) list.push_back(integer());
    return list;
  }
  Shape shape() {
    // Ranks of images are the most frequent.
    const int64_t rank = one_of<int64_t>({0, 1, 1, 2, 2, 3, 4, 4, 5, 8});
    std::vector<int64_t> extents;
    for (int64_t i = 0; i < rank; ++i) extents.push_back(once_in(12) ? 0 : 1 + below(4));
    return Shape(extents);
  }
  Tensor tensor(ElementType type, const Shape& shape) {
    Tensor made = *Tensor::unset(type, shape);
    if (type == ElementType::kString) {
      for (std::string& text : made.values<std::string>()) text.assign(below(40), 'x');
    } else if (type == ElementType::kBool) {
      for (uint8_t& byte : made.mutable_bytes()) byte = static_cast<uint8_t>(below(3));
    } else {
      (void)for_type(Numbers{}, type, [&]<class T>() -> Status {
        for (T& element : made.values<T>()) {
          if constexpr (kFloating<T>) {
            element = static_cast<T>(real());
          } else {
            element = static_cast<T>(integer());
          }
        }
        return {};
      });
    }
    return made;
  }
  ElementType type() {
    using enum ElementType;
    return one_of({kFloat32, kFloat32, kFloat16, kBfloat16, kFloat64, kInt64, kInt32, kInt8, kUint8,
                   kUint64, kBool, kString});
  }

 private:
  std::mt19937_64 engine_;
};

const std::map<std::string_view, std::vector<std::string>> kModes = {
    {"Resize", {"nearest", "linear", "cubic"}},
    {"Upsample", {"nearest", "linear", "bilinear"}},
    {"GridSample", {"nearest", "linear", "cubic", "bilinear", "bicubic"}},
    {"Pad", {"constant", "reflect", "edge", "wrap"}},
    {"DepthToSpace", {"DCR", "CRD"}},
    {"RoiAlign", {"avg", "max"}}};

Attributes some_attributes(Chance& chance, std::string_view op) {
  Attributes attributes;
  const auto now_and_then = [&](const char* name, auto value) {
    if (chance.once_in(3)) attributes.set(name, value());
  };
  const auto integer = [&] { return chance.integer(); };
  const auto integers = [&] { return chance.integers(chance.below(5)); };
  for (const char* name :
       {"axis", "allowzero", "start", "end", "upper", "batch_axis", "time_axis", "blocksize",
        "num_outputs", "batch_dims", "sorted", "align_corners", "antialias", "exclude_outside",
        "output_height", "output_width", "sampling_ratio", "keepdims", "new_axis"})
    now_and_then(name, integer);
  for (const char* name : {"axes", "perm", "shape", "starts", "ends", "split", "pads", "paddings",
                           "strides", "dilations", "pooled_shape"})
    now_and_then(name, integers);
  const auto text = [&](const char* name, const std::vector<std::string>& choices) {
    now_and_then(name, [&] { return choices[chance.below(std::ssize(choices))]; });
  };
  if (const auto modes = kModes.find(op); modes != kModes.end()) text("mode", modes->second);
  text("coordinate_transformation_mode",
       {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
        "tf_crop_and_resize", "tf_half_pixel_for_nn", "output_half_pixel"});
  text("nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  text("padding_mode", {"zeros", "border", "reflection"});
  text("keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"});
  text("reduction", {"none", "add", "mul", "max", "min"});
  now_and_then("spatial_scale", [&] { return static_cast<float>(chance.real()); });
  now_and_then("scales",
               [&] { return std::vector<float>(static_cast<size_t>(chance.below(5)), 2); });
  if (op == "MaxRoiPool") attributes.set("pooled_shape", std::vector{chance.below(4), int64_t{2}});
  return attributes;
}

// One input of a node whose first is of `type` and `shape`.
Datum some_input(Chance& chance, ElementType type, const Shape& shape) {
  const auto rank = static_cast<int64_t>(shape.rank());
  switch (chance.below(8)) {
    case 0:
      return {};
    case 1:
      return chance.tensor(chance.type(), chance.shape());
    case 2:
      return chance.tensor(type, shape);
    case 3:
      return chance.tensor(ElementType::kFloat32, {chance.one_of({rank, 2 * rank, int64_t{2}})});
    case 4:
      return chance.tensor(type, {});
    case 5:
      return chance.tensor(ElementType::kInt64, shape);
    default:
      return chance.tensor(ElementType::kInt64,
                           {chance.one_of({rank, rank, 2 * rank, int64_t{1}, chance.below(4)})});
  }
}

// Inputs whose shapes fit each other, for operators that would refuse nearly all others.
std::vector<Datum> fitting_inputs(Chance& chance, std::string_view op, ElementType type) {
  using enum ElementType;
  const auto extent = [&] { return 1 + chance.below(4); };
  const int64_t n = extent();
  const Shape image = {n, extent(), extent(), extent()};
  const Shape part = {std::min(n, extent()), image[1], image[2], image[3]};
  const auto made = [&](ElementType of, const Shape& shape) {
    return Datum(chance.tensor(of, shape));
  };
  const ElementType index = chance.once_in(3) ? kInt32 : kInt64;
  if (op.starts_with("Scatter") && op != "ScatterND")
    return {made(type, image), made(index, part), made(type, part)};
  if (op == "ScatterND")
    return {made(type, image), made(index, {2, 1}), made(type, {2, image[1], image[2], image[3]})};
  if (op == "GatherElements") return {made(type, image), made(index, part)};
  if (op == "Compress") return {made(type, image), made(kBool, {extent()})};
  if (op == "OneHot") return {made(type, {n, 2}), list({extent()}), made(type, {2})};
  if (op == "ReverseSequence") return {made(type, image), made(kInt64, {image[1]})};
  if (op == "Tile") return {made(type, {n, 2}), made(kInt64, {2})};
  if (op == "Pad") return {made(type, {n, 2}), made(kInt64, {4}), made(type, {})};
  if (op == "Col2Im") {
    const int64_t block = extent();
    const int64_t length = block + chance.below(3);
    return {made(type, {n, 2 * block, length - block + 1}), list({length}), list({block})};
  }
  const ElementType real = chance.one_of({kFloat32, kFloat32, kFloat64, kFloat16, kBfloat16});
  if (op == "GridSample") return {made(type, image), made(real, {n, extent(), extent(), 2})};
  if (op == "AffineGrid")
    return {made(real, {n, 2, 3}), list({n, 1, chance.below(5), chance.integer()})};
  if (op == "RoiAlign") return {made(real, image), made(real, {2, 4}), made(kInt64, {2})};
  if (op == "MaxRoiPool") return {made(real, image), made(real, {2, 5})};
  if (op == "Upsample") return {made(type, {n, 2}), floats({2}, {1, 1.5F})};
  if (op == "Resize" && chance.once_in(2))
    return {made(type, {n, 2}), made(real, {4}), made(kFloat32, {2})};
  if (op == "Resize") return {made(type, {n, 2}), made(real, {4}), {}, made(kInt64, {2})};
  return {};
}

NodeRun some_run(Chance& chance, const Tried& tried) {
  const std::string_view op = tried.op;
  NodeRun run{.op = tried.op, .attributes = some_attributes(chance, op)};
  const ElementType type = chance.type();
  const Shape shape = chance.shape();
  if (!chance.once_in(3)) run.inputs = fitting_inputs(chance, op, type);
  const bool sequence = op.starts_with("Sequence") || op == "ConcatFromSequence";
  const auto count = static_cast<size_t>(1 + chance.below(static_cast<int64_t>(tried.inputs)));
  while (run.inputs.size() < count) {
    if (run.inputs.empty() && sequence && op != "SequenceConstruct") {
      Sequence held;
      for (int64_t i = chance.below(4); i > 0; --i) held.push_back(chance.tensor(type, shape));
      run.inputs.emplace_back(std::move(held));
    } else if (run.inputs.empty() && !chance.once_in(20)) {
      run.inputs.emplace_back(chance.tensor(type, shape));
    } else {
      run.inputs.push_back(some_input(chance, type, shape));
    }
  }
  run.output_count = tried.outputs;
  run.since = chance.one_of({0, 0, 1, 2, 7, 9, 10, 11, 13, 16, 18, 20});
  return run;
}

TEST(Hostile, nodes_of_chance_are_computed_or_refused) {
  constexpr int kRuns = 300;
  size_t computed = 0;
  for (const Tried& tried : kTried) {
    Chance chance(std::hash<std::string_view>{}(tried.op));
    for (int i = 0; i < kRuns; ++i) {
      const auto outputs = run_node(some_run(chance, tried));
      computed += outputs ? 1 : 0;
      EXPECT_TRUE(outputs || !outputs.error().text.empty()) << tried.op;
    }
  }
  // That all is refused would be no test.
  EXPECT_GT(computed, std::size(kTried) * kRuns / 20);
}

}  // namespace
}  // namespace casemate::engine
