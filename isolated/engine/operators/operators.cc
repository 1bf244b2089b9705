// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {

const Operators& Operators::instance() {
  static const Operators operators = [] {
    Operators all;
    add_control(all);
    add_convolution(all);
    add_deformable_convolution(all);
    add_detection(all);
    add_integer_convolution(all);
    add_labels(all);
    add_ngrams(all);
    add_pooling(all);
    add_recurrent(all);
    add_text(all);
    add_tree_ensemble(all);
    add_unary(all);
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
