// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/compiled_model.h"

#include "base/format.h"
#include "isolated/inspect/subject.h"

namespace casemate::inspect {

Result<engine::Model> compiled_model(const Mapping& file, const Options& options) {
  engine::LoadOptions wanted;
  {
    Subject subject(file);
    engine::Refusals refusals;
    const Status read = subject.read(options, refusals);
    if (!read && refusals.count() > 1) {
      return Error{refusals.list().front().code,
                   formatted("{} ({} more reasons: casemate check lists them)",
                             refusals.list().front().text, refusals.count() - 1)};
    }
    TRY(Status(read));
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
