// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/numbers.h"

namespace casemate::engine {

Result<std::vector<double>> reals(Computation& c, size_t input) {
  const Tensor* tensor = TRY(c.tensor(input));
  std::vector<double> numbers;
  TRY(for_type(Numbers{}, tensor->type(), [&]<class T>() -> Status {
    for (const T value : tensor->values<T>()) numbers.push_back(static_cast<double>(value));
    return {};
  }));
  return numbers;
}

Result<std::vector<int64_t>> whole_numbers(Computation& c, size_t input) {
  std::vector<int64_t> numbers;
  for (const double value : TRY(reals(c, input))) {
    if (!(std::abs(value) <= 0x1p62))
      return Error{Code::kInvalid, std::format("{} stands where an integer is needed", value)};
    numbers.push_back(static_cast<int64_t>(value));
  }
  return numbers;
}

}  // namespace casemate::engine
