// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/graph/box.h"

#include <algorithm>
#include <cstring>

namespace casemate::engine {
namespace {

template <class T>
void copy_elements(const Box& box, const uint8_t* source, uint8_t* target) {
  const T* x = static_cast<const T*>(static_cast<const void*>(source)) + box.from;
  T* y = static_cast<T*>(static_cast<void*>(target)) + box.to;
  const uint32_t rank = box.shape.rank();
  const int64_t read = rank == 0 ? 0 : box.read[rank - 1];
  const int64_t write = rank == 0 ? 0 : box.write[rank - 1];
  const std::array<Steps, 2> steps = {box.read, box.write};
  for_each_row(box.shape, steps, [&](const auto& offsets, int64_t columns) {
    if (read == 1 && write == 1) {
      std::memcpy(y + offsets[1], x + offsets[0], static_cast<size_t>(columns) * sizeof(T));
      return;
    }
    for (int64_t i = 0; i < columns; ++i) y[offsets[1] + i * write] = x[offsets[0] + i * read];
  });
}

// The first and last element that steps can reach from `start`.
std::pair<int64_t, int64_t> reach(int64_t start, const Shape& shape, const Steps& steps) {
  int64_t low = start;
  int64_t high = start;
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    const int64_t span = (shape[i] - 1) * steps[i];
    (span < 0 ? low : high) += span;
  }
  return {low, high};
}

}  // namespace

Steps dense_steps(const Shape& shape) {
  Steps steps{};
  int64_t step = 1;
  for (uint32_t i = shape.rank(); i-- > 0;) {
    steps[i] = step;
    step *= shape[i];
  }
  return steps;
}

bool broadcastable(const Shape& shape, const Shape& as) {
  if (shape.rank() > as.rank()) return false;
  const uint32_t shift = as.rank() - shape.rank();
  for (uint32_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] != 1 && shape[i] != as[i + shift]) return false;
  }
  return true;
}

Steps broadcast_steps(const Shape& shape, const Shape& as) {
  const Steps dense = dense_steps(shape);
  Steps steps{};
  const uint32_t shift = as.rank() - shape.rank();
  for (uint32_t i = 0; i < shape.rank(); ++i) steps[i + shift] = shape[i] == 1 ? 0 : dense[i];
  return steps;
}

std::optional<Box> box_of(const Node& node, const Shape& input, const Shape& output) {
  const Steps from = dense_steps(input);
  Box box{.shape = output, .write = dense_steps(output)};
  const uint32_t rank = output.rank();
  const auto list = [&](std::string_view name, size_t count) {
    std::vector<int64_t> values = node.attributes.integers(name);
    values.resize(count);
    return values;
  };
  if (node.op == "Transpose" && input.rank() == rank) {
    const std::vector<int64_t> order = list("perm", rank);
    for (uint32_t i = 0; i < rank; ++i) box.read[i] = from[static_cast<size_t>(order[i])];
  } else if (node.op == "Slice" && input.rank() == rank) {
    const std::vector<int64_t> starts = list("starts", rank);
    const std::vector<int64_t> steps = list("steps", rank);
    for (uint32_t i = 0; i < rank; ++i) {
      box.from += starts[i] * from[i];
      box.read[i] = steps[i] * from[i];
    }
  } else if (node.op == "Expand" && broadcastable(input, output)) {
    box.read = broadcast_steps(input, output);
  } else if (node.op == "Pad" && input.rank() == rank) {
    const std::vector<int64_t> pads = list("pads", size_t{2} * rank);
    box.shape = input;
    box.read = from;
    for (uint32_t i = 0; i < rank; ++i) box.to += pads[i] * box.write[i];
  } else {
    return std::nullopt;
  }
  return box;
}

bool inside(const Box& box, const Shape& input, const Shape& output) {
  const auto inputs = input.element_count();
  const auto outputs = output.element_count();
  if (!inputs || !outputs) return false;
  if (std::ranges::contains(box.shape.dims(), 0)) return true;  // nothing is moved
  const auto [read_low, read_high] = reach(box.from, box.shape, box.read);
  const auto [write_low, write_high] = reach(box.to, box.shape, box.write);
  return read_low >= 0 && read_high < static_cast<int64_t>(*inputs) && write_low >= 0 &&
         write_high < static_cast<int64_t>(*outputs);
}

void copy_box(const Box& box, size_t element_bytes, const uint8_t* source, uint8_t* target) {
  switch (element_bytes) {
    case 1:
      return copy_elements<uint8_t>(box, source, target);
    case 2:
      return copy_elements<uint16_t>(box, source, target);
    case 4:
      return copy_elements<uint32_t>(box, source, target);
    default:
      return copy_elements<uint64_t>(box, source, target);
  }
}

}  // namespace casemate::engine
