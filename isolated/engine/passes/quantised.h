// SPDX-License-Identifier: Apache-2.0
#pragma once
// Quantised: how passes see values between DequantizeLinear and QuantizeLinear: as bytes with one
// scale, and constants as the integers that they were made of.
//
// What a constant was made of stands in a node beside it that nobody reads, so that the first
// remove_dead() forgets it:
//
//   casemate:Dequantised(constant, integers, scale, [zero point]; axis)
//
//   Owns     a snapshot of who reads what.
//   Threads  one.
//   Trust    the graph is canonical and has one variant; scales may be anything.
//   Fails    never: what is not of that form is none.

#include "isolated/engine/graph/graph.h"

namespace casemate::engine {

// A value of bytes with one scale and one zero point.
struct Scaled {
  ValueId bytes;
  ValueId scale;
  ValueId zero;  // absent: 0
  float scale_value = 1;
  int32_t zero_value = 0;
  ElementType type = ElementType::kUint8;

  // Whether a byte means the same in both.
  [[nodiscard]] bool same_steps(const Scaled& other) const {
    return type == other.type && scale_value == other.scale_value && zero_value == other.zero_value;
  }
};

// A constant of bytes whose scale and zero point are one, or one for each index along an axis.
struct ScaledWeights {
  ValueId integers;
  ValueId scale;
  ValueId zero;
  std::vector<float> scales;
};

bool byte_type(ElementType type);

class Quantised final {
 public:
  explicit Quantised(Graph& graph) : graph_(graph), uses_(graph) {}

  // The node that says what the constant was made of.
  [[nodiscard]] const Node* origin(ValueId constant) const;

  [[nodiscard]] const Uses& uses() const { return uses_; }
  // The bytes that the value is made of by a DequantizeLinear.
  [[nodiscard]] std::optional<Scaled> source(ValueId real) const;
  // The bytes that the node, a QuantizeLinear, makes.
  [[nodiscard]] std::optional<Scaled> target(const Node& node) const;
  // The node that makes the value, if nobody else reads that.
  [[nodiscard]] const Node* only_maker(ValueId id) const;
  // The integers that a constant was made of, whose scales are one or `count`, along `axis`.
  [[nodiscard]] std::optional<ScaledWeights> weights(ValueId constant, int64_t axis,
                                                     int64_t count) const;
  // The zero point as a value that is there.
  ValueId zero_of(const Scaled& scaled, const std::string& name);
  // A constant of one real number for each of `count` as 32-bit integers in steps of
  // scale * scales[i]; absent where it is none.
  ValueId bias(ValueId constant, float scale, const std::vector<float>& scales, int64_t count,
               const std::string& name);

 private:
  std::optional<Scaled> scaled(ValueId bytes, const Node& node) const;

  Graph& graph_;
  Uses uses_;
};

}  // namespace casemate::engine
