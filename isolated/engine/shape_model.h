// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: a file as the graph that is compiled of it, before passes.

#include "isolated/engine/describe.h"
#include "isolated/engine/onnx/model_builder.h"

namespace casemate::engine {

// For that size of whatever varies. Fails where loading the model would.
inline Result<Graph> shape_model(Bytes file, int64_t size = 1,
                                 uint64_t memory_bytes_max = 4ull << 30) {
  const ReadModel read = TRY(read_onnx(file, {.memory_bytes_max = memory_bytes_max}));
  TRY(check_ports(read));
  Packer packer;
  Compiler compiler(packer, Compiler::Code::kFixed, memory_bytes_max);
  auto shaped = TRY(
      compiler.shaped(read.graph, facts_of(read.inputs, [=](const std::string&) { return size; })));
  if (!shaped) return Error{Code::kUnsupported, "a shape depends on data"};
  TRY(shaped->sound());
  return *std::move(shaped);
}

inline Graph shape_model(const ModelBuilder& builder, int64_t size = 1) {
  const std::string bytes = builder.bytes();
  auto shaped = shape_model(bytes_of(std::string_view(bytes)), size);
  CHECK(shaped.has_value(), shaped ? "" : shaped.error().text.c_str());
  return *std::move(shaped);
}

}  // namespace casemate::engine
