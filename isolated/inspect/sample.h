// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sample: made-up inputs for a model of which only its file is known, and memory for its outputs.
// Floats are normally distributed; integers are 1 for an attention mask, count up for positions,
// are 0 or 1 for types and truths, and are below 1000 otherwise.
//
//   Owns     the inputs; KeptOutputs the memory of the outputs, between runs too.
//   Threads  one.
//   Trust    names come from the model's file.
//   Fails    as Tensor::zeros().

#include <span>
#include <vector>

#include "isolated/engine/engine.h"

namespace casemate::inspect {

class Sample final {
 public:
  // Inputs for the first plan of the model, always the same. Requires: it has one.
  static Result<Sample> make(const engine::Model& model);

  // Valid while the sample lives.
  [[nodiscard]] std::vector<TensorView> views() const;

 private:
  std::vector<engine::Tensor> inputs_;
};

// Memory that is kept between runs, as shared memory would be.
class KeptOutputs final : public engine::OutputSink {
 public:
  Result<MutableBytes> memory(size_t output, ElementType type, const Shape& shape,
                              uint64_t bytes) override;

 private:
  std::vector<std::vector<double>> kept_;
};

}  // namespace casemate::inspect
