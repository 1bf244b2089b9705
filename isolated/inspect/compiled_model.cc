// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/compiled_model.h"

#include "base/format.h"

namespace casemate::inspect {

Status read_whole(Subject& subject, const Options& options) {
  engine::Refusals refusals;
  Status read = subject.read(options, refusals);
  if (read || refusals.count() <= 1) return read;
  return Error{refusals.list().front().code,
               formatted("{} ({} more reasons: casemate check lists them)",
                         refusals.list().front().text, refusals.count() - 1)};
}

Result<engine::Model> compiled_model(const Mapping& file, const Options& options) {
  engine::LoadOptions wanted;
  {
    Subject subject(file);
    TRY(read_whole(subject, options));
    wanted = TRY(subject.load_options(options, {1}));
  }
  engine::Model model = TRY(engine::Model::load(file, wanted));
  if (model.compiled().empty()) {
    return Error{Code::kUnsupported,
                 "no plan can be made before there is data: what some nodes make has a shape that "
                 "data decides on"};
  }
  return model;
}

}  // namespace casemate::inspect
