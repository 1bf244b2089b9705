// SPDX-License-Identifier: Apache-2.0
#pragma once
// Operators: what each of ONNX's operators means, as a function that computes it for any types and
// shapes that its schema allows. One file per family, with a function `add_...` and its test.
//
// These functions are the reference: constants are folded with them, data-dependent parts of a
// model run on them, and so does every node for which kernels/ has nothing faster.
//
//   Owns     the table.
//   Threads  immutable once made.
//   Trust    see computation.h.
//   Fails    find() yields none for what is not here; a function body may stand for it.

#include <map>
#include <string>

#include "isolated/engine/operators/computation.h"

namespace casemate::engine {

using Compute = Status (*)(Computation& computation);

class Operators final {
 public:
  // Those of this build.
  static const Operators& instance();

  // Requires: not there yet. `op` as in Node::op.
  void add(std::string op, Compute compute);
  [[nodiscard]] Compute find(const std::string& op) const;
  [[nodiscard]] const auto& all() const { return functions_; }

 private:
  std::map<std::string, Compute, std::less<>> functions_;
};

void add_activation(Operators& operators);
void add_batch_normalization(Operators& operators);
void add_binary(Operators& operators);
void add_cast(Operators& operators);
void add_col2im(Operators& operators);
void add_comparison(Operators& operators);
void add_constants(Operators& operators);
void add_control(Operators& operators);
void add_convolution(Operators& operators);
void add_deformable_convolution(Operators& operators);
void add_detection(Operators& operators);
void add_determinant(Operators& operators);
void add_dropout(Operators& operators);
void add_einsum(Operators& operators);
void add_gather(Operators& operators);
void add_grid_sample(Operators& operators);
void add_integer_convolution(Operators& operators);
void add_labels(Operators& operators);
void add_local_normalization(Operators& operators);
void add_loss(Operators& operators);
void add_ngrams(Operators& operators);
void add_normalization(Operators& operators);
void add_optimisers(Operators& operators);
void add_pad(Operators& operators);
void add_pieces(Operators& operators);
void add_pooling(Operators& operators);
void add_product(Operators& operators);
void add_quantise(Operators& operators);
void add_quantized_product(Operators& operators);
void add_random(Operators& operators);
void add_ranking(Operators& operators);
void add_recurrent(Operators& operators);
void add_reduction(Operators& operators);
void add_resize(Operators& operators);
void add_roi(Operators& operators);
void add_scan(Operators& operators);
void add_scatter(Operators& operators);
void add_selection(Operators& operators);
void add_sequences(Operators& operators);
void add_shapes(Operators& operators);
void add_softmax(Operators& operators);
void add_spectrum(Operators& operators);
void add_text(Operators& operators);
void add_tree_ensemble(Operators& operators);
void add_unary(Operators& operators);
void add_variadic(Operators& operators);

}  // namespace casemate::engine
