// SPDX-License-Identifier: Apache-2.0
// Einsum: operands are multiplied one after the other, and summed over a label as soon as nobody
// behind needs it, so that each step is a matrix product.
#include <algorithm>

#include "isolated/engine/operators/einsum_equation.h"
#include "isolated/engine/operators/matrix_product.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

using Labels = EinsumEquation::Labels;

// The elements of a tensor along labels, each of which it has once. More than 8 are possible: those
// of a product of two operands.
template <class W>
struct Labelled {
  Labels labels;
  std::vector<int64_t> steps;  // by label
  std::vector<W> values;

  [[nodiscard]] bool has(int label) const { return std::ranges::contains(labels, label); }
};

// Some dimensions of such a tensor, as a loop sees them.
struct Walk {
  std::vector<int64_t> extents;
  std::vector<int64_t> steps;
};

// Calls `row(offset, count, step)` for every run along the last dimension.
template <class Row>
void for_each_run(const Walk& walk, Row row) {
  if (std::ranges::contains(walk.extents, 0)) return;
  if (walk.extents.empty()) return row(0, 1, 0);
  const size_t last = walk.extents.size() - 1;
  std::vector<int64_t> index(last);
  int64_t offset = 0;
  for (;;) {
    row(offset, walk.extents[last], walk.steps[last]);
    size_t d = last;
    for (; d > 0; --d) {
      offset += walk.steps[d - 1];
      if (++index[d - 1] < walk.extents[d - 1]) break;
      offset -= walk.steps[d - 1] * walk.extents[d - 1];
      index[d - 1] = 0;
    }
    if (d == 0) return;
  }
}

Labels joined(const Labels& a, const Labels& b, const Labels& c) {
  Labels all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), c.begin(), c.end());
  return all;
}

// All computed in W.
template <class W>
class Contraction final {
 public:
  Contraction(Computation& computation, const EinsumEquation& equation)
      : c_(computation), equation_(equation) {
    const auto& operands = equation.operands;
    first_.fill(operands.size());
    for (size_t i = 0; i < operands.size(); ++i) {
      for (const int label : described(i).labels) {
        first_[label] = std::min(first_[label], i);
        last_[label] = i;
      }
    }
    for (const int label : equation.result) last_[label] = operands.size();
  }

  // The product of all operands, along the result's labels. Requires: they have elements.
  template <class T>
  Result<std::vector<W>> run() {
    Labelled<W> product = TRY(load<T>(0));
    for (size_t i = 1; i < equation_.operands.size(); ++i)
      product = TRY(multiplied(product, TRY(load<T>(i)), i));
    return gathered(product.values.data(), product, equation_.result, {});
  }

 private:
  [[nodiscard]] int64_t extent(int label) const { return equation_.extents[label]; }
  // Whether the result, or an operand behind that one, has a label.
  [[nodiscard]] bool needed(int label, size_t operand) const { return last_[label] > operand; }

  Walk walk_along(const Labelled<W>& tensor, const Labels& labels) const {
    Walk walk;
    for (const int label : labels) {
      const auto at = std::ranges::find(tensor.labels, label) - tensor.labels.begin();
      walk.extents.push_back(extent(label));
      walk.steps.push_back(tensor.steps[at]);
    }
    return walk;
  }

  // The elements in the order of `labels`, summed over the labels in `summed`.
  template <class T>
  std::vector<W> gathered(const T* from, const Labelled<W>& tensor, const Labels& labels,
                          const Labels& summed) const {
    using Sum = std::conditional_t<kFloating<W>, double, W>;
    std::vector<W> values;
    const Walk over = walk_along(tensor, summed);
    const auto sum_from = [&](const T* first) {
      Sum sum{};
      for_each_run(over, [&](int64_t offset, int64_t count, int64_t step) {
        for (int64_t i = 0; i < count; ++i)
          sum += static_cast<Sum>(static_cast<W>(first[offset + i * step]));
      });
      return static_cast<W>(sum);
    };
    for_each_run(walk_along(tensor, labels), [&](int64_t offset, int64_t count, int64_t step) {
      const T* first = from + offset;
      for (int64_t i = 0; i < count; ++i) {
        const T* at = first + i * step;
        values.push_back(summed.empty() ? static_cast<W>(*at) : sum_from(at));
      }
    });
    return values;
  }

  // The labels and steps of an operand. A label that it has twice walks along the diagonal; a
  // dimension that is broadcast is not there.
  Labelled<W> described(size_t operand) const {
    Labelled<W> tensor;
    const Shape& shape = c_.shape(operand);
    int64_t step = 1;
    for (uint32_t i = shape.rank(); i-- > 0; step *= shape[i]) {
      const int label = equation_.operands[operand][i];
      if (shape[i] != extent(label)) continue;
      const auto at = std::ranges::find(tensor.labels, label) - tensor.labels.begin();
      if (!tensor.has(label)) {
        tensor.labels.push_back(label);
        tensor.steps.push_back(0);
      }
      tensor.steps[at] += step;
    }
    return tensor;
  }

