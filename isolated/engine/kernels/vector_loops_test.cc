// SPDX-License-Identifier: Apache-2.0
// The loops of every kind of processor that this one can be, against double precision. What lies
// around operands is NaN: whoever reads it shows it, and whoever writes there is found out.
#include "isolated/engine/kernels/vector_loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>

namespace casemate::engine {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kGuard = 32;

// Rows that lie some steps apart, with NaN between and around them.
class Rows final {
 public:
  Rows(int64_t rows, int64_t columns, int64_t step, uint32_t seed, float scale = 1, float mean = 0)
      : rows_(rows), columns_(columns), step_(step) {
    memory_.assign(static_cast<size_t>(rows * step) + 2 * kGuard, kNan);
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) at(i, j) = mean + scale * uniform(random);
    }
  }
  float& at(int64_t i, int64_t j) { return memory_[kGuard + static_cast<size_t>(i * step_ + j)]; }
  float* data() { return memory_.data() + kGuard; }
  [[nodiscard]] int64_t step() const { return step_; }

  // Whether all that is no element is still NaN.
  [[nodiscard]] bool guarded() const {
    for (size_t i = 0; i < memory_.size(); ++i) {
      const auto place = static_cast<int64_t>(i) - static_cast<int64_t>(kGuard);
      const bool element = place >= 0 && place < rows_ * step_ && place % step_ < columns_;
      if (!element && !std::isnan(memory_[i])) return false;
    }
    return true;
  }

 private:
  int64_t rows_, columns_, step_;
  std::vector<float> memory_;
};

double gelu(double x) { return x / 2 * (1 + std::erf(x / std::numbers::sqrt2)); }
double gelu_tanh(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

struct Definition {
  Activate function;
  double (*exact)(double);
  double tolerance;  // relative to the result or to 1
};

constexpr Definition kDefinitions[] = {
    {Activate::kRelu, [](double x) { return std::max(x, 0.0); }, 0},
    {Activate::kTanh, [](double x) { return std::tanh(x); }, 3e-7},
    {Activate::kGelu, gelu, 1e-6},
    {Activate::kGeluTanh, gelu_tanh, 5e-7},
    {Activate::kNone, [](double x) { return x; }, 0},
};

TEST(VectorLoops, activate_as_defined) {
  std::vector<float> x;
  for (float value = -20; value < 20; value += 0.00123F) x.push_back(value);
  for (const float value : {0.0F, -0.0F, 1e-30F, 100.0F, -100.0F, 3e38F, -3e38F})
    x.push_back(value);
  for (const VectorLoops* loops : all_vector_loops()) {
    for (const Definition& definition : kDefinitions) {
      std::vector<float> y(x.size());
      loops->activate(definition.function, x.data(), y.data(), static_cast<int64_t>(x.size()));
      double worst = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double exact = definition.exact(static_cast<double>(x[i]));
        worst = std::max(
            worst, std::fabs(static_cast<double>(y[i]) - exact) / std::max(1.0, std::fabs(exact)));
      }
      EXPECT_LE(worst, definition.tolerance)
          << loops->name << " " << static_cast<int>(definition.function);
    }
  }
}

TEST(VectorLoops, activate_what_is_no_number) {
  for (const VectorLoops* loops : all_vector_loops()) {
    for (const Definition& definition : kDefinitions) {
      const float x[] = {kNan, kInfinity, -kInfinity};
      float y[4] = {0, 0, 0, 7};
      loops->activate(definition.function, x, y, 3);
      EXPECT_TRUE(std::isnan(y[0])) << loops->name;
      EXPECT_EQ(y[3], 7) << "writes behind its result";
      if (definition.function == Activate::kTanh) {
        EXPECT_EQ(y[1], 1);
        EXPECT_EQ(y[2], -1);
      } else {
        EXPECT_EQ(y[1], kInfinity) << loops->name << " " << static_cast<int>(definition.function);
      }
    }
  }
}

void expect_normalized(const VectorLoops& loops, int64_t rows, int64_t columns, float mean,
                       double tolerance) {
  Rows x(rows, columns, columns, 1, 1, mean);
  Rows scale(1, columns, columns, 2);
  Rows shift(1, columns, columns, 3);
  Rows y(rows, columns, columns, 4);
  loops.normalize_rows({x.data(), scale.data(), shift.data(), y.data(), rows, columns, 1e-5F});
  EXPECT_TRUE(y.guarded()) << loops.name;
  for (int64_t i = 0; i < rows; ++i) {
    double sum = 0;
    double squares = 0;
    for (int64_t j = 0; j < columns; ++j) sum += static_cast<double>(x.at(i, j));
    const double center = sum / static_cast<double>(columns);
    for (int64_t j = 0; j < columns; ++j)
      squares += std::pow(static_cast<double>(x.at(i, j)) - center, 2);
    const double root = std::sqrt(squares / static_cast<double>(columns) + 1e-5);
    for (int64_t j = 0; j < columns; ++j) {
      const double exact =
          (static_cast<double>(x.at(i, j)) - center) / root * static_cast<double>(scale.at(0, j)) +
          static_cast<double>(shift.at(0, j));
      ASSERT_NEAR(static_cast<double>(y.at(i, j)), exact, tolerance)
          << loops.name << " " << columns << " columns, mean " << mean;
    }
  }
}

