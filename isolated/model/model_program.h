// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModelProgram: the enclave that serves one model. Its template imports and compiles the model;
// each instance answers the calls of isolated/infer/infer.h on one stream.
//
//   Owns     the compiled model; an instance its executor.
//   Threads  the stream is served by one; kernels run on the model's threads.
//   Trust    the model file, sealed or not, who brings its key, and every request may be hostile.
//            Inputs are used where they lie, in memory that the caller may still change: that
//            spoils the caller's own results and nothing else.
//   Fails    start() with the node and the reason, or, of a sealed model, the code; a call with the
//            code alone.

#include <optional>
#include <string>

#include "isolated/enclave/enclave.h"
#include "isolated/engine/engine.h"
#include "isolated/infer/infer.h"
#include "isolated/model/divided_model.h"
#include "isolated/model/model_options.h"
#include "isolated/srpc/srpc.h"

namespace casemate::model {

class ModelProgram final : public enclave::Program {
 public:
  // `options` as ModelOptions::parse() takes them.
  explicit ModelProgram(std::string options) : options_(std::move(options)) {}
  // Where the model is sealed: asks for its key and decrypts it.
  Status unlock(const control::Socket& control, const control::Message& manifest) override;
  Status start(const control::Message& manifest) override;
  Status prepare() override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  Status load_model(const control::Message& manifest);
  [[nodiscard]] Status discreet(Status done) const;
  Status run_divided(control::Socket& control);
  void take(control::Received& received, std::optional<srpc::Callee>& callee);
  void serve(srpc::Callee& callee, const srpc::Request& request);
  Result<uint64_t> describe(srpc::Callee& callee, const infer::InferArgs& args) const;
  Result<uint64_t> infer(srpc::Callee& callee, const infer::InferArgs& args);

  std::string options_;
  std::optional<engine::Model> model_;
  Duration loading_{};  // how long that took
  std::optional<engine::Executor> executor_;
  bool sealed_ = false;                    // the model was, before it came into this memory
  Mapping unsealed_;                       // until it is loaded
  Mapping file_;                           // as long as a part of the model is left in it
  std::unique_ptr<DividedModel> divided_;  // where other devices run some of it
};

}  // namespace casemate::model
