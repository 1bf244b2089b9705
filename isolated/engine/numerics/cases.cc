// SPDX-License-Identifier: Apache-2.0
// A node or more for each kernel of the registry.
#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include "isolated/engine/kernels/attention.h"
#include "isolated/engine/kernels/winograd.h"
#include "isolated/engine/numerics/measure.h"

namespace casemate::engine {
namespace {

using Ints = std::vector<int64_t>;
using Cases = std::vector<NumericCase>;

Tensor scaled(const Shape& shape, uint32_t seed, float scale, float offset = 0) {
  Tensor tensor = noise(shape, seed);
  for (float& value : tensor.values<float>()) value = scale * value + offset;
  return tensor;
}
// From `low` on.
Tensor above(const Shape& shape, uint32_t seed, float low) {
  Tensor tensor = noise(shape, seed);
  for (float& value : tensor.values<float>()) value = low + 4 * std::fabs(value);
  return tensor;
}

// A node that kernel and function take alike.
NumericCase alike(const std::string& op, const Attributes& attributes,
                  const std::vector<CaseInput>& inputs, const Shape& output, int since = 0) {
  NumericCase made{.run = {.node = {.op = op, .attributes = attributes},
                           .inputs = inputs,
                           .output = output,
                           .output_type = inputs.front().tensor.type()},
                   .meant = {.op = op, .attributes = attributes, .since = since},
                   .inputs = {}};
  for (const CaseInput& input : inputs) made.inputs.push_back(input.tensor);
  return made;
}

// --- one value

Attributes usual_attributes(const std::string& op) {
  if (op == "Clip") return {{"min", -0.25F}, {"max", 0.5F}};
  if (op == "Elu") return {{"alpha", 0.7F}};
  if (op == "LeakyRelu") return {{"alpha", 0.1F}};
  if (op == "HardSigmoid") return {{"alpha", 0.2F}, {"beta", 0.5F}};
  return {};
}

Cases activations(const std::string& op) {
  Cases made;
  const bool positive = op == "Reciprocal" || op == "Sqrt";
  std::vector<Attributes> all = {usual_attributes(op)};
  if (op == "Gelu") all.push_back({{"approximate", "tanh"}});
  for (const Attributes& attributes : all) {
    for (const Shape& shape : {Shape{2, 5, 3, 7}, Shape{1, 1003}, Shape{64, 48}, Shape{}}) {
      for (const float scale : {0.01F, 1.0F, 9.0F}) {
        const Tensor x = positive ? above(shape, 1, scale) : scaled(shape, 1, scale);
        made.push_back(alike(op, attributes, {{x}}, shape, op == "Clip" ? 6 : 0));
      }
    }
  }
  return made;
}

// --- two values

Cases binaries(const std::string& op) {
  const struct {
    Shape a, b, output;
  } shapes[] = {{{2, 16, 3, 4}, {2, 16, 3, 4}, {2, 16, 3, 4}},
                {{2, 16, 3, 4}, {16, 1, 1}, {2, 16, 3, 4}},
                {{2, 1, 3, 1}, {1, 5, 1, 4}, {2, 5, 3, 4}},
                {{7, 33}, {}, {7, 33}},
                {{7, 33}, {33}, {7, 33}}};
  Cases made;
  for (const auto& [a, b, output] : shapes) {
    if (op == "PRelu" && a != output) continue;
    for (const bool constant : {false, true}) {
      const Tensor x = op == "Pow" ? above(a, 1, 0.1F) : scaled(a, 1, 3);
      const Tensor y = op == "Div" ? above(b, 2, 0.5F) : noise(b, 2);
      made.push_back(alike(op, {}, {{x}, {y, constant}}, output));
    }
  }
  return made;
}

// --- along axes

Cases reductions(const std::string& op) {
  const struct {
    Shape x;
    Ints axes;
    Shape y;
  } all[] = {{{2, 16, 7, 5}, {2, 3}, {2, 16, 1, 1}},
             {{4, 1000}, {1}, {4, 1}},
             {{3, 5, 7}, {0}, {1, 5, 7}},
             {{3, 5, 7}, {0, 1, 2}, {1, 1, 1}}};
  Cases made;
  for (const auto& [x, axes, y] : all) {
    for (const float offset : {0.0F, 100.0F})
      made.push_back(alike(op, {{"axes", axes}}, {{scaled(x, 1, 1, offset)}}, y, 11));
  }
  return made;
}

Cases softmaxes(const std::string& op) {
  Cases made;
  for (const float scale : {1.0F, 20.0F}) {
    made.push_back(alike(op, {{"axis", int64_t{1}}}, {{scaled({7, 1000}, 1, scale)}}, {7, 1000}));
    made.push_back(
        alike(op, {{"axis", int64_t{3}}}, {{scaled({2, 3, 9, 17}, 2, scale)}}, {2, 3, 9, 17}));
    made.push_back(
        alike(op, {{"axis", int64_t{1}}}, {{scaled({2, 33, 4, 5}, 3, scale)}}, {2, 33, 4, 5}));
  }
  return made;
}

Cases batch_normalizations() {
  Cases made;
  for (const Shape& shape : {Shape{2, 19, 5, 6}, Shape{3, 32}}) {
    const Shape row{shape[1]};
    made.push_back(alike("BatchNormalization", {{"epsilon", 1e-5F}},
                         {{scaled(shape, 1, 4, 1)},
                          {noise(row, 2), true},
                          {noise(row, 3), true},
                          {noise(row, 4), true},
                          {above(row, 5, 0.1F), true}},
                         shape));
  }
  return made;
}

Cases layer_normalizations() {
  Cases made;
  for (const Shape& shape : {Shape{3, 768}, Shape{2, 5, 33}, Shape{1, 1}}) {
    const Shape row{shape[shape.rank() - 1]};
    for (const float offset : {0.0F, 10.0F})
      made.push_back(alike("LayerNormalization", {{"axis", int64_t{-1}}, {"epsilon", 1e-5F}},
                           {{scaled(shape, 1, 1, offset)}, {noise(row, 2)}, {noise(row, 3), true}},
                           shape));
  }
  return made;
}

// --- windows

Shape window_shape(const Shape& x, int64_t channels, const Ints& kernel, const Ints& pads,
                   int64_t stride) {
  Shape y = x;
  y[1] = channels;
  for (size_t i = 0; i < kernel.size(); ++i)
    y[i + 2] = (x[i + 2] + pads[i] + pads[i + kernel.size()] - kernel[i]) / stride + 1;
  return y;
}

Cases pools(const std::string& op) {
  Cases made;
  for (const Shape& x : {Shape{2, 16, 9, 11}, Shape{1, 3, 8, 8}, Shape{3, 7, 5, 5}}) {
    if (op.starts_with("Global")) {
      made.push_back(alike(op, {}, {{scaled(x, 1, 5)}}, {x[0], x[1], 1, 1}));
      continue;
    }
    const Ints kernel = {3, 3};
    for (const Ints& pads : {Ints{0, 0, 0, 0}, Ints{1, 1, 1, 1}}) {
      made.push_back(alike(op,
                           {{"kernel_shape", kernel},
                            {"strides", Ints{2, 2}},
                            {"pads", pads},
                            {"dilations", Ints{1, 1}}},
                           {{scaled(x, 1, 5)}}, window_shape(x, x[1], kernel, pads, 2)));
      if (op == "AveragePool") {
        made.back().run.node.attributes.set("count_include_pad", int64_t{1});
        made.back().meant.attributes.set("count_include_pad", int64_t{1});
      }
    }
  }
  return made;
}

NumericCase convolution(const Shape& x, int64_t outputs, const Ints& kernel, int64_t stride,
                        int64_t groups) {
  Ints pads;
  for (const int64_t extent : {kernel[0], kernel[1], kernel[0], kernel[1]})
    pads.push_back(extent / 2);
  const Attributes attributes = {{"kernel_shape", kernel},
                                 {"strides", Ints{stride, stride}},
                                 {"dilations", Ints{1, 1}},
                                 {"pads", pads},
                                 {"group", groups}};
  const Shape weights{outputs, x[1] / groups, kernel[0], kernel[1]};
  return alike("Conv", attributes,
               {{noise(x, 1)}, {noise(weights, 2), true}, {noise({outputs}, 3), true}},
               window_shape(x, outputs, kernel, pads, stride));
}

Cases convolutions() {
  Cases made = {convolution({1, 3, 32, 32}, 16, {7, 7}, 2, 1),
                convolution({2, 64, 14, 14}, 64, {3, 3}, 1, 1),    // Winograd's
                convolution({1, 128, 28, 28}, 128, {3, 3}, 1, 1),  // ditto, larger tiles
                convolution({2, 256, 7, 7}, 64, {1, 1}, 1, 1),
                convolution({1, 24, 9, 11}, 40, {3, 3}, 2, 2),
                convolution({2, 32, 12, 12}, 32, {3, 3}, 1, 32),  // depth-wise
                convolution({1, 19, 6, 5}, 23, {5, 3}, 1, 1)};
  for (const Layout layout : {Layout::kRowMajor, Layout::kBlocked16}) {
    NumericCase other = convolution({2, 32, 10, 10}, 48, {3, 3}, 1, 1);
    other.run.preferred = other.run.given = layout;
    made.push_back(std::move(other));
  }
  return made;
}

Tensor filled(const Shape& shape, float value) {
  Tensor tensor = *Tensor::zeros(ElementType::kFloat32, shape);
  std::ranges::fill(tensor.values<float>(), value);
  return tensor;
}

// One half of a separable convolution does nothing, so that the whole means what the other does.
Cases separable_convolutions() {
  const Shape image{2, 40, 12, 13};
  const Tensor ones = filled({40, 1, 1, 1}, 1);
  const Tensor none = filled({40}, 0);
  NumericCase pixels = convolution(image, 24, {1, 1}, 1, 1);
  pixels.run.node.op = "casemate:SeparableConv";
  pixels.run.node.attributes.set("group", int64_t{40});
  pixels.run.inputs.insert(pixels.run.inputs.begin() + 1, {{ones, true}, {none, true}});
  NumericCase lines = convolution(image, 40, {3, 3}, 2, 40);
  lines.run.node.op = "casemate:SeparableConv";
  Tensor same = filled({40, 40, 1, 1}, 0);
  for (size_t i = 0; i < 40; ++i) same.values<float>()[i * 41] = 1;
  lines.run.inputs.push_back({same, true});
  lines.run.inputs.push_back({none, true});
  return {std::move(pixels), std::move(lines)};
}

Cases response_normalizations() {
  const Attributes attributes = {
      {"size", int64_t{5}}, {"alpha", 0.02F}, {"beta", 0.75F}, {"bias", 1.5F}};
  const Shape image{2, 64, 5, 6};
  NumericCase made = alike("LRN", attributes, {{scaled(image, 1, 4)}}, image);
  made.run.given = Layout::kChannelsLast;
  return {std::move(made)};
}

KernelResult of_two(const KernelRequest& request) { return make_winograd_convolution(request, 2); }
KernelResult of_four(const KernelRequest& request) { return make_winograd_convolution(request, 4); }

// --- products

Cases gemms() {
  Cases made;
  for (const auto& [m, k, n] :
       {std::array<int64_t, 3>{1, 512, 100}, {3, 100, 33}, {64, 768, 256}}) {
    for (const bool constant : {false, true}) {
      const Attributes attributes = {
          {"transA", int64_t{0}}, {"transB", int64_t{0}}, {"alpha", 1.0F}, {"beta", 1.0F}};
      made.push_back(alike(
          "Gemm", attributes,
          {{noise({m, k}, 1)}, {noise({k, n}, 2), constant}, {noise({n}, 3), constant}}, {m, n}));
    }
  }
  return made;
}

Cases matmuls() {
  Cases made;
  const struct {
    Shape a, b, y;
  } all[] = {{{64, 768}, {768, 64}, {64, 64}},
             {{2, 5, 33}, {33, 17}, {2, 5, 17}},
             {{2, 3, 16, 64}, {2, 3, 64, 16}, {2, 3, 16, 16}},
             {{1, 1000}, {1000, 130}, {1, 130}}};
  for (const auto& [a, b, y] : all) {
    for (const bool constant : {false, true})
      made.push_back(alike("MatMul", {}, {{noise(a, 1)}, {noise(b, 2), constant}}, y));
  }
  return made;
}

// Queries, keys and values [1,1,tokens,width], dense.
NumericCase attention(int64_t tokens, int64_t width) {
  const Shape shape{1, 1, tokens, width};
  const Tensor q = scaled(shape, 1, 2);
  const Tensor k = scaled(shape, 2, 2);
  const Tensor v = noise(shape, 3);
  const Ints walk = {0, tokens * width, tokens * width, width};
  NumericCase made{.run = {.node = {.op = std::string(kAttentionOp)},
                           .inputs = {{q}, {k}, {v}},
                           .output = shape},
                   .meant = {.op = "Identity"},
                   .inputs = {}};
  Attributes& attributes = made.run.node.attributes;
  for (const char* operand : {"queries", "keys", "values", "result"}) attributes.set(operand, walk);
  attributes.set("sizes", Ints{1, 1, tokens, tokens, 0, width, width});
  attributes.set("scale", 0.25F);
  // No operator is this one: the exact result is computed here.
  Tensor y = *Tensor::zeros(ElementType::kFloat64, shape);
  const auto at = [&](const Tensor& t, int64_t i, int64_t j) {
    return static_cast<double>(t.values<float>()[static_cast<size_t>(i * width + j)]);
  };
  for (int64_t i = 0; i < tokens; ++i) {
    std::vector<double> weights(static_cast<size_t>(tokens));
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t j = 0; j < width; ++j) weights[t] += 0.25 * at(q, i, j) * at(k, t, j);
    }
    const double most = std::ranges::max(weights);
    for (double& weight : weights) weight = std::exp(weight - most);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t j = 0; j < width; ++j)
        y.values<double>()[i * width + j] += weights[t] / sum * at(v, t, j);
    }
  }
  made.inputs = {std::move(y)};
  return made;
}

