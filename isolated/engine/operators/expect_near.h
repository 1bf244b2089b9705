// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: whether an operator's output holds numbers near those that are expected.

#include "isolated/engine/operators/literals.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {

template <class T = float>
void expect_near(const Result<std::vector<Datum>>& outputs, const std::vector<double>& wanted,
                 double tolerance = 1e-6, size_t output = 0) {
  const std::vector<T> values = values_of<T>(outputs, output);
  ASSERT_EQ(values.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i])) {
      EXPECT_TRUE(std::isnan(real_of(values[i]))) << "at " << i;
    } else if (std::isinf(wanted[i])) {
      EXPECT_EQ(real_of(values[i]), wanted[i]) << "at " << i;
    } else {
      EXPECT_NEAR(real_of(values[i]), wanted[i], tolerance) << "at " << i;
    }
  }
}

inline Shape shape_made(const Result<std::vector<Datum>>& outputs, size_t output = 0) {
  EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().text);
  return outputs ? (*outputs)[output].tensor()->shape() : Shape{-1};
}

}  // namespace casemate::engine
