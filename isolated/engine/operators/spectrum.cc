// SPDX-License-Identifier: Apache-2.0
// Operators between signals and their spectra. Complex numbers are a last dimension of 2: the real
// part, and the imaginary one.
#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/axes.h"
#include "isolated/engine/operators/fourier.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

// How many of `length` frequencies are given: of a real signal the others are conjugates.
int64_t bin_count(int64_t length, bool onesided) { return onesided ? length / 2 + 1 : length; }

// A line of complex or real numbers that lie some elements apart. Elements beyond its count are 0.
template <class T>
struct Line {
  T* first;
  int64_t count;
  int64_t step;
  bool complex;

  Complex operator[](int64_t i) const {
    if (i >= count) return {};
    return {real_of(first[i * step]), complex ? real_of(first[i * step + 1]) : 0};
  }
};

template <class T>
void store(const std::vector<Complex>& values, int64_t count, T* to, int64_t step) {
  for (int64_t i = 0; i < count; ++i, to += step) {
    to[0] = static_cast<T>(values[i].real);
    to[1] = static_cast<T>(values[i].imaginary);
  }
}

struct Transform {
  Shape shape;     // of the result
  Split split;     // of the input at the axis; `inner` counts elements, two for a complex number
  int64_t length;  // of each signal
  int64_t bins;
  bool complex;
  bool inverse;
};

Result<Transform> transform_of(Computation& c) {
  const Shape& shape = c.shape(0);
  const uint32_t rank = shape.rank();
  if (rank < 2 || (shape[rank - 1] != 1 && shape[rank - 1] != 2)) {
    return Error{Code::kInvalid, formatted("its input has shape {}, whose last extent is neither "
                                           "1 nor 2",
                                           shape.text())};
  }
  int64_t axis = c.attributes().integer("axis", 1);
  if (c.since(20)) axis = c.has(2) ? TRY(c.integer(2)) : -2;
  Transform plan{.shape = shape, .split = TRY(split_at(shape, axis))};
  if (plan.split.axis == rank - 1) {
    return Error{Code::kInvalid, formatted("its axis {} holds the parts of complex numbers", axis)};
  }
  plan.length = c.has(1) ? TRY(c.integer(1)) : plan.split.extent;
  if (plan.length < 1) {
    return Error{
        Code::kInvalid,
        formatted("it transforms signals of {} elements, it takes at least 1", plan.length)};
  }
  plan.bins = bin_count(plan.length, c.attributes().integer("onesided", 0) != 0);
  plan.complex = shape[rank - 1] == 2;
  plan.inverse = c.attributes().integer("inverse", 0) != 0;
  plan.shape[plan.split.axis] = plan.bins;
  plan.shape[rank - 1] = 2;
  return plan;
}

// A transform asks for its room first: the length of one may be anything.
Result<Fourier> fourier_of(Computation& c, int64_t length) {
  constexpr int64_t kLongest = int64_t{1} << 40;
  if (length > kLongest)
    return Error{Code::kTooLarge, formatted("signals of {} elements are too long", length)};
  TRY(c.allow(Fourier::bytes_for(length) + static_cast<uint64_t>(length) * sizeof(Complex)));
  return Fourier(length);
}

Status compute_transform(Computation& c) {
  const Transform plan = TRY(transform_of(c));
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, plan.shape));
    const auto x = TRY(c.values<T>(0));
    std::ranges::fill(y, T{});
    if (x.empty() || y.empty()) return {};
    Fourier fourier = TRY(fourier_of(c, plan.length));
    std::vector<Complex> signal(static_cast<size_t>(plan.length));
    const int64_t parts = plan.complex ? 2 : 1;
    const int64_t lines = plan.split.inner / parts;
    for (int64_t i = 0; i < plan.split.outer * lines; ++i) {
      const int64_t block = i / lines;
      const int64_t line = i % lines;
      const Line<const T> from{
          .first = x.data() + block * plan.split.extent * plan.split.inner + line * parts,
          .count = plan.split.extent,
          .step = plan.split.inner,
          .complex = plan.complex};
      for (int64_t j = 0; j < plan.length; ++j) signal[j] = from[j];
      fourier.run(signal.data(), plan.inverse);
      store(signal, plan.bins, y.data() + (block * plan.bins * lines + line) * 2, 2 * lines);
    }
    return {};
  });
}

struct Frames {
  int64_t batch;
  int64_t samples;  // of each signal
  bool complex;
  int64_t step;
  int64_t length;
  int64_t count;
  int64_t bins;
};

Result<Frames> frames_of(Computation& c) {
  const Shape& shape = c.shape(0);
  if (shape.rank() != 3 || (shape[2] != 1 && shape[2] != 2)) {
    return Error{Code::kInvalid, formatted("its signal has shape {}, it takes [batch,samples,1] "
                                           "or [batch,samples,2]",
                                           shape.text())};
  }
  Frames frames{.batch = shape[0], .samples = shape[1], .complex = shape[2] == 2};
  frames.step = TRY(c.integer(1));
  if (c.has(2) && c.shape(2).rank() != 1) {
    return Error{Code::kInvalid,
                 formatted("its window has shape {}, it takes a vector", c.shape(2).text())};
  }
  frames.length = c.has(2) ? c.shape(2)[0] : frames.samples;
  if (c.has(3)) frames.length = TRY(c.integer(3));
  if (frames.step < 1 || frames.length < 1 || frames.length > frames.samples) {
    return Error{Code::kInvalid, formatted("frames of {} samples, {} apart, do not lie in a signal "
                                           "of {}",
                                           frames.length, frames.step, frames.samples)};
  }
  frames.count = 1 + (frames.samples - frames.length) / frames.step;
  frames.bins = bin_count(frames.length, c.attributes().integer("onesided", 1) != 0);
  return frames;
}