  // An operand, dense, and summed over what neither those before nor those behind it have.
  template <class T>
  Result<Labelled<W>> load(size_t operand) {
    const std::span<const T> values = TRY(c_.values<T>(operand));
    const Labelled<W> raw = described(operand);
    Labels kept;
    Labels summed;
    for (const int label : raw.labels)
      (needed(label, operand) || first_[label] < operand ? kept : summed).push_back(label);
    return dense(kept, gathered(values.data(), raw, kept, summed));
  }

  Labelled<W> dense(Labels labels, std::vector<W> values) const {
    Labelled<W> tensor{.labels = std::move(labels), .steps = {}, .values = std::move(values)};
    tensor.steps.resize(tensor.labels.size());
    int64_t step = 1;
    for (size_t i = tensor.labels.size(); i-- > 0; step *= extent(tensor.labels[i]))
      tensor.steps[i] = step;
    return tensor;
  }

  int64_t size_of(const Labels& labels) const {
    int64_t size = 1;
    for (const int label : labels) size *= extent(label);
    return size;
  }

  // The product of two tensors, the second of which is `operand`, summed over what nobody behind
  // it needs.
  Result<Labelled<W>> multiplied(const Labelled<W>& a, const Labelled<W>& b, size_t operand) {
    Labels batch;
    Labels rows;
    Labels columns;
    Labels shared;
    for (const int label : a.labels)
      (!b.has(label) ? rows : needed(label, operand) ? batch : shared).push_back(label);
    for (const int label : b.labels) {
      if (!a.has(label)) columns.push_back(label);
    }
    const Labels labels = joined(batch, rows, columns);
    // Each part is no longer than an operand; all of them together may well be.
    uint64_t count = static_cast<uint64_t>(size_of(batch)) * size_of(rows);
    if (__builtin_mul_overflow(count, size_of(columns) * sizeof(W), &count))
      return Error{Code::kTooLarge, "the product of its operands is larger than 2^64 bytes"};
    TRY(c_.allow(count));
    const auto left = gathered(a.values.data(), a, joined(batch, rows, shared), {});
    const auto right = gathered(b.values.data(), b, joined(batch, shared, columns), {});
    std::vector<W> values(count / sizeof(W));
    multiply_all(size_of(batch), {.m = size_of(rows), .n = size_of(columns), .k = size_of(shared)},
                 left, right, values);
    return dense(labels, std::move(values));
  }

  // `product` once for each of that many matrices, one behind the other.
  static void multiply_all(int64_t batch, MatrixProduct<W> product, const std::vector<W>& a,
                           const std::vector<W>& b, std::vector<W>& c) {
    const auto& [m, n, k, left, right, to, add] = product;
    for (int64_t i = 0; i < batch; ++i) {
      product.a = {a.data() + i * m * k, k};
      product.b = {b.data() + i * k * n, n};
      product.c = {c.data() + i * m * n, n};
      if (m == 1 && n == 1) {
        *to.elements = dot_product(left.elements, right.elements, k);
      } else {
        multiply(product);
      }
    }
  }

  static W dot_product(const W* a, const W* b, int64_t count) {
    if constexpr (kFloating<W>) {
      return static_cast<W>(
          sum_of(count, [&](int64_t i) { return real_of(a[i]) * real_of(b[i]); }));
    } else {
      W sum{};
      for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
      return sum;
    }
  }

  Computation& c_;
  const EinsumEquation& equation_;
  // By label: the first operand that has it, and the last one, which may be the result.
  std::array<size_t, EinsumEquation::kLabels> first_{};
  std::array<size_t, EinsumEquation::kLabels> last_{};
};

using Factors = decltype(Types<float, double, Float16>{} + Integers{});

Status compute_einsum(Computation& c) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < c.input_count(); ++i) shapes.push_back(c.shape(i));
  const auto equation = TRY(EinsumEquation::make(c.attributes().text("equation", ""), shapes));
  return for_type(Factors{}, c.type(0), [&]<class T>() -> Status {
    const auto y = TRY(c.make<T>(0, equation.shape()));
    if (std::ranges::contains(equation.extents, 0)) {
      // Either there is no result, or each of its elements is a sum of nothing.
      std::ranges::fill(y, T{});
      return {};
    }
    const auto values = TRY(Contraction<Wrapping<T>>(c, equation).template run<T>());
    for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<T>(values[i]);
    return {};
  });
}

}  // namespace

void add_einsum(Operators& operators) { operators.add("Einsum", compute_einsum); }

}  // namespace casemate::engine
