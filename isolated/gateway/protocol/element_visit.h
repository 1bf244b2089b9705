// SPDX-License-Identifier: Apache-2.0
#pragma once
// visit_element_type: runs a generic lambda with a value of the C++ type that holds an element.

#include <cstdint>

#include "base/check.h"
#include "wire/abi/tensor.h"

namespace casemate::gateway {

// Requires: `type` is a number with a C++ type: not BYTES, BOOL, FP16 or BF16.
template <class Visit>
auto visit_element_type(ElementType type, Visit visit) {
  switch (type) {
    case ElementType::kFloat32:
      return visit(float{});
    case ElementType::kFloat64:
      return visit(double{});
    case ElementType::kInt8:
      return visit(int8_t{});
    case ElementType::kInt16:
      return visit(int16_t{});
    case ElementType::kInt32:
      return visit(int32_t{});
    case ElementType::kInt64:
      return visit(int64_t{});
    case ElementType::kUint8:
      return visit(uint8_t{});
    case ElementType::kUint16:
      return visit(uint16_t{});
    case ElementType::kUint32:
      return visit(uint32_t{});
    case ElementType::kUint64:
      return visit(uint64_t{});
    default:
      check_failed(__FILE__, __LINE__, "numeric element type", "requests are checked");
  }
}

}  // namespace casemate::gateway
