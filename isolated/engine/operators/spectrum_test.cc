// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <numbers>

#include "isolated/engine/operators/expect_near.h"
#include "isolated/engine/operators/fourier.h"

namespace casemate::engine {
namespace {

Tensor whole(int64_t value) { return Tensor::of<int64_t>({}, {value}); }
Tensor real(float value) { return Tensor::of<float>({}, {value}); }

TEST(Fourier, every_length_gives_what_the_sum_gives) {
  for (int64_t length = 1; length <= 40; ++length) {
    std::vector<Complex> signal;
    for (int64_t i = 0; i < length; ++i)
      signal.push_back({static_cast<double>(i * i % 7), static_cast<double>(i % 3)});
    std::vector<Complex> spectrum = signal;
    Fourier fourier(length);
    fourier.run(spectrum.data(), false);
    for (int64_t k = 0; k < length; ++k) {
      Complex sum;
      for (int64_t j = 0; j < length; ++j) {
        const double angle =
            -2 * std::numbers::pi * static_cast<double>(j * k) / static_cast<double>(length);
        sum.real += signal[j].real * std::cos(angle) - signal[j].imaginary * std::sin(angle);
        sum.imaginary += signal[j].real * std::sin(angle) + signal[j].imaginary * std::cos(angle);
      }
      ASSERT_NEAR(spectrum[k].real, sum.real, 1e-10) << length << " " << k;
      ASSERT_NEAR(spectrum[k].imaginary, sum.imaginary, 1e-10) << length << " " << k;
    }
    fourier.run(spectrum.data(), true);
    for (int64_t k = 0; k < length; ++k) {
      ASSERT_NEAR(spectrum[k].real, signal[k].real, 1e-12) << length << " " << k;
      ASSERT_NEAR(spectrum[k].imaginary, signal[k].imaginary, 1e-12) << length << " " << k;
    }
  }
}

TEST(Fourier, long_signals_of_awkward_lengths_come_back) {
  for (const int64_t length : {65536, 65537, 100000}) {
    std::vector<Complex> signal(static_cast<size_t>(length));
    for (int64_t i = 0; i < length; ++i) signal[i].real = static_cast<double>(i % 1000);
    std::vector<Complex> there = signal;
    Fourier fourier(length);
    fourier.run(there.data(), false);
    fourier.run(there.data(), true);
    double worst = 0;
    for (int64_t i = 0; i < length; ++i)
      worst = std::max(worst, std::abs(there[i].real - signal[i].real));
    EXPECT_LT(worst, 1e-8) << length;
  }
}

TEST(Dft, real_signals_have_complex_spectra) {
  const Tensor x = Tensor::of<float>({1, 4, 1}, {1, 2, 3, 4});
  const std::vector<double> spectrum = {10, 0, -2, 2, -2, 0, -2, -2};
  const auto y = run_node({"DFT", {}, {x}});
  EXPECT_EQ(shape_made(y), (Shape{1, 4, 2}));
  expect_near(y, spectrum);
  const auto half = run_node({"DFT", {{"onesided", int64_t{1}}}, {x}});
  EXPECT_EQ(shape_made(half), (Shape{1, 3, 2}));
  expect_near(half, {10, 0, -2, 2, -2, 0});
  expect_near(run_node({"DFT",
                        {{"inverse", int64_t{1}}},
                        {Tensor::of<float>({1, 4, 2}, {10, 0, -2, 2, -2, 0, -2, -2})}}),
              {1, 0, 2, 0, 3, 0, 4, 0});
}

TEST(Dft, the_axis_is_an_input_and_once_was_an_attribute) {
  // Columns 1, 2, 3, 4 and 0, 0, 0, 1.
  const Tensor x = Tensor::of<float>({4, 2, 1}, {1, 0, 2, 0, 3, 0, 4, 1});
  const std::vector<double> spectra = {10, 0, 1, 0, -2, 2, 0, 1, -2, 0, -1, 0, -2, -2, 0, -1};
  expect_near(run_node({"DFT", {}, {x, Datum(), whole(0)}}), spectra);
  expect_near(run_node({"DFT", {}, {x, Datum(), whole(-3)}}), spectra);
  expect_near(
      run_node({.op = "DFT", .attributes = {{"axis", int64_t{0}}}, .inputs = {x}, .since = 17}),
      spectra);
}

TEST(Dft, signals_are_cut_or_filled_up_to_a_length) {
  const Tensor x = Tensor::of<double>({1, 4, 1}, {1, 2, 3, 4});
  expect_near<double>(run_node({"DFT", {}, {x, whole(2)}}), {3, 0, -1, 0}, 1e-12);
  const auto five = run_node({"DFT", {}, {x, whole(5)}});
  EXPECT_EQ(shape_made(five), (Shape{1, 5, 2}));
  const auto values = values_of<double>(five);
  EXPECT_NEAR(values[0], 10, 1e-12);
  EXPECT_NEAR(values[2], 1 + 2 * 0.30901699437 - 3 * 0.80901699437 - 4 * 0.80901699437, 1e-9);
}

TEST(Dft, what_makes_no_sense_is_refused) {
  const Tensor x = counting({1, 4, 1});
  EXPECT_EQ(error_of(run_node({"DFT", {}, {counting({1, 4, 3})}})),
            "its input has shape [1,4,3], whose last extent is neither 1 nor 2");
  EXPECT_EQ(error_of(run_node({"DFT", {}, {x, Datum(), whole(2)}})),
            "its axis 2 holds the parts of complex numbers");
  EXPECT_EQ(error_of(run_node({"DFT", {}, {x, Datum(), whole(3)}})),
            "axis 3 is none of a tensor of rank 3");
  EXPECT_EQ(error_of(run_node({"DFT", {}, {x, whole(0)}})),
            "it transforms signals of 0 elements, it takes at least 1");
  EXPECT_EQ(error_of(run_node({"DFT", {}, {x, whole(std::numeric_limits<int64_t>::max())}})),
            "shape [1,9223372036854775807,2] has more than 2^62 elements");
  // What is asked for is small, and what it takes is not.
  EXPECT_EQ(error_of(run_node({"DFT", {}, {counting({1, 1, 1}), whole((1 << 22) + 1)}})),
            "more than a test may have");
  const Tensor silence = Tensor::of<float>({1, 0, 1}, {});
  expect_near(run_node({"DFT", {}, {silence, whole(2)}}), {0, 0, 0, 0});
  const Tensor none = Tensor::of<float>({0, 4, 1}, {});
  EXPECT_EQ(shape_made(run_node({"DFT", {}, {none, whole(int64_t{1} << 50)}})),
            (Shape{0, int64_t{1} << 50, 2}));
}

TEST(Stft, frames_are_weighted_and_transformed) {
  const Tensor signal = Tensor::of<float>({1, 6, 1}, {1, 2, 3, 4, 5, 6});
  const Tensor window = Tensor::of<float>({4}, {1, 1, 1, 0});
  const auto y = run_node({"STFT", {}, {signal, whole(2), window, whole(4)}});
  EXPECT_EQ(shape_made(y), (Shape{1, 2, 3, 2}));
  expect_near(y, {6, 0, -2, -2, 2, 0, 12, 0, -2, -4, 4, 0});
  const auto all =
      run_node({"STFT", {{"onesided", int64_t{0}}}, {signal, whole(2), Datum(), whole(4)}});
  EXPECT_EQ(shape_made(all), (Shape{1, 2, 4, 2}));
  expect_near(all, {10, 0, -2, 2, -2, 0, -2, -2, 18, 0, -2, 2, -2, 0, -2, -2});
}

TEST(Stft, complex_signals_are_transformed_too) {
  const Tensor signal = Tensor::of<float>({1, 2, 2}, {0, 1, 0, 2});
  const auto y =
      run_node({"STFT", {{"onesided", int64_t{0}}}, {signal, whole(1), Datum(), whole(2)}});
  expect_near(y, {0, 3, 0, -1});
}

TEST(Stft, frames_outside_the_signal_are_refused) {
  const Tensor signal = counting({1, 6, 1});
  const auto run = [&](int64_t step, int64_t length) {
    return error_of(run_node({"STFT", {}, {signal, whole(step), Datum(), whole(length)}}));
  };
  EXPECT_EQ(run(0, 4), "frames of 4 samples, 0 apart, do not lie in a signal of 6");
  EXPECT_EQ(run(-1, 4), "frames of 4 samples, -1 apart, do not lie in a signal of 6");
  EXPECT_EQ(run(1, 7), "frames of 7 samples, 1 apart, do not lie in a signal of 6");
  EXPECT_EQ(run(1, 0), "frames of 0 samples, 1 apart, do not lie in a signal of 6");
  EXPECT_EQ(error_of(run_node({"STFT", {}, {counting({6, 1}), whole(1), Datum(), whole(2)}})),
            "its signal has shape [6,1], it takes [batch,samples,1] or [batch,samples,2]");
  EXPECT_EQ(error_of(run_node({"STFT", {}, {signal, whole(1), counting({2, 2})}})),
            "its window has shape [2,2], it takes a vector");
}

TEST(MelWeightMatrix, triangles_rise_and_fall) {
  // Edges at bins 0, 0, 2 and 4 of 9.
  const auto y =
      run_node({"MelWeightMatrix", {}, {whole(2), whole(16), whole(8192), real(0), real(4096)}});
  EXPECT_EQ(shape_made(y), (Shape{9, 2}));
  expect_near(y, {1, 0, 0.5, 0.5, 0, 1, 0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const Attributes integers = {{"output_datatype", int64_t{7}}};
  const auto whole_ones = run_node(
      {"MelWeightMatrix", integers, {whole(2), whole(16), whole(8192), real(0), real(4096)}});
  EXPECT_EQ(values_of<int64_t>(whole_ones)[0], 1);
  EXPECT_EQ(values_of<int64_t>(whole_ones)[2], 0);
}

TEST(MelWeightMatrix, frequencies_beyond_the_spectrum_are_refused) {
  const auto run = [](int64_t bands, int64_t length, int64_t rate, float low, float high) {
    return error_of(run_node({"MelWeightMatrix",
                              {},
                              {whole(bands), whole(length), whole(rate), real(low), real(high)}}));
  };
  EXPECT_EQ(run(-1, 16, 8192, 0, 100), "it is asked for -1 bands of spectra of 16 samples");
  EXPECT_EQ(run(1, -1, 8192, 0, 100), "it is asked for 1 bands of spectra of -1 samples");
  EXPECT_TRUE(run(8, 16, 100, 0, 4096).contains("a signal with 100 samples a second has no such"));
  EXPECT_TRUE(run(8, 16, 0, 0, 4096).contains("a signal with 0 samples a second has no such"));
  EXPECT_TRUE(run(8, 16, 8192, -1e30F, 4096).contains("has no such frequency"));
  EXPECT_TRUE(run(8, 16, 8192, NAN, 4096).contains("has no such frequency"));
  EXPECT_EQ(run(int64_t{1} << 40, int64_t{1} << 40, 1, 0, 1),
            "shape [549755813889,1099511627776] has more than 2^62 elements");
  EXPECT_EQ(error_of(run_node({"MelWeightMatrix",
                               {{"output_datatype", int64_t{8}}},
                               {whole(2), whole(16), whole(8192), real(0), real(4096)}})),
            "it is not defined for tensors of BYTES");
}

}  // namespace
}  // namespace casemate::engine
