// SPDX-License-Identifier: Apache-2.0
#pragma once
// Mover: elements on their way from inputs to outputs, for operators that do not look at them.
//
// Elements of a fixed size are moved as so many bytes. Strings are moved by number: each that is
// read gets one, from 1 up, and 0 is the empty string. Loops place numbers, and done() copies the
// strings once it is known that there may be so many bytes of them: a long one, repeated often,
// would otherwise be more than any limit on element counts foresees.
//
//   Tensor& y = *TRY(c.make(0, c.type(0), shape));
//   Mover mover(c, c.type(0));
//   const uint8_t* from = TRY(mover.from(0));
//   uint8_t* to = mover.to(y);
//   ...                                         // of elements of mover.width() bytes
//   return mover.done();
//
//   Owns     the numbers.
//   Threads  one.
//   Trust    types may be any; that loops stay inside is the caller's business.
//   Fails    from() for an input of another type; done() when the strings are too large.

#include <array>
#include <deque>
#include <vector>

#include "isolated/engine/graph/box.h"
#include "isolated/engine/operators/computation.h"

namespace casemate::engine {

class Mover final {
 public:
  // Requires: `c` lives longer.
  Mover(Computation& c, ElementType type) : c_(c), type_(type) {}
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  // Bytes of an element as it is moved: 1, 2, 4 or 8.
  [[nodiscard]] size_t width() const { return text() ? sizeof(uint64_t) : size_of(type_); }

  // Where the elements of an input stand. Fails as Computation::tensor(), and for another type.
  Result<const uint8_t*> from(size_t input);
  // Ditto. The tensor must live until done().
  Result<const uint8_t*> from(const Tensor& tensor);
  // Where elements go: unset, but that strings are empty. Requires: a tensor of the type, which
  // lives until done().
  uint8_t* to(Tensor& tensor);

  // Copies a box of elements between two such places.
  void move(const Box& box, const uint8_t* from, uint8_t* to) const;

  // Ends the move. Fails with kTooLarge when a run may not have that much text.
  Status done();

 private:
  struct Target {
    Tensor* tensor;
    std::vector<uint64_t> numbers;
  };
  [[nodiscard]] bool text() const { return type_ == ElementType::kString; }

  Computation& c_;
  ElementType type_;
  std::vector<const std::string*> strings_;  // by number - 1
  std::deque<std::vector<uint64_t>> sources_;
  std::deque<Target> targets_;
};

// An element that nobody looks into.
template <size_t width>
struct alignas(width) Element {
  std::array<uint8_t, width> bytes;
};

// Calls `function` for the element of that many bytes: 1, 2, 4 or 8.
template <class Function>
decltype(auto) for_width(size_t width, Function function) {
  switch (width) {
    case 1:
      return function.template operator()<Element<1>>();
    case 2:
      return function.template operator()<Element<2>>();
    case 4:
      return function.template operator()<Element<4>>();
    default:
      return function.template operator()<Element<8>>();
  }
}

template <class E>
const E* elements_at(const uint8_t* bytes) {
  return static_cast<const E*>(static_cast<const void*>(bytes));
}
template <class E>
E* elements_at(uint8_t* bytes) {
  return static_cast<E*>(static_cast<void*>(bytes));
}

}  // namespace casemate::engine
