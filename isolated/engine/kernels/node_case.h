// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: what a kernel makes of a node, compared with what is expected.

#include <gtest/gtest.h>

#include "isolated/engine/kernels/run_case.h"

namespace casemate::engine {

// Whether each element is within `tolerance` of what is expected, relative to it or to 1.
inline testing::AssertionResult near(const Tensor& got, const std::vector<double>& expected,
                                     double tolerance = 2e-5) {
  const auto values = got.values<float>();
  if (values.size() != expected.size()) {
    return testing::AssertionFailure()
           << values.size() << " elements, expected " << expected.size();
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const double error = std::fabs(values[i] - expected[i]);
    if (!(error <= tolerance * std::max(1.0, std::fabs(expected[i])))) {
      return testing::AssertionFailure()
             << "element " << i << " is " << values[i] << ", expected " << expected[i];
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace casemate::engine
