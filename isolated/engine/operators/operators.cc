// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {

const Operators& Operators::instance() {
  static const Operators operators = [] {
    Operators all;
    add_activation(all);
    add_batch_normalization(all);
    add_binary(all);
    add_cast(all);
    add_col2im(all);
    add_comparison(all);
    add_constants(all);
    add_control(all);
    add_convolution(all);
    add_deformable_convolution(all);
    add_detection(all);
    add_determinant(all);
    add_dropout(all);
    add_einsum(all);
    add_gather(all);
    add_grid_sample(all);
    add_integer_convolution(all);
    add_labels(all);
    add_local_normalization(all);
    add_loss(all);
    add_ngrams(all);
    add_normalization(all);
    add_optimisers(all);
    add_pad(all);
    add_pieces(all);
    add_pooling(all);
    add_product(all);
    add_quantise(all);
    add_quantized_product(all);
    add_random(all);
    add_ranking(all);
    add_recurrent(all);
    add_reduction(all);
    add_resize(all);
    add_roi(all);
    add_scan(all);
    add_scatter(all);
    add_selection(all);
    add_sequences(all);
    add_shapes(all);
    add_softmax(all);
    add_spectrum(all);
    add_text(all);
    add_tree_ensemble(all);
    add_unary(all);
    add_variadic(all);
    return all;
  }();
  return operators;
}

void Operators::add(std::string op, Compute compute) {
  const bool fresh = functions_.emplace(std::move(op), compute).second;
  CHECK(fresh, "an operator is added once");
}

Compute Operators::find(const std::string& op) const {
  const auto found = functions_.find(op);
  return found == functions_.end() ? nullptr : found->second;
}

}  // namespace casemate::engine
