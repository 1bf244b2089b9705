// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {

const Operators& Operators::instance() {
  static const Operators operators = [] {
    Operators all;
    add_activation(all);
    add_binary(all);
    add_cast(all);
    add_comparison(all);
    add_constants(all);
    add_control(all);
    add_dropout(all);
    add_quantise(all);
    add_random(all);
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