TEST(VectorLoops, normalize_rows_of_every_length) {
  for (const VectorLoops* loops : all_vector_loops()) {
    for (int64_t columns = 1; columns < 70; ++columns)
      expect_normalized(*loops, 3, columns, 0.5F, 2e-6);
    expect_normalized(*loops, 2, 768, 0, 2e-6);
    expect_normalized(*loops, 2, 1000, 1e4F, 2e-6);  // deviations are those of the rounded inputs
    expect_normalized(*loops, 0, 16, 0, 0);
  }
}

TEST(VectorLoops, normalize_each_row_for_itself) {
  for (const VectorLoops* loops : all_vector_loops()) {
    Rows x(3, 20, 20, 1);
    x.at(1, 19) = kNan;
    Rows scale(1, 20, 20, 2);
    loops->normalize_rows({x.data(), scale.data(), nullptr, x.data(), 3, 20, 1e-5F});
    for (int64_t j = 0; j < 20; ++j) {
      EXPECT_FALSE(std::isnan(x.at(0, j)));
      EXPECT_TRUE(std::isnan(x.at(1, j)));
      EXPECT_FALSE(std::isnan(x.at(2, j)));
    }
  }
}

// One attention, its operands further apart than they need be.
struct AttentionCase {
  int64_t queries, past, keys, width, value_width;
  bool masked = false;
};

struct AttentionRun {
  explicit AttentionRun(const AttentionCase& c)
      : given(c),
        q(c.queries, c.width, c.width + 5, 1),
        k(c.keys, c.width, c.width + 7, 2),
        v(c.keys, c.value_width, c.value_width + 3, 3),
        old_k(c.past, c.width, c.width, 4),
        old_v(c.past, c.value_width, c.value_width + 1, 5),
        mask(c.queries, c.past + c.keys, c.past + c.keys, 6, 3),
        y(c.queries, c.value_width, c.value_width + 4, 7) {}

  void run(const VectorLoops& loops) {
    const int64_t floats =
        loops.attention_scratch(given.past + given.keys, given.width, given.value_width);
    Rows scratch(1, floats, floats, 8);
    for (int64_t i = 0; i < floats; ++i) scratch.at(0, i) = kNan;
    loops.attend_head({q.data(),
                       q.step(),
                       given.queries,
                       {{old_k.data(), old_v.data(), old_k.step(), old_v.step(), given.past},
                        {k.data(), v.data(), k.step(), v.step(), given.keys}},
                       given.masked ? mask.data() : nullptr,
                       mask.step(),
                       1,
                       y.data(),
                       y.step(),
                       given.width,
                       given.value_width,
                       0.3F,
                       scratch.data()});
    EXPECT_TRUE(scratch.guarded()) << loops.name;
    EXPECT_TRUE(y.guarded()) << loops.name;
  }

  // In double precision, one query.
  std::vector<double> expected(int64_t query) {
    const int64_t all = given.past + given.keys;
    const auto key = [&](int64_t i, int64_t d) {
      return static_cast<double>(i < given.past ? old_k.at(i, d) : k.at(i - given.past, d));
    };
    std::vector<double> weights;
    double largest = -HUGE_VAL;
    for (int64_t i = 0; i < all; ++i) {
      double score = 0;
      for (int64_t d = 0; d < given.width; ++d)
        score += static_cast<double>(q.at(query, d)) * key(i, d);
      score = score * static_cast<double>(0.3F) +
              (given.masked ? static_cast<double>(mask.at(query, i)) : 0);
      weights.push_back(score);
      largest = std::max(largest, score);
    }
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    std::vector<double> result(static_cast<size_t>(given.value_width));
    for (int64_t i = 0; i < all; ++i) {
      for (int64_t d = 0; d < given.value_width; ++d) {
        const float value = i < given.past ? old_v.at(i, d) : v.at(i - given.past, d);
        result[static_cast<size_t>(d)] +=
            weights[static_cast<size_t>(i)] / sum * static_cast<double>(value);
      }
    }
    return result;
  }

  AttentionCase given;
  Rows q, k, v, old_k, old_v, mask, y;
};

TEST(VectorLoops, attend_with_every_shape) {
  const AttentionCase cases[] = {
      {1, 0, 1, 1, 1},           {1, 0, 129, 64, 64},         {1, 128, 1, 64, 64, true},
      {2, 3, 5, 7, 9, true},     {4, 0, 4, 64, 64, true},     {5, 2, 11, 3, 17, true},
      {49, 0, 50, 33, 65},       {100, 0, 128, 64, 64, true}, {128, 0, 128, 64, 64},
      {13, 60, 13, 16, 8, true}, {7, 0, 200, 80, 40, true},   {6, 1, 63, 64, 1},
  };
  for (const VectorLoops* loops : all_vector_loops()) {
    for (const AttentionCase& each : cases) {
      AttentionRun run(each);
      run.run(*loops);
      for (int64_t i = 0; i < each.queries; ++i) {
        const auto expected = run.expected(i);
        for (int64_t d = 0; d < each.value_width; ++d) {
          ASSERT_NEAR(static_cast<double>(run.y.at(i, d)), expected[static_cast<size_t>(d)], 2e-6)
              << loops->name << " " << each.queries << " queries, " << each.keys << " keys";
        }
      }
    }
  }
}

