// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/type_attribute.h"

#include "base/format.h"

namespace casemate::engine {
namespace {

constexpr auto kNames = std::to_array<std::pair<std::string_view, ElementType>>({
    {"FLOAT", ElementType::kFloat32},
    {"UINT8", ElementType::kUint8},
    {"INT8", ElementType::kInt8},
    {"UINT16", ElementType::kUint16},
    {"INT16", ElementType::kInt16},
    {"INT32", ElementType::kInt32},
    {"INT64", ElementType::kInt64},
    {"STRING", ElementType::kString},
    {"BOOL", ElementType::kBool},
    {"FLOAT16", ElementType::kFloat16},
    {"DOUBLE", ElementType::kFloat64},
    {"UINT32", ElementType::kUint32},
    {"UINT64", ElementType::kUint64},
    {"BFLOAT16", ElementType::kBfloat16},
});

}  // namespace

Result<ElementType> type_attribute(const Computation& c, std::string_view name,
                                   ElementType otherwise) {
  const std::string text = c.attributes().text(name, "");
  const int64_t number = c.attributes().integer(name, 0);
  if (text.empty() && number == 0) return otherwise;
  const auto named = std::ranges::find(kNames, text, &decltype(kNames)::value_type::first);
  if (named != kNames.end()) return named->second;
  const auto type = number > 0 && number <= UINT32_MAX
                        ? element_type_from(static_cast<uint32_t>(number))
                        : std::nullopt;
  if (type) return *type;
  return Error{Code::kUnsupported,
               formatted("its attribute '{}' is {}, which is no element type that is supported",
                         name, text.empty() ? std::to_string(number) : text)};
}

}  // namespace casemate::engine
