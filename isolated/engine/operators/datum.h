// SPDX-License-Identifier: Apache-2.0
#pragma once
// Datum: what a value of a graph holds while it runs: nothing, a tensor, or a sequence of tensors.
//
//   Owns     as Tensor.
//   Threads  a value type.
//   Trust    as Tensor.
//   Fails    asking for what it does not hold is a bug.

#include <variant>

#include "isolated/engine/graph/tensor.h"

namespace casemate::engine {

using Sequence = std::vector<Tensor>;

class Datum final {
 public:
  // Nothing: an optional that is empty, or an input that a node leaves out.
  Datum() = default;
  Datum(Tensor tensor) : held_(std::move(tensor)) {}        // NOLINT: a tensor is a datum
  Datum(Sequence sequence) : held_(std::move(sequence)) {}  // NOLINT: ditto

  [[nodiscard]] bool empty() const { return std::holds_alternative<std::monostate>(held_); }
  [[nodiscard]] const Tensor* tensor() const { return std::get_if<Tensor>(&held_); }
  [[nodiscard]] const Sequence* sequence() const { return std::get_if<Sequence>(&held_); }
  // Memory that it accounts for, shared or not.
  [[nodiscard]] uint64_t bytes() const;

  friend bool operator==(const Datum&, const Datum&) = default;

 private:
  std::variant<std::monostate, Tensor, Sequence> held_;
};

}  // namespace casemate::engine
