// SPDX-License-Identifier: Apache-2.0
#pragma once
// Repository: a folder of models in Triton's layout:
//
//   <repository>/<model>/<version>/model.onnx [external data ...]   or model.sealed, alone
//   <repository>/<model>/config.pbtxt            optional
//
// Version folders are decimal numbers without a leading zero; others are passed over, as Triton
// does, and so are files that are still growing (base/growing.h). Without a policy the highest
// version is served. What a model takes and gives is said by its ONNX file alone; what a
// configuration says beside that, and which folders hold no model that can be served, is told in
// the warnings.
//
//   Owns     paths.
//   Threads  values.
//   Trust    the operator's files: what is in them is measured and parsed inside.
//   Fails    kNotFound for a missing folder, kInvalid for a model that cannot be served, naming it.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/sealed/sealed.h"

namespace casemate::launch {

struct ModelFiles {
  std::string name;
  uint32_t version = 0;
  std::string folder;              // absolute
  std::vector<std::string> files;  // names in the folder; model.onnx first, or model.sealed alone
  [[nodiscard]] bool sealed() const { return files.front() == sealed::kFileName; }
};

struct Repository {
  std::vector<ModelFiles> models;     // the highest version of each, sorted by name
  std::vector<std::string> warnings;  // one line each, for the operator
};

// Whether a model can have that name: it is a folder's, and in clients' URLs.
bool servable_name(std::string_view name);

Result<Repository> scan_repository(const std::string& folder);

}  // namespace casemate::launch
