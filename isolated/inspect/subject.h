// SPDX-License-Identifier: Apache-2.0
#pragma once
// Subject: the model that is asked about, read but not compiled.
//
//   Owns     the graph; large constants stay in the file's mapping, which must outlive it.
//   Threads  one.
//   Trust    none in the file.
//   Fails    read() as read_onnx(), and with all refused nodes in `refusals`; load_options() with
//            the symbols that the model has.

#include <map>
#include <string>
#include <vector>

#include "base/mapping.h"
#include "isolated/engine/engine.h"
#include "isolated/engine/graph/refusals.h"
#include "isolated/engine/onnx/file_tensors.h"
#include "isolated/engine/onnx/read.h"
#include "isolated/inspect/options.h"

namespace casemate::inspect {

class Subject final {
 public:
  // What can be counted without compiling anything. Subgraphs and functions are counted too.
  struct Counts {
    uint64_t nodes = 0;
    uint64_t weight_bytes = 0;
    std::map<std::string, uint64_t> operators;
  };

  explicit Subject(const Mapping& file) : file_(file) {}
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  Status read(const Options& options, engine::Refusals& refusals);

  // Requires of all that follow: read() succeeded.
  [[nodiscard]] const engine::ReadModel& model() const { return *model_; }
  [[nodiscard]] Counts counts() const;
  // How the engine is to load it: for the batch and the extents that were asked for, or for
  // `batch_sizes`.
  Result<engine::LoadOptions> load_options(const Options& options,
                                           const std::vector<int64_t>& batch_sizes) const;
  // The graph for the inputs that it is loaded for, in canonical form; it shares the constants of
  // this. Fails with kUnsupported when data decides on shapes.
  Result<engine::Graph> shaped(const engine::LoadOptions& options) const;
  // Finds what else is refused when shapes are known.
  void look_closer(const engine::LoadOptions& options, engine::Refusals& refusals) const;

 private:
  std::vector<engine::Fact> facts(const engine::LoadOptions& options) const;

  const Mapping& file_;
  engine::FileTensors tensors_{[this](Bytes part) { file_.release(part); }};
  std::optional<engine::ReadModel> model_;  // dies before the tensors that it shares
};

// "x FP32 [batch,3,224,224]"
std::string text_of(const engine::Port& port);

}  // namespace casemate::inspect
