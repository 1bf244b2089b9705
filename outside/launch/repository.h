// SPDX-License-Identifier: Apache-2.0
#pragma once
// Repository: a folder of models in Triton's layout:  <repository>/<model>/<version>/model.onnx
// [external data ...]
//
// Version folders are decimal numbers without a leading zero; others are passed over, as Triton
// does. Without a policy the highest version is served.
//
//   Owns     paths.
//   Threads  values.
//   Trust    the operator's files: what is in them is measured and parsed inside.
//   Fails    kNotFound for a missing folder, kInvalid for a model that cannot be served, naming it.

#include <string>
#include <vector>

#include "base/result.h"

namespace casemate::launch {

struct ModelFiles {
  std::string name;
  uint32_t version = 0;
  std::string folder;              // absolute
  std::vector<std::string> files;  // names in the folder; model.onnx first
};

// The highest version of every model, sorted by name.
Result<std::vector<ModelFiles>> scan_repository(const std::string& folder);

}  // namespace casemate::launch
