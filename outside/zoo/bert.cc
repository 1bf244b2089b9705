// SPDX-License-Identifier: Apache-2.0
// Devlin, Chang, Lee, Toutanova: "BERT: pre-training of deep bidirectional transformers for
// language understanding" (NAACL 2019, arXiv 1810.04805), section 3: the base model, encoder and
// pooler, with the 30,522 uncased word pieces. Inputs, outputs and names are those of Hugging
// Face's exporter.
#include <cmath>
#include <limits>
#include <numeric>

#include "base/format.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/transformer.h"

namespace casemate::zoo {
namespace {

constexpr int64_t kWords = 30522;
constexpr int64_t kPositions = 512;
constexpr int64_t kSegments = 2;

// Of what is added to the way around a layer: at full scale, twelve random layers of attention
// would make all tokens alike.
constexpr double kBranchScale = 0.5;

// Words, positions and segments, summed and normalised (figure 2).
std::string embeddings(Transformer& net, const std::string& ids) {
  Graph& graph = net.graph();
  const std::string segments =
      graph.input("token_type_ids", {"batch", "sequence"}, onnx::TensorProto::INT64);
  Extents numbers(kPositions);
  std::iota(numbers.begin(), numbers.end(), 0);
  const std::string all = graph.buffer("embeddings.position_ids", {1, kPositions}, numbers);
  const std::string positions = net.node("Slice",
                                         {all, graph.list("positions.start", Extents{0}),
                                          net.sequence(), graph.list("positions.axis", Extents{1})},
                                         "positions");
  const std::string words = net.embedding(ids, "embeddings.word_embeddings", kWords);
  const std::string kinds = net.embedding(segments, "embeddings.token_type_embeddings", kSegments);
  const std::string places = net.embedding(positions, "embeddings.position_embeddings", kPositions);
  const std::string sum = net.node("Add", {words, kinds}, "embeddings.words_and_types");
  return net.layer_norm(net.node("Add", {sum, places}, "embeddings.sum"), "embeddings.LayerNorm");
}

// [batch, 1, 1, sequence]: 0 where the mask is 1, the lowest float where it is 0.
std::string attention_bias(Transformer& net) {
  Graph& graph = net.graph();
  const std::string mask =
      graph.input("attention_mask", {"batch", "sequence"}, onnx::TensorProto::INT64);
  const std::string wide =
      net.node("Unsqueeze", {mask, graph.list("mask.axes", Extents{1, 2})}, "mask.wide");
  graph.node("Cast", {wide}, "mask.float").integer("to", onnx::TensorProto::FLOAT);
  const std::string hidden =
      net.node("Sub", {graph.scalar("mask.one", 1.0F), "mask.float"}, "mask.hidden");
  const float lowest = std::numeric_limits<float>::lowest();
  return net.node("Mul", {hidden, graph.scalar("mask.lowest", lowest)}, "attention_bias");
}

// Attention and a feed-forward network, each added to its input and normalised.
std::string layer(Transformer& net, const std::string& x, const std::string& bias,
                  const std::string& place) {
  const int64_t width = net.sizes().width;
  const std::string self = place + "attention.self.";
  const auto heads = [&](const std::string& name) {
    return net.split_heads(net.dense(x, self + name, width, width), self + name + "_heads");
  };
  const std::string query = heads("query");
  const std::string key = heads("key");
  const std::string value = heads("value");
  const std::string seen = net.attention(query, key, value, bias, self + "attention");
  std::string y = net.dense(net.merge_heads(seen, self + "context"),
                            place + "attention.output.dense", width, width, kBranchScale);
  y = net.layer_norm(net.node("Add", {y, x}, place + "attention.output.sum"),
                     place + "attention.output.LayerNorm");
  std::string z = net.dense(y, place + "intermediate.dense", width, net.sizes().inner);
  z = net.gelu_erf(z, place + "intermediate.gelu");
  z = net.dense(z, place + "output.dense", net.sizes().inner, width, kBranchScale);
  return net.layer_norm(net.node("Add", {z, y}, place + "output.sum"), place + "output.LayerNorm");
}

// The first token's state, once more transformed.
std::string pooler(Transformer& net, const std::string& x) {
  Graph& graph = net.graph();
  const int64_t width = net.sizes().width;
  graph.node("Gather", {x, graph.scalar("pooler.index", int64_t{0})}, "pooler.first")
      .integer("axis", 1);
  const std::string weight = graph.weight("pooler.dense.weight", {width, width},
                                          {0, 1 / std::sqrt(static_cast<double>(width))});
  const std::string bias = graph.weight("pooler.dense.bias", {width}, {0, 0.1});
  graph.node("Gemm", {"pooler.first", weight, bias}, "pooler.dense")
      .real("alpha", 1)
      .real("beta", 1)
      .integer("transB", 1);
  graph.count_operations(width * width);
  return net.node("Tanh", {"pooler.dense"}, "pooler.tanh");
}

}  // namespace

Graph bert_base() { return bert("bert-base", {}); }

Graph bert(const std::string& called, const TransformerSizes& sizes) {
  Transformer net(called, "Devlin et al., NAACL 2019, section 3", sizes);
  const std::string ids = net.tokens("input_ids");
  const std::string bias = attention_bias(net);
  std::string x = embeddings(net, ids);
  for (int64_t i = 0; i < net.sizes().layers; ++i)
    x = layer(net, x, bias, formatted("encoder.layer.{}.", i));
  const std::string pooled = pooler(net, x);
  net.graph().output(x, "last_hidden_state", {"batch", "sequence", net.sizes().width});
  net.graph().output(pooled, "pooler_output", {"batch", net.sizes().width});
  return std::move(net.graph());
}

}  // namespace casemate::zoo
