// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/transformer.h"

#include <cmath>
#include <numbers>

namespace casemate::zoo {
namespace {

constexpr double kScatter = 0.1;

// Weights that turn a normalised x into something of variance scale^2 (Glorot and Bengio, 2010,
// "Understanding the difficulty of training deep feedforward neural networks", section 4.2.1, for
// the forward pass alone).
Draw preserving(int64_t fan_in, double scale = 1) {
  return {0, scale * std::sqrt(1 / static_cast<double>(fan_in))};
}

}  // namespace

std::string Transformer::tokens(const std::string& name) {
  graph_.input(name, {"batch", "sequence"}, onnx::TensorProto::INT64);
  batch_ = extent(name, 0, "batch");
  sequence_ = extent(name, 1, "sequence");
  return name;
}

std::string Transformer::extent(const std::string& x, int64_t axis, const std::string& name) {
  const std::string shape = node("Shape", {x}, name + ".shape");
  const std::string number = graph_.scalar(name + ".axis", axis);
  graph_.node("Gather", {shape, number}, name + ".extent").integer("axis", 0);
  return node("Unsqueeze", {name + ".extent", graph_.list(name + ".front", Extents{0})}, name);
}

std::string Transformer::embedding(const std::string& numbers, const std::string& name,
                                   int64_t rows) {
  // 0.02: Devlin et al. and Radford et al. alike, in their code.
  const std::string table = graph_.weight(name + ".weight", {rows, sizes_.width}, {0, 0.02});
  graph_.node("Gather", {table, numbers}, name).integer("axis", 0);
  return name;
}

std::string Transformer::layer_norm(const std::string& x, const std::string& name) {
  const std::string scale = graph_.weight(name + ".weight", {sizes_.width}, {1, kScatter});
  const std::string shift = graph_.weight(name + ".bias", {sizes_.width}, {0, kScatter});
  graph_.node("LayerNormalization", {x, scale, shift}, name)
      .integer("axis", -1)
      .real("epsilon", sizes_.epsilon);
  return name;
}

std::string Transformer::dense(const std::string& x, const std::string& name, int64_t from,
                               int64_t to, double scale) {
  const std::string weight = graph_.weight(name + ".weight", {from, to}, preserving(from, scale));
  const std::string bias = graph_.weight(name + ".bias", {to}, {0, scale * kScatter});
  graph_.count_operations(kStandardTokens * from * to);
  return node("Add", {bias, node("MatMul", {x, weight}, name + ".product")}, name);
}

std::string Transformer::flat_dense(const std::string& x, const std::string& name, int64_t from,
                                    int64_t to, double scale) {
  const std::string weight = graph_.weight(name + ".weight", {from, to}, preserving(from, scale));
  const std::string bias = graph_.weight(name + ".bias", {to}, {0, scale * kScatter});
  const std::string shape = graph_.list(name + ".flat_shape", Extents{-1, from});
  const std::string flat = node("Reshape", {x, shape}, name + ".flat");
  graph_.node("Gemm", {flat, weight, bias}, name + ".gemm").real("alpha", 1).real("beta", 1);
  graph_.count_operations(kStandardTokens * from * to);
  return reshaped(name + ".gemm", name, {to});
}

std::string Transformer::reshaped(const std::string& x, const std::string& name,
                                  const Extents& rest) {
  const std::string tail = graph_.list(name + ".tail", rest);
  graph_.node("Concat", {batch_, sequence_, tail}, name + ".shape").integer("axis", 0);
  return node("Reshape", {x, name + ".shape"}, name);
}

// x / 2 * (1 + erf(x / sqrt 2))
std::string Transformer::gelu_erf(const std::string& x, const std::string& name) {
  const std::string root = graph_.scalar(name + ".root", std::numbers::sqrt2_v<float>);
  const std::string one = graph_.scalar(name + ".one", 1.0F);
  const std::string half = graph_.scalar(name + ".half", 0.5F);
  const std::string erf = node("Erf", {node("Div", {x, root}, name + ".scaled")}, name + ".erf");
  const std::string twice = node("Add", {erf, one}, name + ".probability");
  return node("Mul", {node("Mul", {x, twice}, name + ".doubled"), half}, name);
}

// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
std::string Transformer::gelu_tanh(const std::string& x, const std::string& name) {
  const std::string half = graph_.scalar(name + ".half", 0.5F);
  const std::string three = graph_.scalar(name + ".three", 3.0F);
  const std::string small = graph_.scalar(name + ".small", 0.044715F);
  const std::string root = graph_.scalar(name + ".root", 0.7978845608F);
  const std::string one = graph_.scalar(name + ".one", 1.0F);
  const std::string cube = node("Pow", {x, three}, name + ".cube");
  const std::string bent =
      node("Add", {x, node("Mul", {cube, small}, name + ".part")}, name + ".bent");
  const std::string tanh =
      node("Tanh", {node("Mul", {bent, root}, name + ".scaled")}, name + ".tanh");
  return node(
      "Mul",
      {node("Mul", {x, half}, name + ".halved"), node("Add", {tanh, one}, name + ".probability")},
      name);
}

std::string Transformer::split_heads(const std::string& x, const std::string& name) {
  const std::string apart = reshaped(x, name + ".apart", {sizes_.heads, sizes_.head_width()});
  graph_.node("Transpose", {apart}, name).integers("perm", {0, 2, 1, 3});
  return name;
}

std::string Transformer::merge_heads(const std::string& x, const std::string& name) {
  graph_.node("Transpose", {x}, name + ".together").integers("perm", {0, 2, 1, 3});
  return reshaped(name + ".together", name, {sizes_.width});
}

std::string Transformer::attention(const std::string& query, const std::string& key,
                                   const std::string& value, const std::string& bias,
                                   const std::string& name) {
  graph_.node("Transpose", {key}, name + ".key_transposed").integers("perm", {0, 1, 3, 2});
  const std::string raw = node("MatMul", {query, name + ".key_transposed"}, name + ".products");
  const std::string root = graph_.scalar(
      name + ".root", static_cast<float>(std::sqrt(static_cast<double>(sizes_.head_width()))));
  const std::string scaled = node("Div", {raw, root}, name + ".scores");
  const std::string shown = node("Add", {scaled, bias}, name + ".visible_scores");
  graph_.node("Softmax", {shown}, name + ".probabilities").integer("axis", -1);
  graph_.count_operations(2 * kStandardTokens * kStandardTokens * sizes_.width);
  return node("MatMul", {name + ".probabilities", value}, name);
}

}  // namespace casemate::zoo
