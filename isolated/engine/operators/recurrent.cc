// SPDX-License-Identifier: Apache-2.0
// RNN, GRU and LSTM: layers that carry a state from each step of a sequence to the next.
//
// All gates of a step are one matrix product with its inputs, of many steps at once, and one with
// the state before it. 16-bit floats are computed, and carried on, in 32 bits.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/operators/convolution.h"
#include "isolated/engine/operators/matrix_product.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/recurrent_activation.h"

namespace casemate::engine {
namespace {

enum Input : uint8_t { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeepholes };

struct Layer {
  int64_t steps = 0;
  int64_t batch = 0;
  int64_t inputs = 0;
  int64_t hidden = 0;
  int64_t gates = 0;
  int64_t directions = 1;
  bool reverse = false;  // the only direction
  bool batch_first = false;
  std::vector<GateActivation> activations = {};  // of each direction in turn
  std::optional<float> clip = {};

  [[nodiscard]] bool backward(int64_t direction) const { return reverse || direction == 1; }
  // Where a step's inputs, its outputs and a direction's state lie.
  [[nodiscard]] int64_t x_at(int64_t t, int64_t b) const {
    return (batch_first ? b * steps + t : t * batch + b) * inputs;
  }
  [[nodiscard]] int64_t y_at(int64_t t, int64_t d, int64_t b) const {
    return (batch_first ? (b * steps + t) * directions + d : (t * directions + d) * batch + b) *
           hidden;
  }
  [[nodiscard]] int64_t state_at(int64_t d, int64_t b) const {
    return (batch_first ? b * directions + d : d * batch + b) * hidden;
  }
  [[nodiscard]] Shape y_shape() const {
    return batch_first ? Shape{batch, steps, directions, hidden}
                       : Shape{steps, directions, batch, hidden};
  }
  [[nodiscard]] Shape state_shape() const {
    return batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  }
};

// What is computed for one direction.
template <class W>
struct Direction {
  int64_t batch = 0;
  int64_t hidden = 0;
  const W* weights = nullptr;            // [gates * hidden, inputs]
  const W* recurrence = nullptr;         // [gates * hidden, hidden]
  std::vector<W> bias = {};              // both, [2, gates * hidden]
  std::vector<W> peepholes = {};         // [3, hidden], or zeros
  const GateActivation* functions = {};  // f, g, h
  std::optional<float> clip = {};
  std::vector<W> h = {};         // state, [batch, hidden]
  std::vector<W> c = {};         // the cells of an LSTM, ditto
  std::vector<W> products = {};  // of h and the recurrence, [batch, gates * hidden]

