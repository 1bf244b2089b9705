// SPDX-License-Identifier: Apache-2.0
// Our own loops, each for every instruction set that this processor has.
#include <numbers>
#include <numeric>

#include "base/format.h"
#include "isolated/engine/kernels/gemm.h"
#include "isolated/engine/kernels/vector_loops.h"
#include "isolated/engine/numerics/measure.h"

namespace casemate::engine {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

Floats seeded(int64_t count, uint32_t seed, float scale = 1, float offset = 0) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Floats values(static_cast<size_t>(count));
  for (float& value : values) value = offset + scale * uniform(random);
  return values;
}

void note(Measured& measured, const Floats& got, const Doubles& exact) {
  ++measured.cases;
  measured.error = std::max(measured.error, error_of({got.begin(), got.end()}, exact));
}

// --- activations

double gelu(double x) { return x / 2 * (1 + std::erf(x / std::numbers::sqrt2)); }
double gelu_tanh(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

Measured activation(const VectorLoops& loops, Activate function, const char* name,
                    double (*exact)(double)) {
  Measured measured{.name = name, .how = loops.name};
  for (const float scale : {0.01F, 1.0F, 9.0F}) {
    const Floats x = seeded(10007, 1, scale);
    Floats y(x.size());
    Doubles expected;
    loops.activate(function, x.data(), y.data(), std::ssize(x));
    for (const float value : x) expected.push_back(exact(static_cast<double>(value)));
    note(measured, y, expected);
  }
  return measured;
}

// --- rows

Measured normalization(const VectorLoops& loops) {
  Measured measured{.name = "rows normalized", .how = loops.name};
  for (const int64_t columns : {33, 768}) {
    for (const float offset : {0.0F, 10.0F}) {
      constexpr int64_t kRows = 5;
      const Floats x = seeded(kRows * columns, 1, 1, offset);
      const Floats scale = seeded(columns, 2);
      const Floats shift = seeded(columns, 3);
      Floats y(x.size());
      loops.normalize_rows({x.data(), scale.data(), shift.data(), y.data(), kRows, columns, 1e-5F});
      Doubles exact;
      for (int64_t i = 0; i < kRows; ++i) {
        const Doubles row(x.begin() + i * columns, x.begin() + (i + 1) * columns);
        const double mean = std::accumulate(row.begin(), row.end(), 0.0) / double(columns);
        double squares = 0;
        for (const double value : row) squares += (value - mean) * (value - mean);
        const double root = std::sqrt(squares / double(columns) + double{1e-5F});
        for (int64_t j = 0; j < columns; ++j)
          exact.push_back((row[j] - mean) / root * double{scale[j]} + double{shift[j]});
      }
      note(measured, y, exact);
    }
  }
  return measured;
}

Measured attention(const VectorLoops& loops) {
  Measured measured{.name = "attention", .how = loops.name};
  for (const auto& [queries, keys, width] :
       {std::array<int64_t, 3>{1, 129, 64}, {17, 33, 20}, {128, 128, 64}}) {
    const Floats q = seeded(queries * width, 1, 2);
    const Floats k = seeded(keys * width, 2, 2);
    const Floats v = seeded(keys * width, 3);
    Floats scratch(static_cast<size_t>(loops.attention_scratch(keys, width, width)));
    Floats y(q.size());
    HeadAttention one{};
    one.queries = q.data();
    one.query_step = one.out_step = one.width = one.value_width = width;
    one.query_count = queries;
    one.parts[1] = {k.data(), v.data(), width, width, keys};
    one.out = y.data();
    one.scale = 0.25F;
    one.scratch = scratch.data();
    loops.attend_head(one);
    Doubles exact(y.size());
    for (int64_t i = 0; i < queries; ++i) {
      Doubles weights(static_cast<size_t>(keys));
      for (int64_t t = 0; t < keys; ++t) {
        for (int64_t j = 0; j < width; ++j)
          weights[t] += 0.25 * double{q[i * width + j]} * double{k[t * width + j]};
      }
      const double most = std::ranges::max(weights);
      for (double& weight : weights) weight = std::exp(weight - most);
      const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
      for (int64_t t = 0; t < keys; ++t) {
        for (int64_t j = 0; j < width; ++j)
          exact[i * width + j] += weights[t] / sum * double{v[t * width + j]};
      }
    }
    note(measured, y, exact);
  }
  return measured;
}

// [rows, depth] by [depth, columns].
Doubles product(const Floats& a, const Floats& b, int64_t rows, int64_t depth, int64_t columns) {
  Doubles exact(static_cast<size_t>(rows * columns));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t j = 0; j < columns; ++j)
        exact[i * columns + j] += double{a[i * depth + k]} * double{b[k * columns + j]};
    }
  }
  return exact;
}

