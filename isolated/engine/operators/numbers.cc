// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/numbers.h"

#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {

Result<std::vector<int64_t>> whole_numbers(Computation& c, size_t input) {
  std::vector<int64_t> numbers;
  TRY(for_type(Numbers{}, c.type(input), [&]<class T>() -> Status {
    const auto values = TRY(c.values<T>(input));
    TRY(c.allow(values.size() * sizeof(int64_t)));
    for (const T element : values) {
      const double value = real_of(element);
      if (!(std::abs(value) <= 0x1p62)) {
        return Error{Code::kInvalid, formatted("{} stands where an integer is needed", value)};
      }
      numbers.push_back(static_cast<int64_t>(value));
    }
    return {};
  }));
  return numbers;
}

}  // namespace casemate::engine