Status compute_short_time_transform(Computation& c) {
  const Frames frames = TRY(frames_of(c));
  return for_type(Floats{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, {frames.batch, frames.count, frames.bins, 2}));
    const auto x = TRY(c.values<T>(0));
    if (y.empty()) return {};
    // What a window does not reach is left out.
    std::vector<double> window(static_cast<size_t>(frames.length), c.has(2) ? 0 : 1);
    const auto given = c.has(2) ? TRY(c.values<T>(2)) : std::span<const T>();
    for (size_t i = 0; i < std::min(window.size(), given.size()); ++i)
      window[i] = real_of(given[i]);
    Fourier fourier = TRY(fourier_of(c, frames.length));
    std::vector<Complex> signal(window.size());
    const int64_t parts = frames.complex ? 2 : 1;
    for (int64_t i = 0; i < frames.batch * frames.count; ++i) {
      const int64_t sample = i / frames.count * frames.samples + i % frames.count * frames.step;
      const Line<const T> from{.first = x.data() + sample * parts,
                               .count = frames.length,
                               .step = parts,
                               .complex = frames.complex};
      for (int64_t j = 0; j < frames.length; ++j) {
        const auto [real, imaginary] = from[j];
        signal[j] = {real * window[j], imaginary * window[j]};
      }
      fourier.run(signal.data(), false);
      store(signal, frames.bins, y.data() + i * frames.bins * 2, 2);
    }
    return {};
  });
}

// Fails unless the input has one element; yields that.
Result<double> real(Computation& c, size_t input) {
  const std::vector<double> values = TRY(reals(c, input));
  if (values.size() != 1) {
    return Error{Code::kInvalid,
                 formatted("its input {} has {} elements, it takes one", input, values.size())};
  }
  return values[0];
}

// The bins at which triangles of equal width on the mel scale begin, peak and end: triangle i has
// bins i, i + 1 and i + 2.
Result<std::vector<int64_t>> mel_edges(Computation& c, int64_t triangles, int64_t length) {
  const auto rate = static_cast<double>(TRY(c.integer(2)));
  const double low = 2595 * std::log10(1 + TRY(real(c, 3)) / 700);
  const double high = 2595 * std::log10(1 + TRY(real(c, 4)) / 700);
  const double step = (high - low) / static_cast<double>(triangles + 2);
  const auto bins = static_cast<double>(bin_count(length, true));
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < triangles + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (static_cast<double>(i) * step + low) / 2595) - 1);
    const double bin = std::floor(static_cast<double>(length + 1) * hertz / rate);
    if (!(bin >= 0 && bin < bins)) {
      return Error{Code::kInvalid, formatted("its triangles reach {} Hz, a signal with {} samples "
                                             "a second has no such frequency",
                                             hertz, rate)};
    }
    edges.push_back(static_cast<int64_t>(bin));
  }
  return edges;
}

template <class T>
void fill_triangles(std::span<const int64_t> edges, int64_t triangles, std::span<T> y) {
  std::ranges::fill(y, T{});
  for (int64_t i = 0; i < triangles; ++i) {
    const int64_t low = edges[i];
    const int64_t peak = edges[i + 1];
    const int64_t high = edges[i + 2];
    const auto put = [&](int64_t bin, int64_t part, int64_t whole) {
      y[bin * triangles + i] =
          element_from<T>(static_cast<double>(part) / static_cast<double>(whole));
    };
    if (low == peak) put(peak, 1, 1);
    for (int64_t bin = low; low != peak && bin <= peak; ++bin) put(bin, bin - low, peak - low);
    for (int64_t bin = peak; bin < high; ++bin) put(bin, high - bin, high - peak);
  }
}

Status compute_mel_weights(Computation& c) {
  const int64_t triangles = TRY(c.integer(0));
  const int64_t length = TRY(c.integer(1));
  if (triangles < 0 || length < 0) {
    return Error{Code::kInvalid,
                 formatted("it is asked for {} bands of spectra of {} samples", triangles, length)};
  }
  const auto type = c.attributes().integer("output_datatype", 1);
  const auto known =
      element_type_from(type < 0 || type > UINT32_MAX ? 0 : static_cast<uint32_t>(type));
  return for_type(Numbers{}, known.value_or(ElementType::kNone), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, {bin_count(length, true), triangles}));
    if (y.empty()) return {};
    fill_triangles(std::span<const int64_t>(TRY(mel_edges(c, triangles, length))), triangles, y);
    return {};
  });
}

}  // namespace

void add_spectrum(Operators& operators) {
  operators.add("DFT", compute_transform);
  operators.add("MelWeightMatrix", compute_mel_weights);
  operators.add("STFT", compute_short_time_transform);
}

}  // namespace casemate::engine
