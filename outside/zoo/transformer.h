// SPDX-License-Identifier: Apache-2.0
#pragma once
// Transformer: the layers that networks for text are made of, as PyTorch exports them.
//
// Vaswani et al., "Attention is all you need" (2017, arXiv 1706.03762), section 3. A value is
// [batch, sequence, width] unless it says otherwise; batch and sequence are symbols, so shapes that
// Reshape needs are computed in the graph from the input's own. Normalisation keeps activations of
// order 1; weights are scaled by their fan-in (Glorot and Bengio, 2010) so that attention is
// neither flat nor a choice of one.
//
//   Owns     the graph.
//   Threads  one.
//   Trust    none needed.
//   Fails    cannot.

#include <string>

#include "outside/zoo/graph.h"

namespace casemate::zoo {

// Multiply-adds are counted for so many tokens in a sequence, none of them cached.
inline constexpr int64_t kStandardTokens = 128;

struct TransformerSizes {
  int64_t width = 768;
  int64_t heads = 12;
  int64_t inner = 3072;
  int64_t layers = 12;
  float epsilon = 1e-12F;  // of layer normalisation

  [[nodiscard]] int64_t head_width() const { return width / heads; }
};

class Transformer final {
 public:
  // `paper` says where the architecture is described.
  Transformer(const std::string& name, const std::string& paper, const TransformerSizes& sizes)
      : sizes_(sizes), graph_(name, paper) {}

  // The input of tokens, int64 [batch, sequence]; from here on batch and sequence are known.
  std::string tokens(const std::string& name);

  // Rows of a table by their numbers.
  std::string embedding(const std::string& numbers, const std::string& name, int64_t rows);
  std::string layer_norm(const std::string& x, const std::string& name);
  // As BERT's exporter writes it, a product and a sum; as GPT-2's does, on a flat view of x.
  std::string dense(const std::string& x, const std::string& name, int64_t from, int64_t to,
                    double scale = 1);
  std::string flat_dense(const std::string& x, const std::string& name, int64_t from, int64_t to,
                         double scale = 1);
  // Hendrycks and Gimpel (2016, arXiv 1606.08415), section 2: exactly, and nearly.
  std::string gelu_erf(const std::string& x, const std::string& name);
  std::string gelu_tanh(const std::string& x, const std::string& name);

  // To [batch, heads, sequence, head width], and back.
  std::string split_heads(const std::string& x, const std::string& name);
  std::string merge_heads(const std::string& x, const std::string& name);
  // Section 3.2.1, on heads; `bias` is added to the scores: 0, or far below where a key is hidden.
  std::string attention(const std::string& query, const std::string& key, const std::string& value,
                        const std::string& bias, const std::string& name);

  // A node; the rest of the graph is added here too.
  std::string node(const char* op, const Names& inputs, const std::string& name) {
    graph_.node(op, inputs, name);
    return name;
  }
  // The extent of one axis of x as a list of one number.
  std::string extent(const std::string& x, int64_t axis, const std::string& name);
  [[nodiscard]] Graph& graph() { return graph_; }
  [[nodiscard]] const TransformerSizes& sizes() const { return sizes_; }
  [[nodiscard]] const std::string& batch() const { return batch_; }
  [[nodiscard]] const std::string& sequence() const { return sequence_; }

 private:
  // x in the shape [batch, sequence, `rest`].
  std::string reshaped(const std::string& x, const std::string& name, const Extents& rest);

  TransformerSizes sizes_;
  Graph graph_;
  std::string batch_;
  std::string sequence_;
};

}  // namespace casemate::zoo
