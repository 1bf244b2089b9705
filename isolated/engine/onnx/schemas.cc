// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/schemas.h"

#include <onnx/defs/operator_sets.h>
#include <onnx/defs/operator_sets_ml.h>
#include <onnx/defs/operator_sets_preview.h>
#include <onnx/defs/schema.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

namespace casemate::engine {
namespace {

// The parts of class names that say which domain an operator is of.
constexpr std::string_view kOnnx = "";
constexpr std::string_view kOnnxML = "ai.onnx.ml";
constexpr std::string_view kOnnxPreview = "ai.onnx.preview.training";

struct Entry {
  std::string_view domain;
  int version;
  std::string_view op;
  onnx::OpSchema (*make)();
};

#define SCHEMA(domain, version, op) \
  {k##domain, version, #op,         \
   &onnx::GetOpSchema<onnx::ONNX_OPERATOR_SET_SCHEMA_CLASS_NAME(domain, version, op)>},
constexpr auto kEntries = std::to_array<Entry>({
#include "schemas.inc"
});
#undef SCHEMA

}  // namespace

const onnx::OpSchema* schema_of(const std::string& op, int version, const std::string& domain) {
  const Entry* newest = nullptr;
  for (const Entry& entry : kEntries) {
    if (entry.op != op || entry.domain != domain || entry.version > version) continue;
    if (newest == nullptr || entry.version > newest->version) newest = &entry;
  }
  if (newest == nullptr) return nullptr;
  static std::mutex lock;
  static std::map<const Entry*, std::unique_ptr<onnx::OpSchema>> schemas;
  const std::lock_guard guard(lock);
  std::unique_ptr<onnx::OpSchema>& schema = schemas[newest];
  if (schema == nullptr) {
    auto made = std::make_unique<onnx::OpSchema>(newest->make());
    made->Finalize();
    schema = std::move(made);
  }
  return schema.get();
}

}  // namespace casemate::engine
