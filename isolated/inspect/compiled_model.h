// SPDX-License-Identifier: Apache-2.0
#pragma once
// A model compiled for the shapes that were asked for: its first plan is for these.
//
//   Owns     values.
//   Threads  one.
//   Trust    none in the file.

#include "base/mapping.h"
#include "isolated/engine/engine.h"
#include "isolated/inspect/options.h"
#include "isolated/inspect/subject.h"

namespace casemate::inspect {

// Subject::read() for who wants all of it or one reason. Fails with the first, and how many more
// there are.
Status read_whole(Subject& subject, const Options& options);
// Fails as Subject and Model::load() do, and with kUnsupported when data decides on shapes.
Result<engine::Model> compiled_model(const Mapping& file, const Options& options);

}  // namespace casemate::inspect