// --- what only moves elements, or converts them

Tensor some(ElementType type, const Shape& shape) {
  if (type == ElementType::kFloat32) return noise(shape, 1);
  Tensor tensor = *Tensor::zeros(type, shape);
  const size_t size = size_of(type);
  const MutableBytes bytes = tensor.mutable_bytes();
  for (size_t i = 0; i < bytes.size() / size; ++i) {
    const double real = static_cast<double>(i) - 3.25;
    if (type == ElementType::kFloat64) {
      std::memcpy(bytes.data() + i * size, &real, size);
    } else {
      bytes[i * size] = static_cast<uint8_t>(type == ElementType::kBool ? i % 2 : i % 100);
    }
  }
  return tensor;
}

NumericCase moved(const std::string& op, const Tensor& x, const Attributes& run,
                  const Attributes& meant, const Shape& output, int since = 0) {
  NumericCase made = alike(op, meant, {{x}}, output, since);
  made.run.node.attributes = run;
  made.widened = false;
  return made;
}

Cases movements(const std::string& op, ElementType type) {
  const Tensor x = some(type, {3, 4, 5});
  if (op == "Transpose") {
    const Attributes order = {{"perm", Ints{2, 0, 1}}};
    return {moved(op, x, order, order, {5, 3, 4})};
  }
  if (op == "Slice") {
    return {moved(op, x, {{"starts", Ints{1, 0, 2}}, {"steps", Ints{1, 1, 1}}},
                  {{"starts", Ints{1, 0, 2}}, {"ends", Ints{3, 4, 5}}}, {2, 4, 3}, 1)};
  }
  if (op == "Reshape") {
    return {moved(op, x, {}, {{"shape", Ints{12, 5}}}, {12, 5}, 1)};
  }
  if (op == "Expand") {
    NumericCase made = moved(op, some(type, {3, 1}), {}, {}, {2, 3, 4});
    made.inputs.push_back(Tensor::of<int64_t>({3}, {2, 3, 4}));
    return {made};
  }
  // Pad
  const Tensor fill = some(type, {});
  NumericCase made = moved(op, x, {{"pads", Ints{1, 0, 0, 0, 2, 0}}}, {}, {4, 6, 5});
  made.run.inputs.push_back({fill, true});
  made.inputs.push_back(Tensor::of<int64_t>({6}, {1, 0, 0, 0, 2, 0}));
  made.inputs.push_back(fill);
  return {made};
}