  [[nodiscard]] W apply(size_t function, W x) const {
    const W bound = static_cast<W>(clip.value_or(0));
    if (clip) x = std::min(std::max(x, -bound), bound);
    return functions[function](x);
  }
};

// The gates of one step: inputs times weights, and their bias, [batch, gates * hidden]; and which
// sequences go on at that step.
template <class W>
struct Gates {
  const W* inputs = nullptr;
  std::span<const uint8_t> active = {};
};

constexpr auto kStepRnn = []<class W>(Direction<W>& d, const Gates<W>& gates) {
  for (size_t b = 0; b < gates.active.size(); ++b) {
    if (!gates.active[b]) continue;
    for (int64_t j = 0; j < d.hidden; ++j) {
      const size_t i = b * d.hidden + j;
      d.h[i] = d.apply(0, gates.inputs[i] + d.products[i] + d.bias[d.hidden + j]);
    }
  }
};

// Gates lie in the order z, r, h.
template <bool linear_before_reset>
constexpr auto kStepGru = []<class W>(Direction<W>& d, const Gates<W>& gates) {
  const int64_t hidden = d.hidden;
  const W* bias = d.bias.data() + 3 * hidden;
  std::vector<W> reset(d.h.size());
  for (int64_t i = 0; i < d.batch * hidden; ++i) {
    const int64_t row = i / hidden * 3 * hidden;
    const int64_t j = i % hidden;
    for (int64_t k = j; k < 2 * hidden; k += hidden)
      d.products[row + k] = d.apply(0, gates.inputs[row + k] + d.products[row + k] + bias[k]);
    reset[i] = d.products[row + hidden + j] * d.h[i];
  }
  if constexpr (!linear_before_reset) {
    multiply<W>({.m = d.batch,
                 .n = hidden,
                 .k = hidden,
                 .a = {reset.data(), hidden},
                 .b = transposed(Matrix<const W>{d.recurrence + 2 * hidden * hidden, hidden}),
                 .c = {d.products.data() + 2 * hidden, 3 * hidden}});
  }
  for (int64_t i = 0; i < d.batch * hidden; ++i) {
    if (!gates.active[i / hidden]) continue;
    const int64_t row = i / hidden * 3 * hidden;
    const int64_t j = i % hidden;
    const W z = d.products[row + j];
    W before = d.products[row + 2 * hidden + j] + bias[2 * hidden + j];
    if constexpr (linear_before_reset) before *= d.products[row + hidden + j];
    const W candidate = d.apply(1, gates.inputs[row + 2 * hidden + j] + before);
    d.h[i] = (1 - z) * candidate + z * d.h[i];
  }
};

// Gates lie in the order i, o, f, c, peepholes in the order i, o, f.
template <bool input_forget>
constexpr auto kStepLstm = []<class W>(Direction<W>& d, const Gates<W>& gates) {
  const int64_t hidden = d.hidden;
  for (int64_t at = 0; at < d.batch * hidden; ++at) {
    if (!gates.active[at / hidden]) continue;
    const int64_t row = at / hidden * 4 * hidden;
    const int64_t j = at % hidden;
    const auto gate = [&](int64_t number) {
      const int64_t k = number * hidden + j;
      return gates.inputs[row + k] + d.products[row + k] + d.bias[4 * hidden + k];
    };
    const W* peephole = d.peepholes.data() + j;
    W& c = d.c[at];
    const W i = d.apply(0, gate(0) + peephole[0] * c);
    const W f = input_forget ? 1 - i : d.apply(0, gate(2) + peephole[2 * hidden] * c);
    c = f * c + i * d.apply(1, gate(3));
    const W o = d.apply(0, gate(1) + peephole[hidden] * c);
    d.h[at] = o * d.apply(2, c);
  }
};

Status check_shape(const Computation& c, size_t input, const Shape& wanted) {
  if (!c.has(input) || c.shape(input) == wanted) return {};
  return Error{Code::kInvalid, formatted("its input {} of shape {} needs the shape {}", input,
                                         c.shape(input).text(), wanted.text())};
}

Status check_direction(const Computation& c, Layer& layer) {
  const std::string direction = c.attributes().text("direction", "forward");
  layer.directions = direction == "bidirectional" ? 2 : 1;
  layer.reverse = direction == "reverse";
  // GRU's first schema has "foward" as its default.
  if (layer.directions == 2 || layer.reverse || direction == "forward" || direction == "foward")
    return {};
  return Error{Code::kInvalid, formatted("attribute 'direction' is '{}', expected forward, "
                                         "reverse or bidirectional",
                                         direction)};
}

Result<Layer> layer_of(const Computation& c, int64_t gates,
                       std::span<const std::string_view> functions) {
  Layer layer{.gates = gates, .batch_first = c.attributes().integer("layout", 0) != 0};
  TRY(check_direction(c, layer));
  const Shape& x = c.shape(kX);
  if (x.rank() != 3 || c.shape(kR).rank() != 3 || x[2] < 1) {
    return Error{Code::kInvalid, formatted("its input {} and recurrence {} should have rank 3, "
                                           "and inputs at each step",
                                           x.text(), c.shape(kR).text())};
  }
  layer.steps = x[layer.batch_first ? 1 : 0];
  layer.batch = x[layer.batch_first ? 0 : 1];
  layer.inputs = x[2];
  layer.hidden = c.shape(kR)[2];
  const int64_t declared = c.attributes().integer("hidden_size", layer.hidden);
  if (declared != layer.hidden || layer.hidden > int64_t{1} << 32) {
    return Error{Code::kInvalid, formatted("attribute 'hidden_size' is {}, its recurrence has "
                                           "the shape {}",
                                           declared, c.shape(kR).text())};
  }
  const int64_t rows = gates * layer.hidden;
  TRY(check_shape(c, kW, {layer.directions, rows, layer.inputs}));
  TRY(check_shape(c, kR, {layer.directions, rows, layer.hidden}));
  TRY(check_shape(c, kB, {layer.directions, 2 * rows}));
  TRY(check_shape(c, kLengths, {layer.batch}));
  TRY(check_shape(c, kInitialH, layer.state_shape()));
  TRY(check_shape(c, kInitialC, layer.state_shape()));
  TRY(check_shape(c, kPeepholes, {layer.directions, 3 * layer.hidden}));
  layer.activations = TRY(gate_activations(c, static_cast<size_t>(layer.directions), functions));
  layer.clip = TRY(gate_clip(c));
  return layer;
}

// Steps in each sequence; none is longer than the tensor.
Result<std::vector<int64_t>> lengths_of(Computation& c, const Layer& layer) {
  if (!c.has(kLengths)) return std::vector<int64_t>(static_cast<size_t>(layer.batch), layer.steps);
  auto lengths = TRY(c.integers(kLengths));
  for (const int64_t length : lengths) {
    if (length < 0 || length > layer.steps) {
      return Error{Code::kInvalid, formatted("its sequence_lens has the value {}, there are {} "
                                             "steps",
                                             length, layer.steps)};
    }
  }
  return lengths;
}

template <class T>
Result<std::span<const T>> optional_values(Computation& c, size_t input) {
  if (!c.has(input)) return std::span<const T>();
  return c.values<T>(input);
}

// One layer's tensors, and the loop over its steps.
template <class T>
class Sequences {
 public:
  using W = Wide<T>;