Measured few_rows(const VectorLoops& loops) {
  constexpr int64_t kPanel = FewRowsProduct::kPanel;
  Measured measured{.name = "product of few rows", .how = loops.name};
  for (const auto& [rows, depth, columns] :
       {std::array<int64_t, 3>{1, 1000, 130}, {3, 64, 64}, {8, 768, 65}}) {
    const Floats x = seeded(rows * depth, 1);
    const Floats w = seeded(depth * columns, 2);
    const int64_t panels = (columns + kPanel - 1) / kPanel;
    Floats packed(static_cast<size_t>(panels * depth * kPanel));
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t j = 0; j < columns; ++j)
        packed[(j / kPanel * depth + k) * kPanel + j % kPanel] = w[k * columns + j];
    }
    Floats y(static_cast<size_t>(rows * columns));
    FewRowsProduct one{};
    one.x = x.data();
    one.panels = packed.data();
    one.panel_floats = depth * kPanel;
    one.y = y.data();
    one.rows = rows;
    one.depth = depth;
    one.columns = columns;
    one.last_panel = panels;
    loops.multiply_few_rows(one);
    note(measured, y, product(x, w, rows, depth, columns));
  }
  return measured;
}

Measured depthwise(const VectorLoops& loops) {
  Measured measured{.name = "line of a depth-wise convolution", .how = loops.name};
  for (const int64_t kernel : {3, 5}) {
    constexpr int64_t kChannels = 48;
    constexpr int64_t kWidth = 29;
    const Floats image = seeded(kernel * kWidth * kChannels, 1);
    const Floats weights = seeded(kernel * kernel * kChannels, 2);
    std::vector<const float*> lines;
    for (int64_t h = 0; h < kernel; ++h) lines.push_back(image.data() + h * kWidth * kChannels);
    Floats y(kWidth * kChannels);
    DepthwiseLine line{.lines = lines.data(), .weights = weights.data(), .out = y.data()};
    line.channels = line.in_step = line.out_step = kChannels;
    line.width = line.out_width = kWidth;
    line.kernel_h = line.kernel_w = kernel;
    line.pad_left = kernel / 2;
    line.inner_begin = kernel / 2;
    line.inner_end = kWidth - kernel / 2;
    loops.depthwise_line(line);
    Doubles exact(y.size());
    for (int64_t i = 0; i < kWidth * kChannels * kernel * kernel; ++i) {
      const int64_t at = i / (kernel * kernel);
      const int64_t h = i / kernel % kernel;
      const int64_t w = i % kernel;
      const int64_t column = at / kChannels + w - kernel / 2;
      if (column < 0 || column >= kWidth) continue;
      exact[at] += double{image[(h * kWidth + column) * kChannels + at % kChannels]} *
                   double{weights[(h * kernel + w) * kChannels + at % kChannels]};
    }
    note(measured, y, exact);
  }
  return measured;
}

// --- products, and Winograd's transforms

