// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModelProgram: the enclave that serves one model. Its template imports and compiles the model;
// each instance answers the calls of wire/abi/infer.h on one stream.
//
//   Owns     the compiled model; an instance its executor.
//   Threads  the stream is served by one; kernels run on the model's threads.
//   Trust    the model file, sealed or not, whoever brings its key, and every request may be
//            hostile. Inputs are used where they lie, in
//            memory that the caller may still change: that spoils the caller's own results and
//            nothing else.
//   Fails    start() with the node and the reason; a call with the code alone.

#include <optional>
#include <string>

#include "base/mapping.h"
#include "isolated/enclave/enclave.h"
#include "isolated/engine/engine.h"
#include "isolated/model/model_options.h"
#include "wire/abi/infer.h"
#include "wire/srpc/srpc.h"

namespace casemate::model {

class ModelProgram final : public enclave::Program {
 public:
  // `options` as ModelOptions::parse() takes them.
  explicit ModelProgram(std::string options) : options_(std::move(options)) {}
  // Where the model is sealed: asks for its key, and decrypts it.
  Status unlock(const control::Socket& control, const control::Message& manifest) override;
  Status start(const control::Message& manifest) override;
  Status prepare() override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  void serve(srpc::Callee& callee, const srpc::Request& request);
  Result<uint64_t> describe(srpc::Callee& callee, const infer::InferArgs& args) const;
  Result<uint64_t> infer(srpc::Callee& callee, const infer::InferArgs& args);

  std::string options_;
  Mapping unsealed_;  // until it has been loaded
  std::optional<engine::Model> model_;
  Duration loading_{};  // how long that took
  std::optional<engine::Executor> executor_;
};

}  // namespace casemate::model
