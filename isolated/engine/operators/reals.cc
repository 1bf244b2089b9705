// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {

Result<std::vector<double>> reals(Computation& c, size_t input) {
  std::vector<double> values;
  TRY(for_type(Floats{}, c.type(input), [&]<class T>() -> Status {
    for (const T value : TRY(c.values<T>(input))) values.push_back(real_of(value));
    return {};
  }));
  return values;
}

}  // namespace casemate::engine