Cases casts(ElementType type) {
  Cases made;
  for (const ElementType to : {ElementType::kFloat32, ElementType::kFloat64, ElementType::kInt32,
                               ElementType::kInt64, ElementType::kBool}) {
    const Tensor x = some(type, {5, 7});
    const Attributes attributes = {{"to", static_cast<int64_t>(to)}};
    made.push_back(moved("Cast", x, attributes, attributes, {5, 7}));
    made.back().run.output_type = to;
  }
  return made;
}

Cases concatenations() {
  Cases made;
  for (const int64_t axis : {0, 1, 3}) {
    const Shape part{2, 16, 3, 5};
    Shape output = part;
    output[static_cast<size_t>(axis)] *= 2;
    made.push_back(alike("Concat", {{"axis", axis}}, {{noise(part, 1)}, {noise(part, 2)}}, output));
  }
  return made;
}

// A part of x, in steps of its own; the same by Slice.
Cases stepped_copies() {
  NumericCase made =
      moved("Slice", noise({4, 6}, 1), {{"offset", int64_t{7}}, {"steps", Ints{6, 2}}},
            {{"starts", Ints{1, 1}}, {"ends", Ints{4, 6}}}, {3, 3});
  made.run.node.op = "casemate:Copy";
  made.inputs = {made.inputs[0], Tensor::of<int64_t>({2}, {1, 1}), Tensor::of<int64_t>({2}, {4, 6}),
                 Tensor::of<int64_t>({2}, {0, 1}), Tensor::of<int64_t>({2}, {1, 2})};
  return {made};
}

}  // namespace

