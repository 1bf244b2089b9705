// SPDX-License-Identifier: Apache-2.0
#include "isolated/infer/infer.h"

#include <cstddef>

#include "base/format.h"

namespace casemate::infer {
namespace {

constexpr uint64_t aligned(uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

constexpr uint64_t table_bytes(uint64_t count) {
  return offsetof(TensorTable, entries) + count * sizeof(TensorEntry);
}

Result<TensorView> read_tensor(const TensorEntry& entry, Bytes region, uint32_t index) {
  const auto type = element_type_from(entry.type);
  if (!type || entry.rank > limits::kRank || entry.offset > region.size() ||
      entry.size > region.size() - entry.offset || entry.offset % kAlignment != 0) {
    return Error{Code::kInvalid,
                 formatted("tensor {} of the stream has an impossible type, rank or place", index)};
  }
  const Shape shape(std::span(entry.dims).first(entry.rank));
  const uint64_t size = TRY(shape.byte_size(*type));
  if (*type != ElementType::kString && size != entry.size) {
    return Error{Code::kInvalid,
                 formatted("tensor {} of the stream has {} bytes, its shape needs {}", index,
                           entry.size, size)};
  }
  return TensorView{*type, shape, region.subspan(entry.offset, entry.size)};
}

}  // namespace

uint64_t first_offset(size_t count) { return aligned(table_bytes(count)); }
uint64_t next_offset(uint64_t end) { return aligned(end); }

void write_table(std::span<const TensorView> tensors, MutableBytes region) {
  TensorTable table;
  table.count = static_cast<uint32_t>(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    TensorEntry& entry = table.entries[i];
    entry.type = static_cast<uint32_t>(tensors[i].type);
    entry.rank = tensors[i].shape.rank();
    std::ranges::copy(tensors[i].shape.dims(), entry.dims.begin());
    entry.offset = static_cast<uint64_t>(tensors[i].data.data() - region.data());
    entry.size = tensors[i].data.size();
  }
  std::ranges::copy(bytes_of(table).first(table_bytes(table.count)), region.begin());
}

Status write_tensors(std::span<const TensorView> tensors, MutableBytes region) {
  if (tensors.size() > limits::kModelPorts) {
    return Error{Code::kTooLarge, formatted("a call carries at most {} tensors, not {}",
                                            limits::kModelPorts, tensors.size())};
  }
  std::vector<TensorView> placed(tensors.begin(), tensors.end());
  uint64_t at = first_offset(tensors.size());
  for (TensorView& tensor : placed) {
    if (at > region.size() || tensor.data.size() > region.size() - at) {
      return Error{
          Code::kTooLarge,
          formatted("the tensors of one call do not fit in the {} bytes that the stream has for "
                    "it: raise request_mib in the system file",
                    region.size())};
    }
    const MutableBytes place = region.subspan(at, tensor.data.size());
    std::ranges::copy(tensor.data, place.begin());
    tensor.data = place;
    at = next_offset(at + place.size());
  }
  write_table(placed, region);
  return {};
}

Result<std::vector<TensorView>> read_tensors(Bytes region) {
  if (region.size() < table_bytes(0))
    return Error{Code::kInvalid, "the region has no room for a tensor table"};
  const auto count = load<uint32_t>(region);
  if (count > limits::kModelPorts || region.size() < table_bytes(count)) {
    return Error{Code::kInvalid,
                 formatted("the region claims {} tensors, more than it has room for", count)};
  }
  TensorTable table;
  std::ranges::copy(region.first(table_bytes(count)), mutable_bytes_of(table).begin());
  std::vector<TensorView> tensors;
  for (uint32_t i = 0; i < count; ++i)
    tensors.push_back(TRY(read_tensor(table.entries[i], region, i)));
  return tensors;
}

}  // namespace casemate::infer
