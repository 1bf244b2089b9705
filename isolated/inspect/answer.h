// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answer: what is printed, and, where the model is refused, in one sentence why.
//
//   Owns     values.
//   Threads  values.
//   Trust    names in the text come from the file: who prints it makes control characters harmless.
//   Fails    cannot.

#include <optional>
#include <string>

#include "base/mapping.h"
#include "base/result.h"
#include "isolated/inspect/options.h"

namespace casemate::inspect {

struct Answer {
  std::string text;
  std::optional<Error> refusal = {};
};

// Whether this build can serve the model; if not, all that it cannot do.
Result<Answer> check(const Mapping& file, const Options& options);
// What would be run, step by step; or, over devices, piece by piece.
Result<Answer> plan(const Mapping& file, const Options& options);
Result<Answer> plan_over_devices(const Mapping& file, const Options& options);
// How long which step takes, beside what the machine can do.
Result<Answer> profile(const Mapping& file, const Options& options);
// What this build drives on this machine. About no model.
Result<Answer> devices(const Options& options);

// "102.4 MB"
std::string sized(uint64_t bytes);
// At most so many bytes of a name, which may have any length.
std::string shortened(const std::string& name, size_t length_max);

}  // namespace casemate::inspect
