// SPDX-License-Identifier: Apache-2.0
// Operators that move tensors along their gradients: one step of training. Their inputs are a rate,
// a count of the steps before, and so many tensors; then as many gradients; then what the step
// before has left for each of them. Their outputs are the tensors, and what this step leaves.
#include <cmath>

#include "base/format.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/reals.h"

namespace casemate::engine {
namespace {

// What all tensors of a node have in common.
struct Step {
  double rate = 0;
  int64_t count = 0;  // of steps before this one
  size_t tensors = 0;

  // Inputs of tensor i: 0 is itself, 1 its gradient, and what is left for it behind.
  [[nodiscard]] size_t input(size_t kind, size_t i) const { return 2 + kind * tensors + i; }
};

// Checks that inputs and outputs are those of some tensors with `states` things left for each.
Result<Step> step_of(Computation& c, size_t states) {
  Step step;
  const size_t kinds = 2 + states;
  step.tensors = c.input_count() < 2 ? 0 : (c.input_count() - 2) / kinds;
  if (step.tensors == 0 || c.input_count() != 2 + step.tensors * kinds ||
      c.output_count() != step.tensors * (1 + states)) {
    return Error{Code::kInvalid,
                 formatted("it has {} inputs and {} outputs, for each tensor it takes {} behind "
                           "the first two, and gives {}",
                           c.input_count(), c.output_count(), kinds, 1 + states)};
  }
  for (size_t i = 0; i < step.tensors; ++i) {
    for (size_t kind = 1; kind < kinds; ++kind) {
      const size_t input = step.input(kind, i);
      if (c.has(input) && c.shape(input) == c.shape(2 + i) && c.type(input) == c.type(2 + i))
        continue;
      return Error{Code::kInvalid,
                   formatted("its input {} is {} of {}, the tensor it belongs to {} of {}", input,
                             name_of(c.type(input)), c.shape(input).text(), name_of(c.type(2 + i)),
                             c.shape(2 + i).text())};
    }
  }
  return step;
}

Status read_rate(Computation& c, Step& step) {
  const auto rate = TRY(reals(c, 0));
  if (rate.size() != 1)
    return Error{Code::kInvalid, formatted("it has {} rates, it takes one", rate.size())};
  step.rate = rate[0];
  step.count = TRY(c.integer(1));
  return {};
}

double coefficient(const Computation& c, std::string_view name, float otherwise) {
  return static_cast<double>(c.attributes().real(name, otherwise));
}

// Runs `update(x, gradient, left, more_left)` for every element of every tensor, whose arguments
// but the gradient it changes. Each rule is made once rate and count are known. `more_left` is
// there for rules with two states.
template <size_t states, class MakeRule>
Status run_step(Computation& c, MakeRule make_rule) {
  Step step = TRY(step_of(c, states));
  std::vector<Tensor*> outputs;
  for (size_t i = 0; i < c.output_count(); ++i) {
    const size_t tensor = 2 + i % step.tensors;
    outputs.push_back(TRY(c.make(i, c.type(tensor), c.shape(tensor))));
  }
  TRY(read_rate(c, step));
  const auto update = make_rule(step);
  for (size_t i = 0; i < step.tensors; ++i) {
    TRY(for_type(Types<float, double>{}, c.type(2 + i), [&]<class T>() -> Status {
      const auto x = TRY(c.values<T>(step.input(0, i)));
      const auto gradient = TRY(c.values<T>(step.input(1, i)));
      const auto left = TRY(c.values<T>(step.input(2, i)));
      const auto more = TRY(c.values<T>(step.input(1 + states, i)));
      const auto x_new = outputs[i]->values<T>();
      const auto left_new = outputs[step.tensors + i]->values<T>();
      const auto more_new = outputs[states * step.tensors + i]->values<T>();
      for (size_t j = 0; j < x.size(); ++j) {
        double values[] = {real_of(x[j]), real_of(left[j]), real_of(more[j])};
        update(values[0], real_of(gradient[j]), values[1], values[2]);
        x_new[j] = static_cast<T>(values[0]);
        if (states == 2) more_new[j] = static_cast<T>(values[2]);
        left_new[j] = static_cast<T>(values[1]);
      }
      return {};
    }));
  }
  return {};
}

Status compute_adagrad(Computation& c) {
  const double decay = coefficient(c, "decay_factor", 0);
  const double epsilon = coefficient(c, "epsilon", 1e-6F);
  const double norm = coefficient(c, "norm_coefficient", 0);
  return run_step<1>(c, [&](const Step& step) {
    const double rate = step.rate / (1 + static_cast<double>(step.count) * decay);
    return [=](double& x, double gradient, double& squares, double&) {
      const double regularized = norm * x + gradient;
      squares += regularized * regularized;
      x -= rate * regularized / (std::sqrt(squares) + epsilon);
    };
  });
}

Status compute_adam(Computation& c) {
  const double alpha = coefficient(c, "alpha", 0.9F);
  const double beta = coefficient(c, "beta", 0.999F);
  const double epsilon = coefficient(c, "epsilon", 1e-6F);
  const double norm = coefficient(c, "norm_coefficient", 0);
  const double norm_post = coefficient(c, "norm_coefficient_post", 0);
  return run_step<2>(c, [&](const Step& step) {
    double rate = step.rate;
    if (step.count > 0) {
      const auto count = static_cast<double>(step.count);
      rate *= std::sqrt(1 - std::pow(beta, count)) / (1 - std::pow(alpha, count));
    }
    return [=](double& x, double gradient, double& mean, double& squares) {
      const double regularized = norm * x + gradient;
      mean = alpha * mean + (1 - alpha) * regularized;
      squares = beta * squares + (1 - beta) * regularized * regularized;
      x = (1 - norm_post) * (x - rate * mean / (std::sqrt(squares) + epsilon));
    };
  });
}

Status compute_momentum(Computation& c) {
  const double alpha = coefficient(c, "alpha", 0);
  const double norm = coefficient(c, "norm_coefficient", 0);
  const double beta = coefficient(c, "beta", 0);
  const std::string mode = c.attributes().text("mode", "");
  if (mode != "standard" && mode != "nesterov")
    return Error{Code::kInvalid, "its mode is neither \"standard\" nor \"nesterov\""};
  const bool nesterov = mode == "nesterov";
  return run_step<1>(c, [&](const Step& step) {
    const double weight = step.count > 0 ? beta : 1;
    const double rate = step.rate;
    return [=](double& x, double gradient, double& momentum, double&) {
      const double regularized = norm * x + gradient;
      momentum = alpha * momentum + weight * regularized;
      x -= rate * (nesterov ? regularized + alpha * momentum : momentum);
    };
  });
}

}  // namespace

void add_optimisers(Operators& operators) {
  operators.add("ai.onnx.preview.training:Adagrad", compute_adagrad);
  operators.add("ai.onnx.preview.training:Adam", compute_adam);
  operators.add("ai.onnx.preview.training:Momentum", compute_momentum);
}

}  // namespace casemate::engine
