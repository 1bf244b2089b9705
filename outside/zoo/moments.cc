// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/moments.h"

#include <cmath>

namespace casemate::zoo {
namespace {

// Deviations from the mean, in 64ths, beyond which the normal density is negligible.
constexpr int kReach = 5 * 64;

}  // namespace

double exponential(double x) {
  const double step = x / 1024;
  double power = 1 + step * (1 + step / 2);
  for (int i = 0; i < 10; ++i) power *= power;
  return power;
}

Moments after(double (*f)(double), const Moments& x) {
  const double deviation = std::sqrt(x.variance);  // exact to the last bit, by IEEE 754
  double weights = 0;
  double values = 0;
  double squares = 0;
  for (int k = -kReach; k <= kReach; ++k) {
    const double z = k / 64.0;
    const double weight = exponential(-z * z / 2);
    const double value = f(x.mean + deviation * z);
    weights += weight;
    values += weight * value;
    squares += weight * value * value;
  }
  const double mean = values / weights;
  return {mean, squares / weights - mean * mean};
}

Moments sum(const Moments& a, const Moments& b) {
  return {a.mean + b.mean, a.variance + b.variance};
}

}  // namespace casemate::zoo
