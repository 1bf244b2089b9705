// SPDX-License-Identifier: Apache-2.0
#pragma once
// Caller: an enclave that runs a model itself and has the same model run in another partition, in
// turns, and tells how long each took. It sits in the gateway's place and behind its walls.
//
//   Owns     its own compiled copy of the model, and the stream to the other one.
//   Threads  the engine's.
//   Trust    it is a benchmark: it trusts what it measures.
//   Fails    by answering with an error code.

#include <optional>

#include "isolated/enclave/enclave.h"
#include "isolated/engine/engine.h"
#include "isolated/infer/infer.h"
#include "isolated/srpc/srpc.h"

namespace casemate::perf {

struct TurnsQuestion {
  uint32_t runs = 0;    // of each kind
  uint32_t asleep = 0;  // 1: the caller waits as an event loop does
};

struct TurnsAnswer {
  uint32_t code = 0;
  uint32_t different = 0;  // results that were not bit for bit the same
  double inside_ns = 0;    // medians: run in this process,
  double apart_ns = 0;     // run in the other partition, tensors copied in,
  double extra_ns = 0;     // and the median of each turn's difference
};

class Caller final : public enclave::Program {
 public:
  Status start(const control::Message& manifest) override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  struct Turn {
    double inside_ns = 0;
    double apart_ns = 0;
    bool same = false;
  };
  Result<TurnsAnswer> measure(const TurnsQuestion& question);
  Result<Turn> turn(srpc::Caller& stream);
  Result<TensorView> call(srpc::Caller& stream);
  Result<srpc::Reply> wait(srpc::Caller& stream) const;

  std::optional<engine::Model> model_;
  std::optional<engine::Executor> executor_;
  std::optional<srpc::StreamEnd> end_;  // until the first question
  std::optional<srpc::Caller> stream_;
  bool asleep_ = false;
  std::vector<float> input_;
  TensorView view_;
  std::vector<float> output_;
};

}  // namespace casemate::perf