  static Result<Sequences> make(Computation& c, const Layer& layer) {
    Sequences made(layer, Widened<T>(TRY(c.values<T>(kW))), Widened<T>(TRY(c.values<T>(kR))));
    made.x_ = TRY(c.values<T>(kX));
    made.bias_ = TRY(optional_values<T>(c, kB));
    made.initial_h_ = TRY(optional_values<T>(c, kInitialH));
    made.initial_c_ = TRY(optional_values<T>(c, kInitialC));
    made.peepholes_ = TRY(optional_values<T>(c, kPeepholes));
    made.lengths_ = TRY(lengths_of(c, layer));
    return made;
  }

  // Outputs may be left out. Requires: one of them has elements.
  template <class Step>
  void run(Step step, std::span<T> y, std::span<T> y_h, std::span<T> y_c) const {
    for (int64_t number = 0; number < layer_.directions; ++number) {
      Direction<W> direction = start(number);
      run_steps(number, direction, step, y);
      store_state(number, direction.h, y_h);
      store_state(number, direction.c, y_c);
    }
  }

 private:
  Sequences(const Layer& layer, Widened<T> weights, Widened<T> recurrence)
      : layer_(layer), weights_(std::move(weights)), recurrence_(std::move(recurrence)) {}

  // So many values of one direction; zeros where the input is left out.
  static std::vector<W> part(std::span<const T> values, int64_t number, int64_t count) {
    std::vector<W> part(static_cast<size_t>(count));
    if (!values.empty()) std::copy_n(values.begin() + number * count, count, part.begin());
    return part;
  }

  std::vector<W> state(std::span<const T> values, int64_t number) const {
    std::vector<W> state(static_cast<size_t>(layer_.batch * layer_.hidden));
    for (int64_t b = 0; b < layer_.batch && !values.empty(); ++b) {
      std::copy_n(values.begin() + layer_.state_at(number, b), layer_.hidden,
                  state.begin() + b * layer_.hidden);
    }
    return state;
  }

  void store_state(int64_t number, const std::vector<W>& state, std::span<T> to) const {
    for (int64_t b = 0; b < layer_.batch && !to.empty(); ++b) {
      for (int64_t j = 0; j < layer_.hidden; ++j)
        to[layer_.state_at(number, b) + j] = static_cast<T>(state[b * layer_.hidden + j]);
    }
  }

  Direction<W> start(int64_t number) const {
    const int64_t rows = layer_.gates * layer_.hidden;
    const size_t functions = layer_.activations.size() / static_cast<size_t>(layer_.directions);
    return {.batch = layer_.batch,
            .hidden = layer_.hidden,
            .weights = weights_.data() + number * rows * layer_.inputs,
            .recurrence = recurrence_.data() + number * rows * layer_.hidden,
            .bias = part(bias_, number, 2 * rows),
            .peepholes = part(peepholes_, number, 3 * layer_.hidden),
            .functions = layer_.activations.data() + static_cast<size_t>(number) * functions,
            .clip = layer_.clip,
            .h = state(initial_h_, number),
            .c = state(initial_c_, number),
            .products = std::vector<W>(static_cast<size_t>(layer_.batch * rows))};
  }

  template <class Step>
  void run_steps(int64_t number, Direction<W>& d, Step step, std::span<T> y) const {
    if (layer_.steps == 0) return;
    const int64_t rows = layer_.gates * layer_.hidden;
    const int64_t at_once =
        positions_at_once(layer_.batch * std::max(rows, layer_.inputs), layer_.steps);
    std::vector<uint8_t> active(static_cast<size_t>(layer_.batch));
    for (int64_t first = 0; first < layer_.steps; first += at_once) {
      const int64_t count = std::min(at_once, layer_.steps - first);
      const std::vector<W> inputs = input_gates(number, d, first, count);
      for (int64_t k = 0; k < count; ++k) {
        const int64_t t = time(number, first + k);
        for (size_t b = 0; b < active.size(); ++b) active[b] = t < lengths_[b];
        multiply<W>({.m = layer_.batch,
                     .n = rows,
                     .k = layer_.hidden,
                     .a = {d.h.data(), layer_.hidden},
                     .b = transposed(Matrix<const W>{d.recurrence, layer_.hidden}),
                     .c = {d.products.data(), rows}});
        step(d, Gates<W>{inputs.data() + k * layer_.batch * rows, active});
        store_step(number, t, d.h, active, y);
      }
    }
  }

