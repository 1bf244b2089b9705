// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/scan.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/format.h"

namespace casemate::engine {
namespace {

// The messages of onnx.proto that contain messages or repeated numbers.
enum class Kind : uint8_t {
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparse,
  kValueInfo,
  kType,
  kTensorType,
  kListType,
  kMapType,
  kShape,
  kFunction,
  kTraining,
  kLeaf,  // kLeaf: its fields are text and single numbers
};

struct Field {
  Kind parent;
  uint32_t number;
  Kind child;
};

// onnx/onnx.proto of ONNX 1.17. What is not listed is text, a number, or unknown.
constexpr std::array kFields = std::to_array<Field>({
    {Kind::kModel, 7, Kind::kGraph},         {Kind::kModel, 8, Kind::kLeaf},
    {Kind::kModel, 14, Kind::kLeaf},         {Kind::kModel, 20, Kind::kTraining},
    {Kind::kModel, 25, Kind::kFunction},     {Kind::kGraph, 1, Kind::kNode},
    {Kind::kGraph, 5, Kind::kTensor},        {Kind::kGraph, 11, Kind::kValueInfo},
    {Kind::kGraph, 12, Kind::kValueInfo},    {Kind::kGraph, 13, Kind::kValueInfo},
    {Kind::kGraph, 14, Kind::kLeaf},         {Kind::kGraph, 15, Kind::kSparse},
    {Kind::kGraph, 16, Kind::kLeaf},         {Kind::kNode, 5, Kind::kAttribute},
    {Kind::kNode, 9, Kind::kLeaf},           {Kind::kAttribute, 5, Kind::kTensor},
    {Kind::kAttribute, 6, Kind::kGraph},     {Kind::kAttribute, 10, Kind::kTensor},
    {Kind::kAttribute, 11, Kind::kGraph},    {Kind::kAttribute, 14, Kind::kType},
    {Kind::kAttribute, 15, Kind::kType},     {Kind::kAttribute, 22, Kind::kSparse},
    {Kind::kAttribute, 23, Kind::kSparse},   {Kind::kTensor, 3, Kind::kLeaf},
    {Kind::kTensor, 13, Kind::kLeaf},        {Kind::kTensor, 16, Kind::kLeaf},
    {Kind::kSparse, 1, Kind::kTensor},       {Kind::kSparse, 2, Kind::kTensor},
    {Kind::kValueInfo, 2, Kind::kType},      {Kind::kValueInfo, 4, Kind::kLeaf},
    {Kind::kType, 1, Kind::kTensorType},     {Kind::kType, 4, Kind::kListType},
    {Kind::kType, 5, Kind::kMapType},        {Kind::kType, 7, Kind::kLeaf},
    {Kind::kType, 8, Kind::kTensorType},     {Kind::kType, 9, Kind::kListType},
    {Kind::kTensorType, 2, Kind::kShape},    {Kind::kListType, 1, Kind::kType},
    {Kind::kMapType, 2, Kind::kType},        {Kind::kShape, 1, Kind::kLeaf},
    {Kind::kFunction, 7, Kind::kNode},       {Kind::kFunction, 9, Kind::kLeaf},
    {Kind::kFunction, 11, Kind::kAttribute}, {Kind::kFunction, 12, Kind::kValueInfo},
    {Kind::kFunction, 14, Kind::kLeaf},      {Kind::kTraining, 1, Kind::kGraph},
    {Kind::kTraining, 2, Kind::kGraph},      {Kind::kTraining, 3, Kind::kLeaf},
    {Kind::kTraining, 4, Kind::kLeaf},
});

// Repeated integers: one byte in the file may become eight in memory, and protobuf doubles its
// arrays as they grow.
constexpr uint64_t kIntegerGrowth = 16;
// A message of onnx.proto, its pointer and its allocation: the largest, AttributeProto, has 328
// bytes.
constexpr uint64_t kMessageBytes = 400;
constexpr uint64_t kTextBytes = 64;
constexpr uint64_t kNumberBytes = 16;
// Below this, raw data is no trouble to protobuf.
constexpr uint64_t kLeftOutMin = 16 << 10;

bool integers(Kind parent, uint32_t field) {
  if (parent == Kind::kTensor) return field == 1 || field == 5 || field == 7 || field == 11;
  return (parent == Kind::kAttribute && field == 8) || (parent == Kind::kSparse && field == 3);
}

const Field* message(Kind parent, uint32_t number) {
  const auto found = std::ranges::find_if(
      kFields, [&](const Field& f) { return f.parent == parent && f.number == number; });
  return found == kFields.end() ? nullptr : &*found;
}

class Scanner final {
 public:
  Scanner(Bytes file, const ScanLimits& limits, std::vector<Initializer>* initializers)
      : file_(file), limits_(limits), initializers_(initializers) {}

  Status run() {
    stack_.push_back({Kind::kModel, file_.size(), 0});
    while (!stack_.empty()) {
      if (at_ == stack_.back().end) {
        stack_.pop_back();
      } else {
        TRY(field());
      }
      if (memory_ > limits_.memory_bytes_max) {
        return Error{Code::kTooLarge,
                     formatted("reading the model would take more than the {} bytes it is allowed: "
                               "allow it more memory",
                               limits_.memory_bytes_max)};
      }
    }
    return {};
  }

 private:
  struct Open {
    Kind kind;
    size_t end;
    size_t length_at;  // where its length is written
  };

  Error broken(std::string_view what) const {
    return {Code::kInvalid, formatted("not an ONNX file, or damaged: {} at byte {}", what, at_)};
  }

