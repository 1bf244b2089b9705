// SPDX-License-Identifier: Apache-2.0
#pragma once
// Moments: what the elements of a tensor are expected to look like, mean and variance.
//
// They follow a tensor through the graph while it is built, so that each layer's weights can be
// scaled for what will come in and activations stay of order 1 however deep the network is.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    none needed.
//   Fails    cannot.

namespace casemate::zoo {

struct Moments {
  double mean = 0;
  double variance = 1;

  // The mean of the squares.
  [[nodiscard]] double square() const { return variance + mean * mean; }
};

// The moments of f(x) for a normally distributed x.
Moments after(double (*f)(double), const Moments& x);

// The moments of a sum of two tensors that have nothing to do with each other.
Moments sum(const Moments& a, const Moments& b);

// e to the power of x for |x| <= 40, to 1e-3: in arithmetic that is the same on every machine,
// which a library's function need not be.
double exponential(double x);

}  // namespace casemate::zoo
