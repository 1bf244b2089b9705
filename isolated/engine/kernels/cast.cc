// SPDX-License-Identifier: Apache-2.0
// Cast between numbers, as C++ converts them, except that what an integer cannot hold becomes its
// nearest bound and NaN becomes 0, so that no input is undefined behaviour.
#include <cmath>
#include <limits>
#include <type_traits>

#include "isolated/engine/kernels/loop_kernel.h"

namespace casemate::engine {
namespace {

template <class To, class From>
To converted(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value)) return 0;
    // The upper bound may round up to a power of two that To cannot hold, hence >=.
    if (value >= static_cast<From>(std::numeric_limits<To>::max()))
      return std::numeric_limits<To>::max();
    if (value <= static_cast<From>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

using Convert = void (*)(const uint8_t*, uint8_t*, uint64_t);

template <class To, class From>
void convert(const uint8_t* source, uint8_t* target, uint64_t count) {
  const From* x = elements<From>(source);
  To* y = elements<To>(target);
  for (uint64_t i = 0; i < count; ++i) y[i] = converted<To>(x[i]);
}

template <class From>
Convert converter_to(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return convert<float, From>;
    case ElementType::kFloat64:
      return convert<double, From>;
    case ElementType::kInt32:
      return convert<int32_t, From>;
    case ElementType::kInt64:
      return convert<int64_t, From>;
    case ElementType::kUint8:
      return convert<uint8_t, From>;
    case ElementType::kInt8:
      return convert<int8_t, From>;
    case ElementType::kBool:
      return convert<bool, From>;
    default:
      return nullptr;
  }
}

Convert converter(ElementType from, ElementType to) {
  switch (from) {
    case ElementType::kFloat32:
      return converter_to<float>(to);
    case ElementType::kFloat64:
      return converter_to<double>(to);
    case ElementType::kInt32:
      return converter_to<int32_t>(to);
    case ElementType::kInt64:
      return converter_to<int64_t>(to);
    case ElementType::kUint8:
      return converter_to<uint8_t>(to);
    case ElementType::kInt8:
      return converter_to<int8_t>(to);
    // A byte that came from outside need not be 0 or 1, so it is read as a number.
    case ElementType::kBool:
      return converter_to<uint8_t>(to);
    default:
      return nullptr;
  }
}

KernelResult make_cast(const KernelRequest& request) {
  const Convert convert = converter(request.input_type(0), request.output_type());
  if (convert == nullptr) return Error{Code::kUnsupported, "the type it casts to is not supported"};
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  const LoopOperand input = TRY(loop_operand(request, 0, needs));
  const uint64_t count = TRY(request.output_shape().element_count());
  return loop_kernel(std::move(needs), [=](const KernelArguments& arguments) {
    convert(input.data(arguments), arguments.outputs[0], count);
  });
}

}  // namespace

void register_cast(Registry& registry) {
  for (const ElementType type :
       {ElementType::kFloat32, ElementType::kFloat64, ElementType::kInt32, ElementType::kInt64,
        ElementType::kUint8, ElementType::kInt8, ElementType::kBool}) {
    registry.add_converting("Cast", type, Device::kCpu, make_cast);
  }
}

}  // namespace casemate::engine