Measured matrix_product(const gemm::InstructionSet& set) {
  Measured measured{.name = "matrix product", .how = set.name};
  for (const auto& [rows, depth, columns] :
       {std::array<int64_t, 3>{13, 33, 70}, {49, 100, 97}, {64, 2500, 64}}) {
    const Floats a = seeded(rows * depth, 1);
    const Floats b = seeded(depth * columns, 2);
    Floats packed(static_cast<size_t>(gemm::packed_floats(depth, columns, set)));
    gemm::pack(b.data(), depth, columns, columns, 1, packed.data(), set);
    Floats y(static_cast<size_t>(rows * columns));
    const gemm::Product whole{a.data(), depth,    depth,   packed.data(),
                              columns,  y.data(), columns, {}};
    gemm::multiply(whole, 0, rows, 0, gemm::panel_count(columns, set), set);
    note(measured, y, product(a, b, rows, depth, columns));
  }
  return measured;
}

// G of a column of three.
Doubles filter_line(int size, double a, double b, double c) {
  if (size == 2) return {a, (a + b + c) / 2, (a - b + c) / 2, c};
  return {
      a / 4, -(a + b + c) / 6, -(a - b + c) / 6, a / 24 + b / 12 + c / 6, a / 24 - b / 12 + c / 6,
      c};
}

// One tile of `size` of a convolution of each channel by the same filter.
Measured winograd(const gemm::InstructionSet& set, int size) {
  Measured measured{.name = formatted("Winograd's transforms, {0}x{0}", size), .how = set.name};
  const int64_t edge = size + 2;
  const int64_t channels = set.vector_floats * 4;
  const gemm::Transforms& transforms = size == 2 ? set.of_two : set.of_four;
  const Floats pixels = seeded(edge * edge * channels, 1);
  const Floats f = seeded(9, 2);
  Floats planes(static_cast<size_t>(edge * edge * channels));
  transforms.input(pixels.data(), edge * channels, channels, planes.data(), channels);
  std::vector<Doubles> half;
  for (int i = 0; i < 3; ++i)
    half.push_back(filter_line(size, double{f[i * 3]}, double{f[i * 3 + 1]}, double{f[i * 3 + 2]}));
  for (int64_t j = 0; j < edge; ++j) {
    const Doubles made = filter_line(size, half[0][j], half[1][j], half[2][j]);
    for (int64_t i = 0; i < edge; ++i) {
      for (int64_t c = 0; c < channels; ++c)
        planes[(i * edge + j) * channels + c] *= static_cast<float>(made[i]);
    }
  }
  Floats y(static_cast<size_t>(size * size * channels));
  transforms.output(planes.data(), channels, channels,
                    {.to = y.data(),
                     .line_stride = size * channels,
                     .pixel_stride = channels,
                     .lines = size,
                     .columns = size,
                     .epilogue = {}});
  Doubles exact(y.size());
  for (int64_t at = 0; at < std::ssize(y) * 9; ++at) {
    const int64_t i = at / 9 / channels / size + at % 9 / 3;
    const int64_t j = at / 9 / channels % size + at % 3;
    exact[at / 9] +=
        double{pixels[(i * edge + j) * channels + at / 9 % channels]} * double{f[at % 9]};
  }
  note(measured, y, exact);
  return measured;
}

}  // namespace

std::vector<Measured> measure_loops() {
  std::vector<Measured> measured;
  for (const VectorLoops* loops : all_vector_loops()) {
    measured.push_back(
        activation(*loops, Activate::kRelu, "Relu", [](double x) { return std::max(x, 0.0); }));
    measured.push_back(
        activation(*loops, Activate::kTanh, "Tanh", [](double x) { return std::tanh(x); }));
    measured.push_back(activation(*loops, Activate::kGelu, "Gelu", gelu));
    measured.push_back(activation(*loops, Activate::kGeluTanh, "Gelu by Tanh", gelu_tanh));
    measured.push_back(normalization(*loops));
    measured.push_back(attention(*loops));
    measured.push_back(few_rows(*loops));
    measured.push_back(depthwise(*loops));
  }
  const gemm::InstructionSets sets = gemm::instruction_sets();
  for (int i = 0; i < sets.count; ++i) {
    measured.push_back(matrix_product(*sets.list[i]));
    for (const int size : {2, 4}) measured.push_back(winograd(*sets.list[i], size));
  }
  return measured;
}

}  // namespace casemate::engine
