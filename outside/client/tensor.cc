// SPDX-License-Identifier: Apache-2.0
#include "outside/client/tensor.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"

namespace casemate::client {
namespace {

// How many whole elements a BYTES tensor's data hold, or nothing if the last one is cut.
Result<uint64_t> count_strings(Bytes data) {
  uint64_t count = 0;
  for (; !data.empty(); ++count) {
    if (data.size() < sizeof(uint32_t)) return Error{Code::kInvalid, "cut in a length"};
    const uint32_t size = load<uint32_t>(data);
    data = data.subspan(sizeof size);
    if (size > data.size()) return Error{Code::kInvalid, "cut in an element"};
    data = data.subspan(size);
  }
  return count;
}

}  // namespace

Status check_tensor(std::string_view name, ElementType type, const Shape& shape, Bytes data) {
  const auto refuse = [&](Code code, const std::string& why) {
    return Error{code, formatted("tensor \"{}\": {}", printable(name, 64), why)};
  };
  const auto size = shape.byte_size(type);
  if (!size) return refuse(size.error().code, size.error().text);
  if (type == ElementType::kString) {
    const auto count = count_strings(data);
    if (!count) return refuse(Code::kInvalid, "its data are " + count.error().text);
    if (*count != *shape.element_count()) {
      return refuse(Code::kInvalid, formatted("shape {} needs {} elements, the data hold {}",
                                              shape.text(), *shape.element_count(), *count));
    }
    return {};
  }
  if (size_of(type) == 0) return refuse(Code::kUnsupported, "it has no element type");
  if (*size != data.size()) {
    return refuse(Code::kInvalid, formatted("{} of shape {} needs {} bytes, there are {}",
                                            name_of(type), shape.text(), *size, data.size()));
  }
  if (type == ElementType::kBool && std::ranges::any_of(data, [](uint8_t b) { return b > 1; }))
    return refuse(Code::kInvalid, "a BOOL is neither 0 nor 1");
  return {};
}

}  // namespace casemate::client
