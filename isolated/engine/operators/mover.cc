// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/mover.h"

#include "base/format.h"

namespace casemate::engine {
namespace {

// The same box in fewer dimensions where neighbours are dense in both tensors, so that rows are as
// long as they can be.
Box merged(const Box& box) {
  Box result{.shape = {}, .from = box.from, .to = box.to};
  std::array<int64_t, limits::kRank> extents{};
  uint32_t rank = 0;
  for (uint32_t i = 0; i < box.shape.rank(); ++i) {
    if (box.shape[i] == 1) continue;
    const bool dense = rank > 0 && result.read[rank - 1] == box.read[i] * box.shape[i] &&
                       result.write[rank - 1] == box.write[i] * box.shape[i];
    if (!dense) extents[rank++] = 1;
    extents[rank - 1] *= box.shape[i];
    result.read[rank - 1] = box.read[i];
    result.write[rank - 1] = box.write[i];
  }
  result.shape = Shape(std::span(extents).first(rank));
  return result;
}

}  // namespace

Result<const uint8_t*> Mover::from(size_t input) {
  if (c_.type(input) != type_ && c_.type(input) != ElementType::kNone) {
    return Error{Code::kInvalid, formatted("its input {} is a tensor of {}, it takes one of {}",
                                           input, name_of(c_.type(input)), name_of(type_))};
  }
  return from(*TRY(c_.tensor(input)));
}

Result<const uint8_t*> Mover::from(const Tensor& tensor) {
  if (tensor.type() != type_) {
    return Error{Code::kInvalid, formatted("tensors of {} and {} are mixed", name_of(type_),
                                           name_of(tensor.type()))};
  }
  if (!text()) return tensor.bytes().data();
  std::vector<uint64_t>& numbers = sources_.emplace_back();
  numbers.reserve(tensor.count());
  for (const std::string& string : tensor.values<std::string>()) {
    strings_.push_back(&string);
    numbers.push_back(strings_.size());
  }
  return static_cast<const uint8_t*>(static_cast<const void*>(numbers.data()));
}

uint8_t* Mover::to(Tensor& tensor) {
  if (!text()) return tensor.mutable_bytes().data();
  Target& target = targets_.emplace_back(&tensor, std::vector<uint64_t>(tensor.count()));
  return static_cast<uint8_t*>(static_cast<void*>(target.numbers.data()));
}

void Mover::move(const Box& box, const uint8_t* from, uint8_t* to) const {
  for (const int64_t extent : box.shape.dims()) {
    if (extent == 0) return;
  }
  copy_box(merged(box), width(), from, to);
}

Status Mover::done() {
  uint64_t bytes = 0;
  for (const Target& target : targets_) {
    for (const uint64_t number : target.numbers)
      bytes += number == 0 ? 0 : strings_[number - 1]->size();
  }
  TRY(c_.allow(bytes));
  for (const Target& target : targets_) {
    const std::span<std::string> strings = target.tensor->values<std::string>();
    for (size_t i = 0; i < strings.size(); ++i) {
      const uint64_t number = target.numbers[i];
      if (number != 0) strings[i] = *strings_[number - 1];
    }
  }
  return {};
}

}  // namespace casemate::engine
