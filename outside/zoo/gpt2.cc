// SPDX-License-Identifier: Apache-2.0
// Radford et al.: "Language models are unsupervised multitask learners" (2019), section 2.3 and
// table 2: the smallest model. The head is the table of words, transposed.
//
// Inputs, outputs and names are those of Hugging Face's exporter with a cache of keys and values:
// one graph runs a prompt (past of length 0) and each step after it (present fed back as past).
//
//   input_ids, position_ids          int64 [batch, sequence]
//   attention_mask                   int64 [batch, total_sequence], 0 hides a token
//   past_key_values.N.key, .value    [batch, 12, past_sequence, 64]
//   logits                           [batch, sequence, 50257]
//   present.N.key, .value            [batch, 12, total_sequence, 64]
#include <cmath>
#include <limits>

#include "base/format.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/transformer.h"

namespace casemate::zoo {
namespace {

constexpr int64_t kWords = 50257;
constexpr int64_t kPositions = 1024;

// 1 where a token (row) may see another (column).
std::string triangle() {
  std::string bytes(kPositions * kPositions, '\0');
  for (size_t row = 0; row < kPositions; ++row)
    bytes.replace(row * kPositions, row + 1, row + 1, 1);
  return bytes;
}

std::string past_name(int64_t layer, const char* what) {
  return formatted("past_key_values.{}.{}", layer, what);
}

std::string present_name(int64_t layer, const char* what) {
  return formatted("present.{}.{}", layer, what);
}

void add_inputs(Transformer& net) {
  Graph& graph = net.graph();
  net.tokens("input_ids");
  graph.input("attention_mask", {"batch", "total_sequence"}, onnx::TensorProto::INT64);
  graph.input("position_ids", {"batch", "sequence"}, onnx::TensorProto::INT64);
  for (int64_t i = 0; i < net.sizes().layers; ++i) {
    for (const char* what : {"key", "value"}) {
      graph.input(past_name(i, what),
                  {"batch", net.sizes().heads, "past_sequence", net.sizes().head_width()});
    }
  }
}

// [batch, 1, sequence, total_sequence]: 0 where a token is to be seen, the lowest float elsewhere.
std::string attention_bias(Transformer& net) {
  Graph& graph = net.graph();
  const std::string past = net.extent(past_name(0, "key"), 2, "past");
  const std::string total = net.node("Add", {past, net.sequence()}, "total");
  const std::string zero = graph.list("causal.zero", Extents{0});
  graph.node("Concat", {past, zero}, "causal.start").integer("axis", 0);
  graph.node("Concat", {total, total}, "causal.end").integer("axis", 0);
  const std::string all =
      graph.mask("transformer.h.attn.bias", {1, 1, kPositions, kPositions}, triangle());
  const std::string causal = net.node(
      "Slice", {all, "causal.start", "causal.end", graph.list("causal.axes", Extents{2, 3})},
      "causal");
  graph.node("Cast", {"attention_mask"}, "mask.bool").integer("to", onnx::TensorProto::BOOL);
  const std::string mask =
      net.node("Unsqueeze", {"mask.bool", graph.list("mask.axes", Extents{1, 2})}, "mask");
  const std::string seen = net.node("And", {causal, mask}, "visible");
  const float lowest = std::numeric_limits<float>::lowest();
  return net.node(
      "Where", {seen, graph.scalar("visible.zero", 0.0F), graph.scalar("visible.lowest", lowest)},
      "attention_bias");
}

// Behind what the cache holds, the keys or values of these tokens.
std::string cached(Transformer& net, const std::string& x, int64_t layer, const char* what) {
  const std::string heads = net.split_heads(x, x + "_heads");
  const std::string name = present_name(layer, what);
  net.graph().node("Concat", {past_name(layer, what), heads}, name).integer("axis", -2);
  return name;
}

std::string attention(Transformer& net, const std::string& x, const std::string& bias,
                      int64_t layer, const std::string& place, double scale) {
  const int64_t width = net.sizes().width;
  const std::string all = net.flat_dense(x, place + "c_attn", width, 3 * width);
  const std::string sizes = net.graph().list(place + "sizes", Extents{width, width, width});
  net.graph()
      .node("Split", {all, sizes}, place + "query")
      .integer("axis", 2)
      .output(place + "key")
      .output(place + "value");
  const std::string query = net.split_heads(place + "query", place + "query_heads");
  const std::string key = cached(net, place + "key", layer, "key");
  const std::string value = cached(net, place + "value", layer, "value");
  const std::string seen = net.attention(query, key, value, bias, place + "attention");
  return net.flat_dense(net.merge_heads(seen, place + "context"), place + "c_proj", width, width,
                        scale);
}

// Both parts are normalised before, and added to what goes around them.
std::string block(Transformer& net, const std::string& x, const std::string& bias, int64_t layer) {
  const std::string place = formatted("transformer.h.{}.", layer);
  // Section 2.3: what goes into the residual path is scaled by the root of how many there are.
  const double scale = 1 / std::sqrt(2.0 * static_cast<double>(net.sizes().layers));
  std::string y = net.layer_norm(x, place + "ln_1");
  y = net.node("Add", {attention(net, y, bias, layer, place + "attn.", scale), x},
               place + "attn.sum");
  std::string z = net.layer_norm(y, place + "ln_2");
  z = net.flat_dense(z, place + "mlp.c_fc", net.sizes().width, net.sizes().inner);
  z = net.gelu_tanh(z, place + "mlp.act");
  z = net.flat_dense(z, place + "mlp.c_proj", net.sizes().inner, net.sizes().width, scale);
  return net.node("Add", {y, z}, place + "mlp.sum");
}

}  // namespace

Graph gpt_2_small() { return gpt_2("gpt-2-small", {.epsilon = 1e-5F}); }

Graph gpt_2(const std::string& called, const TransformerSizes& sizes) {
  Transformer net(called, "Radford et al., 2019, section 2.3 and table 2", sizes);
  Graph& graph = net.graph();
  add_inputs(net);
  const std::string bias = attention_bias(net);
  const std::string words = net.embedding("input_ids", "transformer.wte", kWords);
  const std::string places = net.embedding("position_ids", "transformer.wpe", kPositions);
  std::string x = net.node("Add", {words, places}, "transformer.embeddings");
  for (int64_t i = 0; i < net.sizes().layers; ++i) x = block(net, x, bias, i);
  x = net.layer_norm(x, "transformer.ln_f");
  graph.node("Transpose", {"transformer.wte.weight"}, "lm_head.weight").integers("perm", {1, 0});
  graph.count_operations(kStandardTokens * net.sizes().width * kWords);
  graph.output(net.node("MatMul", {x, "lm_head.weight"}, "lm_head"), "logits",
               {"batch", "sequence", kWords});
  for (int64_t i = 0; i < net.sizes().layers; ++i) {
    for (const char* what : {"key", "value"}) {
      const std::string name = present_name(i, what);
      graph.output(name, name,
                   {"batch", net.sizes().heads, "total_sequence", net.sizes().head_width()});
    }
  }
  return std::move(graph);
}

}  // namespace casemate::zoo