  // The step that comes as number `k`. Backwards, a sequence that is shorter than others waits in
  // its first state until its last step comes.
  [[nodiscard]] int64_t time(int64_t number, int64_t k) const {
    return layer_.backward(number) ? layer_.steps - 1 - k : k;
  }

  // Of some steps, [count, batch, gates * hidden].
  std::vector<W> input_gates(int64_t number, const Direction<W>& d, int64_t first,
                             int64_t count) const {
    const int64_t rows = layer_.gates * layer_.hidden;
    std::vector<W> seen(static_cast<size_t>(count * layer_.batch * layer_.inputs));
    std::vector<W> gates(static_cast<size_t>(count * layer_.batch * rows));
    for (int64_t i = 0; i < count * layer_.batch; ++i) {
      const int64_t t = time(number, first + i / layer_.batch);
      std::copy_n(x_.begin() + layer_.x_at(t, i % layer_.batch), layer_.inputs,
                  seen.begin() + i * layer_.inputs);
      std::copy_n(d.bias.begin(), rows, gates.begin() + i * rows);
    }
    multiply<W>({.m = count * layer_.batch,
                 .n = rows,
                 .k = layer_.inputs,
                 .a = {seen.data(), layer_.inputs},
                 .b = transposed(Matrix<const W>{d.weights, layer_.inputs}),
                 .c = {gates.data(), rows},
                 .accumulate = true});
    return gates;
  }

  // Behind the end of a sequence there are zeros.
  void store_step(int64_t number, int64_t t, const std::vector<W>& h,
                  std::span<const uint8_t> active, std::span<T> y) const {
    for (int64_t b = 0; b < layer_.batch && !y.empty(); ++b) {
      T* to = y.data() + layer_.y_at(t, number, b);
      for (int64_t j = 0; j < layer_.hidden; ++j)
        to[j] = active[b] ? static_cast<T>(h[b * layer_.hidden + j]) : T{};
    }
  }

  const Layer& layer_;
  Widened<T> weights_;
  Widened<T> recurrence_;
  std::span<const T> x_;
  std::span<const T> bias_;
  std::span<const T> initial_h_;
  std::span<const T> initial_c_;
  std::span<const T> peepholes_;
  std::vector<int64_t> lengths_;
};

// Asks for the memory of one direction, and of the gates of some steps.
template <class T>
Status allow_state(Computation& c, const Layer& layer) {
  const int64_t rows = layer.gates * layer.hidden;
  const int64_t widened = std::is_same_v<T, Wide<T>> ? 0 : rows * (layer.inputs + layer.hidden);
  const int64_t state = layer.batch * (rows + 3 * layer.hidden);
  const int64_t step = layer.steps == 0 ? 0 : layer.batch * (rows + layer.inputs);
  return allow_columns<Wide<T>>(c, step, layer.steps, state + layer.directions * widened);
}

template <class Step>
Status run_layer(Computation& c, const Layer& layer, Step step) {
  return for_type(Floats{}, c.type(kX), [&]<class T>() -> Status {
    std::array<std::span<T>, 3> outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (c.wants(i))
        outputs[i] = TRY(c.make<T>(i, i == 0 ? layer.y_shape() : layer.state_shape()));
    }
    if (std::ranges::all_of(outputs, [](std::span<T> output) { return output.empty(); })) return {};
    TRY(allow_state<T>(c, layer));
    const auto sequences = TRY(Sequences<T>::make(c, layer));
    sequences.run(step, outputs[0], outputs[1], outputs[2]);
    return {};
  });
}

Status compute_rnn(Computation& c) {
  constexpr std::array<std::string_view, 1> kFunctions = {"Tanh"};
  return run_layer(c, TRY(layer_of(c, 1, kFunctions)), kStepRnn);
}

Status compute_gru(Computation& c) {
  constexpr std::array<std::string_view, 2> kFunctions = {"Sigmoid", "Tanh"};
  const Layer layer = TRY(layer_of(c, 3, kFunctions));
  if (c.attributes().integer("linear_before_reset", 0) != 0)
    return run_layer(c, layer, kStepGru<true>);
  return run_layer(c, layer, kStepGru<false>);
}

Status compute_lstm(Computation& c) {
  constexpr std::array<std::string_view, 3> kFunctions = {"Sigmoid", "Tanh", "Tanh"};
  const Layer layer = TRY(layer_of(c, 4, kFunctions));
  if (c.attributes().integer("input_forget", 0) != 0) return run_layer(c, layer, kStepLstm<true>);
  return run_layer(c, layer, kStepLstm<false>);
}

}  // namespace

void add_recurrent(Operators& operators) {
  operators.add("RNN", compute_rnn);
  operators.add("GRU", compute_gru);
  operators.add("LSTM", compute_lstm);
}

}  // namespace casemate::engine
