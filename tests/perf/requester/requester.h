// SPDX-License-Identifier: Apache-2.0
#pragma once
// Requester: an enclave that has a model in another partition run and tells how long it took. It
// sits in the gateway's place and behind its walls. Its own "model file" is the inputs
// (tests/perf/peers/tensor_file.h), in the order in which they stand there: the model's.
//
//   Owns     the inputs, and the stream to the model.
//   Threads  one.
//   Trust    it is a benchmark: it trusts what it measures.
//   Fails    by answering with an error code.

#include <optional>
#include <vector>

#include "isolated/enclave/enclave.h"
#include "isolated/infer/infer.h"
#include "isolated/srpc/srpc.h"
#include "tests/perf/peers/tensor_file.h"

namespace casemate::perf {

enum class Wanted : uint32_t {
  kRuns = 1,     // RunsAnswer
  kResult = 2,   // ResultAnswer: a piece of the latest run's result, which lies in the stream
  kLoading = 3,  // RunsAnswer: one, how long the model's process took to load and compile it
};

struct RequesterQuestion {
  uint32_t wanted = 0;  // Wanted
  uint32_t copies = 0;  // kRuns: 1: the inputs are copied into the stream's memory for each run
  double seconds = 0;   // kRuns: at least so long, and at least two
  uint64_t offset = 0;  // kResult: into the stream's outgoing memory
};

struct RunsAnswer {
  uint32_t code = 0;  // Code
  uint32_t runs = 0;
  double median_ms = 0;
  double min_ms = 0;
};

struct ResultAnswer {
  static constexpr size_t kPiece = 128 << 10;
  uint32_t code = 0;
  uint32_t size = 0;  // 0: the offset is behind the end
  ByteArray<kPiece> bytes{};
};

class Requester final : public enclave::Program {
 public:
  Status start(const control::Message& manifest) override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  Status place_inputs(srpc::Caller& stream) const;
  static Status call(srpc::Caller& stream);
  static Result<RunsAnswer> ask_for_loading(srpc::Caller& stream);
  Result<RunsAnswer> time_runs(srpc::Caller& stream, const RequesterQuestion& question) const;

  std::vector<FileTensor> inputs_;
  std::vector<TensorView> views_;
};

}  // namespace casemate::perf
