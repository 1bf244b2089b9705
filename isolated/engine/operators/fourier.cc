// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/fourier.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

namespace casemate::engine {
namespace {

Complex operator+(const Complex& a, const Complex& b) {
  return {a.real + b.real, a.imaginary + b.imaginary};
}

Complex operator-(const Complex& a, const Complex& b) {
  return {a.real - b.real, a.imaginary - b.imaginary};
}

Complex operator*(const Complex& a, const Complex& b) {
  return {a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real};
}

Complex conjugate(const Complex& a) { return {a.real, -a.imaginary}; }

// exp(-2 pi i turns)
Complex turned(double turns) {
  const double angle = 2 * std::numbers::pi * turns;
  return {std::cos(angle), -std::sin(angle)};
}

bool power_of_two(int64_t length) { return std::has_single_bit(static_cast<uint64_t>(length)); }

int64_t room_for(int64_t length) {
  if (power_of_two(length)) return length;
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(2 * length - 1)));
}

// Exchanges each element with the one whose index has the same bits in reverse.
void reverse_bits(Complex* signal, int64_t length) {
  for (int64_t i = 1, j = 0; i < length; ++i) {
    int64_t bit = length / 2;
    for (; (j & bit) != 0; bit /= 2) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(signal[i], signal[j]);
  }
}

}  // namespace

uint64_t Fourier::bytes_for(int64_t length) {
  const auto room = static_cast<uint64_t>(room_for(length));
  return (3 * room + static_cast<uint64_t>(length)) * sizeof(Complex);
}

Fourier::Fourier(int64_t length) : length_(length), room_(room_for(length)) {
  for (int64_t i = 0; i < room_ / 2; ++i)
    factors_.push_back(turned(static_cast<double>(i) / static_cast<double>(room_)));
  if (room_ == length_) return;
  // k^2 modulo 2 * length, which changes nothing, and keeps the angles exact.
  for (int64_t i = 0, square = 0; i < length_; square = (square + 2 * i + 1) % (2 * length_), ++i)
    chirp_.push_back(turned(static_cast<double>(square) / static_cast<double>(2 * length_)));
  filter_.resize(static_cast<size_t>(room_));
  for (int64_t i = 0; i < length_; ++i)
    filter_[i] = filter_[(room_ - i) % room_] = conjugate(chirp_[i]);
  run_halves(filter_.data(), room_);
  work_.resize(static_cast<size_t>(room_));
}

void Fourier::run_halves(Complex* signal, int64_t length) const {
  reverse_bits(signal, length);
  for (int64_t half = 1; half < length; half *= 2) {
    const int64_t stride = length / 2 / half;
    for (int64_t first = 0; first < length; first += 2 * half) {
      for (int64_t i = 0; i < half; ++i) {
        Complex& low = signal[first + i];
        Complex& high = signal[first + i + half];
        const Complex turned_high = factors_[i * stride] * high;
        high = low - turned_high;
        low = low + turned_high;
      }
    }
  }
}

// j k = (j^2 + k^2 - (k - j)^2) / 2 makes a convolution of the sum.
void Fourier::run_convolution(Complex* signal) {
  for (int64_t i = 0; i < length_; ++i) work_[i] = signal[i] * chirp_[i];
  std::fill(work_.begin() + length_, work_.end(), Complex{});
  run_halves(work_.data(), room_);
  // The second transform is an inverse one, by conjugates.
  for (int64_t i = 0; i < room_; ++i) work_[i] = conjugate(work_[i] * filter_[i]);
  run_halves(work_.data(), room_);
  const double scale = 1 / static_cast<double>(room_);
  for (int64_t i = 0; i < length_; ++i) {
    const Complex sum = conjugate(work_[i]) * chirp_[i];
    signal[i] = {sum.real * scale, sum.imaginary * scale};
  }
}

void Fourier::run(Complex* signal, bool inverse) {
  if (inverse) std::transform(signal, signal + length_, signal, conjugate);
  if (room_ == length_) {
    run_halves(signal, length_);
  } else {
    run_convolution(signal);
  }
  if (!inverse) return;
  const double scale = 1 / static_cast<double>(length_);
  for (int64_t i = 0; i < length_; ++i)
    signal[i] = {signal[i].real * scale, -signal[i].imaginary * scale};
}

}  // namespace casemate::engine