TEST(VectorLoops, attend_only_to_what_the_mask_shows) {
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  for (const VectorLoops* loops : all_vector_loops()) {
    for (const int64_t queries : {1, 20}) {
      for (const float hidden : {kLowest, -kInfinity}) {
        AttentionRun run({queries, 0, 20, 8, 8, true});
        for (int64_t i = 0; i < queries; ++i) {
          for (int64_t j = 0; j < 20; ++j) run.mask.at(i, j) = j == 17 ? 0 : hidden;
        }
        run.run(*loops);
        for (int64_t d = 0; d < 8; ++d) EXPECT_FLOAT_EQ(run.y.at(queries - 1, d), run.v.at(17, d));
        // Nothing shown: all alike under the lowest float, and no number under -infinity.
        for (int64_t j = 0; j < 20; ++j) run.mask.at(0, j) = hidden;
        run.run(*loops);
        EXPECT_EQ(std::isnan(run.y.at(0, 0)), hidden == -kInfinity) << loops->name;
      }
    }
  }
}

TEST(VectorLoops, attend_to_what_is_no_number) {
  for (const VectorLoops* loops : all_vector_loops()) {
    for (const int64_t queries : {2, 20}) {
      AttentionRun run({queries, 0, 20, 8, 8});
      run.q.at(1, 3) = kNan;
      run.run(*loops);
      EXPECT_FALSE(std::isnan(run.y.at(0, 0))) << loops->name;
      EXPECT_TRUE(std::isnan(run.y.at(1, 0))) << loops->name;
    }
  }
}

struct ProductCase {
  int64_t rows, depth, columns;
  bool bias = false, addend = false;
  Activate activation = Activate::kNone;
  bool activates_first = false;
};

void expect_product(const VectorLoops& loops, const ProductCase& c) {
  constexpr int64_t kPanel = FewRowsProduct::kPanel;
  const int64_t panels = (c.columns + kPanel - 1) / kPanel;
  Rows x(c.rows, c.depth, c.depth, 1);
  Rows w(c.depth, c.columns, c.columns, 2);
  Rows bias(1, c.columns, c.columns, 3);
  Rows addend(c.rows, c.columns, c.columns, 4);
  Rows y(c.rows, c.columns, c.columns, 5);
  std::vector<float> packed(static_cast<size_t>(panels * c.depth * kPanel));
  for (int64_t k = 0; k < c.depth; ++k) {
    for (int64_t j = 0; j < c.columns; ++j)
      packed[static_cast<size_t>((j / kPanel * c.depth + k) * kPanel + j % kPanel)] = w.at(k, j);
  }
  loops.multiply_few_rows({.x = x.data(),
                           .panels = packed.data(),
                           .panel_floats = c.depth * kPanel,
                           .bias = c.bias ? bias.data() : nullptr,
                           .addend = c.addend ? addend.data() : nullptr,
                           .y = y.data(),
                           .activation = c.activation,
                           .activates_first = c.activates_first,
                           .rows = c.rows,
                           .depth = c.depth,
                           .columns = c.columns,
                           .first_panel = 0,
                           .last_panel = panels});
  EXPECT_TRUE(y.guarded()) << loops.name;
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.columns; ++j) {
      double sum = c.bias ? static_cast<double>(bias.at(0, j)) : 0;
      for (int64_t k = 0; k < c.depth; ++k)
        sum += static_cast<double>(x.at(i, k)) * static_cast<double>(w.at(k, j));
      const double more = c.addend ? static_cast<double>(addend.at(i, j)) : 0;
      const auto act = [&](double v) { return c.activation == Activate::kGelu ? gelu(v) : v; };
      const double exact = c.activates_first ? act(sum) + more : act(sum + more);
      ASSERT_NEAR(static_cast<double>(y.at(i, j)), exact, 1e-5 * std::max(1.0, std::fabs(exact)))
          << loops.name << " " << c.rows << "x" << c.depth << "x" << c.columns;
    }
  }
}

TEST(VectorLoops, multiply_few_rows_of_every_shape) {
  for (const VectorLoops* loops : all_vector_loops()) {
    for (int64_t rows = 1; rows <= FewRowsProduct::kRowsMax; ++rows) {
      expect_product(*loops, {rows, 1, 1});
      expect_product(*loops, {rows, 37, 65, true});
      expect_product(*loops, {rows, 100, 130, true, true, Activate::kGelu, true});
      expect_product(*loops, {rows, 64, 127, false, true, Activate::kGelu, false});
    }
  }
}

}  // namespace
}  // namespace casemate::engine
