// SPDX-License-Identifier: Apache-2.0
#pragma once
// Computation: one run of one node, as its operator's function sees it.
//
// The same function serves three masters. Run with all inputs at hand it computes, for constants
// while a graph is made ready and for whatever has no faster kernel while it runs. Run "dry", with
// some inputs known by type and shape alone, it tells the types and shapes of its outputs: it is
// written so that it makes all outputs before it looks at the elements of what it computes on. An
// input whose elements decide on shapes is read first; where it is not known yet, neither are the
// outputs, and the node waits until it runs.
//
//   Status compute_tile(Computation& c) {
//     const auto repeats = TRY(c.integers(1));          // dry: stops here if it is not known
//     Shape shape = ...;                                // checked: input data may be anything
//     Tensor& y = *TRY(c.make(0, c.type(0), shape));    // dry: the last make() stops here
//     const Bytes x = TRY(c.tensor(0))->bytes();
//
//   Owns     its outputs until they are taken.
//   Threads  one; functions may use more inside.
//   Trust    none in inputs, attributes and their agreement: functions check all that they rely on.
//            The node has as many inputs as its schema allows, and attributes of its types.
//   Fails    with what was wrong and what was expected; the caller adds the node's name.

#include <optional>
#include <span>

#include "isolated/engine/graph/graph.h"
#include "isolated/engine/operators/datum.h"

namespace casemate::engine {

// What is known of an input.
struct Fact {
  ElementType type = ElementType::kNone;  // of a tensor
  Shape shape;                            // ditto
  const Datum* datum = nullptr;           // none: only type and shape are known
  bool given = false;                     // false: left out, or an empty optional

  static Fact of(const Datum& datum);
  static Fact of(ElementType type, const Shape& shape) { return {type, shape, nullptr, true}; }
};

// What a run may ask of whoever runs it.
class Host {
 public:
  virtual ~Host() = default;
  // Fails with kTooLarge when a run may not have that many bytes more.
  virtual Status allow(uint64_t bytes) = 0;
  // What a function holds in between grows, or shrinks, from `before` bytes to `now`. Fails as
  // allow().
  virtual Status hold(uint64_t before, uint64_t now) {
    static_cast<void>(before);
    return allow(now);
  }
  // Runs a subgraph of the node. `inputs` are those of the subgraph, captures included.
  virtual Result<std::vector<Datum>> run(const Graph& graph, std::vector<Datum> inputs) = 0;
};

class Computation final {
 public:
  enum class Mode : uint8_t { kDry, kRun };
  // Requires: `inputs` has one entry per input of the node, for kRun with a datum in each; they and
  // the host live longer.
  Computation(const Node& node, std::vector<Fact> inputs, Host& host, Mode mode);
  // A run whose outputs have their memory already: make() gives that out, and nothing else.
  // Requires: one place per output of the node.
  Computation(const Node& node, std::vector<Fact> inputs, Host& host, std::vector<Tensor> places);

  // --- what is asked
  [[nodiscard]] const Node& node() const { return node_; }
  [[nodiscard]] const Attributes& attributes() const { return node_.attributes; }
  // True when the operator set that gave it its meaning is this or a later one.
  [[nodiscard]] bool since(int version) const { return node_.since == 0 || node_.since >= version; }
  [[nodiscard]] size_t input_count() const { return inputs_.size(); }
  [[nodiscard]] bool has(size_t input) const {
    return input < inputs_.size() && inputs_[input].given;
  }
  [[nodiscard]] size_t output_count() const { return node_.outputs.size(); }
  // Whether somebody may read that output.
  [[nodiscard]] bool wants(size_t output) const {
    return output < node_.outputs.size() && node_.outputs[output].present();
  }

  // --- inputs. kNone and rank 0 for what is left out or is no tensor.
  [[nodiscard]] ElementType type(size_t input) const;
  [[nodiscard]] const Shape& shape(size_t input) const;
  // Those with elements fail when they are not known yet, with kInvalid when the input is left out
  // or is something else.
  Result<const Datum*> datum(size_t input);
  Result<const Tensor*> tensor(size_t input);
  Result<const Sequence*> sequence(size_t input);
  template <class T>
  Result<std::span<const T>> values(size_t input) {
    const Tensor* found = TRY(tensor(input));
    if (found->type() != element_type_of<T>()) return wrong_type(input, element_type_of<T>());
    return found->values<T>();
  }
  // The elements of an INT64 or INT32 tensor.
  Result<std::vector<int64_t>> integers(size_t input);
  // The one element of an INT64 or INT32 tensor.
  Result<int64_t> integer(size_t input);

  // --- outputs. Each is made or given once, in any order, all of them before elements are read.
  // An output that nobody wants is made too, and dropped.
  Result<Tensor*> make(size_t output, ElementType type, const Shape& shape);
  template <class T>
  Result<std::span<T>> make(size_t output, const Shape& shape) {
    return TRY(make(output, element_type_of<T>(), shape))->template values<T>();
  }
  // Hands over what is there.
  Status give(size_t output, Datum datum);
  // The elements of an input under another shape; known when that input is. Fails with kInvalid
  // when the counts differ.
  Status give_reshaped(size_t output, size_t input, const Shape& shape);

  // Whether that much memory may be had for something that is given, or for work in between.
  Status allow(uint64_t bytes) { return host_.allow(bytes); }

  // Says how much a function holds of what subgraphs have made, each time that it changes: it
  // counts against what they make meanwhile. Fails as allow().
  Status hold(uint64_t bytes);

  // --- subgraphs. Fails in a dry run.
  Result<std::vector<Datum>> run(const Graph& graph, std::vector<Datum> inputs);

  // --- what came out
  // After a function returned in a dry run.
  struct Outcome {
    bool stopped = false;  // outputs are known by type and shape, at least
    bool unknown = false;  // they are not
  };
  [[nodiscard]] const Outcome& outcome() const { return outcome_; }
  // What is known of each output; in a dry run with a datum where its elements are known too.
  [[nodiscard]] std::vector<Fact> facts() const;
  [[nodiscard]] std::vector<Datum>& outputs() { return outputs_; }

 private:
  Error wrong_type(size_t input, ElementType wanted) const;
  Error not_known();
  Status settle(size_t output, const Fact& fact);
  Status fill_place(size_t output, const Tensor& tensor);

  const Node& node_;
  std::vector<Fact> inputs_;
  Host& host_;
  Mode mode_;
  std::vector<Tensor> places_;
  std::vector<Datum> outputs_;
  std::vector<std::optional<Fact>> made_;  // by output
  Outcome outcome_;
  uint64_t held_bytes_ = 0;
};

}  // namespace casemate::engine