std::vector<NumericCase> winograd_cases(int size) {
  Cases made = {convolution({1, 32, 13, 10}, 48, {3, 3}, 1, 1),
                convolution({2, 128, 28, 28}, 64, {3, 3}, 1, 1)};
  for (NumericCase& one : made) one.run.maker = size == 2 ? of_two : of_four;
  return made;
}

std::vector<NumericCase> cases_of(const std::string& op, ElementType type) {
  using Family = Cases (*)(const std::string&);
  static const std::map<std::string, Family, std::less<>> kFamilies = [] {
    std::map<std::string, Family, std::less<>> all;
    for (const char* name :
         {"Abs", "Clip", "Elu", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish",
          "Neg", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh"})
      all[name] = activations;
    for (const char* name : {"Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "PRelu"})
      all[name] = binaries;
    for (const char* name : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"})
      all[name] = reductions;
    for (const char* name : {"Softmax", "LogSoftmax"}) all[name] = softmaxes;
    for (const char* name : {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"})
      all[name] = pools;
    all["BatchNormalization"] = [](const std::string&) { return batch_normalizations(); };
    all["LayerNormalization"] = [](const std::string&) { return layer_normalizations(); };
    all["Conv"] = [](const std::string&) { return convolutions(); };
    all["casemate:SeparableConv"] = [](const std::string&) { return separable_convolutions(); };
    all["LRN"] = [](const std::string&) { return response_normalizations(); };
    all["Gemm"] = [](const std::string&) { return gemms(); };
    all["MatMul"] = [](const std::string&) { return matmuls(); };
    all["Concat"] = [](const std::string&) { return concatenations(); };
    all["casemate:Copy"] = [](const std::string&) { return stepped_copies(); };
    all[std::string(kAttentionOp)] = [](const std::string&) {
      return Cases{attention(1, 64), attention(17, 33), attention(128, 64)};
    };
    return all;
  }();
  if (op == "Cast") return casts(type);
  for (const char* mover : {"Reshape", "Transpose", "Slice", "Expand", "Pad"}) {
    if (op == mover) return movements(op, type);
  }
  const auto found = kFamilies.find(op);
  if (found == kFamilies.end() || type != ElementType::kFloat32) return {};
  return found->second(op);
}

}  // namespace casemate::engine