  Result<uint64_t> varint() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 70; shift += 7) {
      if (at_ == stack_.back().end) return broken("a number is cut off");
      const uint8_t byte = file_[at_++];
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return broken("a number of more than 10 bytes");
  }

  Status skip(uint64_t length) {
    if (length > stack_.back().end - at_) return broken("a field is longer than what encloses it");
    at_ += length;
    return {};
  }

  Status field() {
    field_at_ = at_;
    const uint64_t tag = TRY(varint());
    const uint64_t number = tag >> 3;
    if (number == 0 || number > 0x1FFFFFFF) return broken("an impossible field number");
    memory_ += kNumberBytes;
    switch (tag & 7) {
      case 0:
        (void)TRY(varint());
        return {};
      case 1:
        return skip(8);
      case 2:
        return part(static_cast<uint32_t>(number));
      case 5:
        return skip(4);
      default:
        return broken("a wire type that ONNX does not use");
    }
  }

  // A field with a length: a message, text, or packed numbers.
  Status part(uint32_t number) {
    const size_t length_at = at_;
    const uint64_t length = TRY(varint());
    if (length > stack_.back().end - at_) return broken("a field is longer than what encloses it");
    const Field* found = message(stack_.back().kind, number);
    if (found == nullptr) {
      note_raw(number, length);
      const uint64_t growth = integers(stack_.back().kind, number) ? kIntegerGrowth : 2;
      memory_ += kTextBytes + length * growth;
      return skip(length);
    }
    memory_ += kMessageBytes;
    if (stack_.size() >= limits_.depth_max) {
      return Error{
          Code::kTooLarge,
          formatted("subgraphs or types are nested too deep at byte {}: more than {} levels "
                    "are not supported",
                    at_, limits_.depth_max)};
    }
    stack_.push_back({found->child, at_ + length, length_at});
    if (initializers_ != nullptr && in_initializer()) {
      initializers_->push_back(
          {.tensor_length_at = length_at, .graph_length_at = stack_[1].length_at});
    }
    return {};
  }

  // A tensor of the model's graph itself, not of a subgraph or a node.
  bool in_initializer() const {
    return stack_.size() == 3 && stack_[1].kind == Kind::kGraph && stack_[2].kind == Kind::kTensor;
  }

  void note_raw(uint32_t number, uint64_t length) {
    if (initializers_ == nullptr || number != 9 || !in_initializer()) return;
    Initializer& found = initializers_->back();
    ++found.raw_count;
    found.field_at = field_at_;
    found.raw = file_.subspan(at_, length);
  }

  Bytes file_;
  ScanLimits limits_;
  std::vector<Initializer>* initializers_;
  size_t at_ = 0;
  size_t field_at_ = 0;  // where the field at hand begins
  uint64_t memory_ = 0;
  std::vector<Open> stack_;
};

// Takes `less` from the length that is written there, in as many bytes as it has. Whoever changes
// the file after the scan makes it nonsense that protobuf refuses.
void shorten(std::string& text, size_t at, uint64_t less) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  size_t width = 1;
  uint64_t length = byte(0) & 0x7F;
  for (; byte(width - 1) >= 0x80 && width < 9 && at + width < text.size(); ++width)
    length |= static_cast<uint64_t>(byte(width) & 0x7F) << (7 * width);
  length -= less;
  for (size_t i = 0; i < width; ++i, length >>= 7)
    text[at + i] = static_cast<char>((length & 0x7F) | (i + 1 < width ? 0x80 : 0));
}

}  // namespace

Outline outline_of(Bytes file, const std::vector<Initializer>& initializers) {
  Outline outline;
  outline.raw.resize(initializers.size());
  std::vector<std::pair<size_t, uint64_t>> lengths;  // where in the outline, and how much less
  size_t graph_at = SIZE_MAX;                        // the graph that lengths.front() is of
  size_t graph_entry = 0;
  size_t at = 0;
  uint64_t gone = 0;
  for (size_t i = 0; i < initializers.size(); ++i) {
    const Initializer& initializer = initializers[i];
    // Of several, protobuf takes the last: such a file is left to it.
    if (initializer.raw_count != 1 || initializer.raw.size() < kLeftOutMin) continue;
    const auto end =
        static_cast<size_t>(initializer.raw.data() - file.data()) + initializer.raw.size();
    const uint64_t size = end - initializer.field_at;
    if (initializer.graph_length_at != graph_at) {
      graph_at = initializer.graph_length_at;
      graph_entry = lengths.size();
      lengths.emplace_back(graph_at - gone, 0);
    }
    lengths[graph_entry].second += size;
    lengths.emplace_back(initializer.tensor_length_at - gone, size);
    outline.raw[i] = initializer.raw;
    outline.file += text_of(file.subspan(at, initializer.field_at - at));
    at = end;
    gone += size;
  }
  if (gone == 0) return outline;
  outline.file += text_of(file.subspan(at));
  for (const auto& [place, less] : lengths) shorten(outline.file, place, less);
  return outline;
}

Status scan_onnx(Bytes file, const ScanLimits& limits, std::vector<Initializer>* initializers) {
  // protobuf counts in int.
  if (file.size() > INT32_MAX) {
    return Error{Code::kTooLarge,
                 "the file is larger than 2 GiB: keep its weights as external data"};
  }
  if (file.empty()) return Error{Code::kInvalid, "the file is empty"};
  return Scanner(file, limits, initializers).run();
}

}  // namespace casemate::engine
