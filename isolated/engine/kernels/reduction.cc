// SPDX-License-Identifier: Apache-2.0
// ReduceMean, ReduceSum, ReduceMax, ReduceMin over the axes of the attribute `axes` (all when it is
// missing), in loops of our own with sums in double precision.
#include <algorithm>
#include <array>
#include <limits>

#include "isolated/engine/graph/box.h"
#include "isolated/engine/kernels/loop_kernel.h"

namespace casemate::engine {
namespace {

struct Reduction {
  std::string_view op;
  double start;
  double (*combine)(double, double);
  bool mean;
};

constexpr double kInfinite = std::numeric_limits<double>::infinity();

constexpr std::array kReductions = std::to_array<Reduction>({
    {"ReduceMean", 0, [](double a, double b) { return a + b; }, true},
    {"ReduceSum", 0, [](double a, double b) { return a + b; }, false},
    {"ReduceMax", -kInfinite, [](double a, double b) { return a < b ? b : a; }, false},
    {"ReduceMin", kInfinite, [](double a, double b) { return b < a ? b : a; }, false},
});

// The input as outer dimensions, which stay, and inner ones, which are reduced.
struct Split {
  std::vector<int64_t> kept, kept_steps, reduced, reduced_steps;
};

Split split(const Shape& shape, const std::vector<int64_t>& axes) {
  std::vector<bool> reduce(shape.rank(), axes.empty());
  for (const int64_t axis : axes)
    reduce[static_cast<size_t>(axis < 0 ? axis + shape.rank() : axis)] = true;
  const Steps steps = dense_steps(shape);
  Split result;
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    (reduce[i] ? result.reduced : result.kept).push_back(shape[i]);
    (reduce[i] ? result.reduced_steps : result.kept_steps).push_back(steps[i]);
  }
  return result;
}

Steps steps_of(const std::vector<int64_t>& list) {
  Steps steps{};
  std::ranges::copy(list, steps.begin());
  return steps;
}

KernelResult make_reduction(const KernelRequest& request) {
  const auto facts = std::ranges::find(kReductions, request.node.op, &Reduction::op);
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  const LoopOperand input = TRY(loop_operand(request, 0, needs));
  const Split parts = split(request.input_shape(0), request.node.attributes.integers("axes"));
  const Shape kept(parts.kept);
  const Shape reduced(parts.reduced);
  const std::array<Steps, 1> outer = {steps_of(parts.kept_steps)};
  const std::array<Steps, 1> inner = {steps_of(parts.reduced_steps)};
  if (TRY(kept.element_count()) != TRY(request.output_shape().element_count())) {
    return Error{Code::kInvalid, "its result does not have one element for each that it keeps"};
  }
  const double count = static_cast<double>(TRY(reduced.element_count()));
  const auto loop = [=, facts = *facts](const KernelArguments& arguments) {
    const auto* x = elements<float>(input.data(arguments));
    auto* y = elements<float>(arguments.outputs[0]);
    const int64_t outer_step = kept.rank() == 0 ? 0 : outer[0][kept.rank() - 1];
    const int64_t inner_step = reduced.rank() == 0 ? 0 : inner[0][reduced.rank() - 1];
    for_each_row(kept, outer, [&](const auto& start, int64_t rows) {
      for (int64_t r = 0; r < rows; ++r) {
        const float* cell = x + start[0] + r * outer_step;
        double total = facts.start;
        for_each_row(reduced, inner, [&](const auto& offset, int64_t columns) {
          for (int64_t i = 0; i < columns; ++i) {
            total = facts.combine(total, cell[offset[0] + i * inner_step]);
          }
        });
        *y++ = static_cast<float>(facts.mean ? total / count : total);
      }
    });
  };
  return loop_kernel(std::move(needs), loop);
}

}  // namespace

void register_reduction(Registry& registry) {
  for (const Reduction& facts : kReductions) {
    registry.add(std::string(facts.op), ElementType::kFloat32, Device::kCpu, make_reduction);
  }
}

}  // namespace casemate::engine
