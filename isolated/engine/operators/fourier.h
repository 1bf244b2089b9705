// SPDX-License-Identifier: Apache-2.0
#pragma once
// The discrete Fourier transform of one length, for any length in O(n log n): by halves where it is
// a power of two, and by Bluestein's convolution (IEEE Trans. Audio Electroacoust. 18, 1970) where
// it is not. In double precision.
//
//   Owns     its factors and its room to work in: a transform serves any number of signals.
//   Threads  one.
//   Trust    lengths were checked by the caller: bytes_for() tells what one costs.
//   Fails    never.

#include <cstdint>
#include <vector>

namespace casemate::engine {

// Not std::complex, whose products look for infinities.
struct Complex {
  double real = 0;
  double imaginary = 0;
};

class Fourier final {
 public:
  // Requires: 1 <= length <= 2^40.
  explicit Fourier(int64_t length);

  // What one of that length takes, at most. Requires: as above.
  static uint64_t bytes_for(int64_t length);

  // In place. x_k becomes the sum of x_j exp(-2 pi i j k / length); the inverse has no minus, and
  // is divided by the length. Requires: `signal` has `length` elements.
  void run(Complex* signal, bool inverse);

 private:
  void run_halves(Complex* signal, int64_t length) const;
  void run_convolution(Complex* signal);

  int64_t length_;
  int64_t room_;                  // a power of two: the length itself, or that of a convolution
  std::vector<Complex> factors_;  // exp(-2 pi i k / room_), for the first half of k
  std::vector<Complex> chirp_;    // exp(-pi i k^2 / length_)
  std::vector<Complex> filter_;   // the transform of what the chirped signal is convolved with
  std::vector<Complex> work_;
};

}  // namespace casemate::engine
