// SPDX-License-Identifier: Apache-2.0
#pragma once
// Zoo: the standard architectures, with random weights.
//
//   Owns     nothing; the table is fixed.
//   Threads  pure functions.
//   Trust    a path is the user's word.
//   Fails    write_model() as OutputFile does.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "outside/zoo/form.h"

namespace casemate::zoo {

class Graph;

struct Architecture {
  const char* name;
  Graph (*build)();
};

// One input of the model.
struct Port {
  std::string name;
  std::string type;   // "float" or "int64"
  std::string shape;  // "[batch,3,224,224]"
};

// What can be said of an architecture without drawing its weights.
struct Facts {
  std::string paper;
  uint64_t parameters = 0;  // what training changes: no running statistics, no fixed tables
  uint64_t operations = 0;  // multiply-adds of one image, or of one sequence of 128 tokens
  uint64_t file_bytes = 0;
  std::vector<Port> inputs;
};

// All of them, in the order in which they are listed.
std::span<const Architecture> architectures();
// nullptr for a name that is none.
const Architecture* find_architecture(std::string_view name);

Facts facts_of(const Architecture& architecture);

// Writes the model as an ONNX file. The same architecture, form and seed give the same bytes
// everywhere. Fails with kUnsupported when the architecture has no such form.
Status write_model(const Architecture& architecture, uint64_t seed, const std::string& path,
                   Form form = Form::kFloat);

}  // namespace casemate::zoo
