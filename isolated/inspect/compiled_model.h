// SPDX-License-Identifier: Apache-2.0
#pragma once
// A model compiled for the shapes that were asked for: its first plan is for these.

#include "base/mapping.h"
#include "isolated/engine/engine.h"
#include "isolated/inspect/options.h"

namespace casemate::inspect {

// Fails as Subject and Model::load() do, and with kUnsupported when data decides on shapes.
Result<engine::Model> compiled_model(const Mapping& file, const Options& options);

}  // namespace casemate::inspect
