// SPDX-License-Identifier: Apache-2.0
#include "outside/seal/cut.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "base/format.h"

namespace casemate::seal {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Numbers of onnx.proto's fields.
constexpr int kModelGraph = 7;
constexpr int kModelTraining = 20;
constexpr int kModelFunctions = 25;
constexpr int kTrainingInitialization = 1;
constexpr int kTrainingAlgorithm = 2;
constexpr int kFunctionAttribute = 11;
constexpr int kFunctionNode = 7;
constexpr int kGraphNode = 1;
constexpr int kGraphInitializer = 5;
constexpr int kGraphSparseInitializer = 15;
constexpr int kNodeAttribute = 5;
constexpr int kAttributeTensor = 5;
constexpr int kAttributeGraph = 6;
constexpr int kAttributeTensors = 10;
constexpr int kAttributeGraphs = 11;
constexpr int kAttributeSparseTensor = 22;
constexpr int kAttributeSparseTensors = 23;
constexpr int kSparseValues = 1;
constexpr int kSparseIndices = 2;
constexpr int kTensorRawData = 9;
constexpr int kTensorDataLocation = 14;
constexpr uint32_t kExternal = 1;

// As deep as protobuf's own parser goes.
constexpr int kDepthMax = 100;

// Walks all of a model in which a tensor can be, since any may lie in another file; only those of
// the main graph become parts.
class Cutter final {
 public:
  explicit Cutter(Bytes file) : stream_(file.data(), static_cast<int>(file.size())) {
    stream_.SetTotalBytesLimit(INT32_MAX);
  }

  bool walk_model() {
    return walk([&](int field) {
      if (field == kModelGraph) {
        has_graph_ = true;
        return graph(true);
      }
      if (field == kModelTraining) return training();
      return field == kModelFunctions ? function() : rest();
    });
  }
  [[nodiscard]] bool has_graph() const { return has_graph_; }
  [[nodiscard]] bool external() const { return external_; }
  [[nodiscard]] std::vector<sealed::Part> take() { return std::move(tensors_); }

 private:
  // Calls `visit` with the number of each field; it reads the field or leaves that to rest().
  template <class Visit>
  bool walk(Visit visit) {
    while (true) {
      tag_ = stream_.ReadTag();
      if (tag_ == 0) return stream_.ConsumedEntireMessage();
      if (!visit(WireFormatLite::GetTagFieldNumber(tag_))) return false;
    }
  }
  bool rest() { return WireFormatLite::SkipField(&stream_, tag_); }

  // A message with its length, read by `inside`.
  template <class Inside>
  bool message(Inside inside) {
    uint32_t size = 0;
    if (depth_ == kDepthMax || !has_length() || !stream_.ReadVarint32(&size) || !within(size))
      return false;
    const auto outer = stream_.PushLimit(static_cast<int>(size));
    ++depth_;
    const bool good = inside() && stream_.BytesUntilLimit() == 0;
    --depth_;
    stream_.PopLimit(outer);
    return good;
  }
  bool has_length() const {
    return WireFormatLite::GetTagWireType(tag_) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
  }

  // A limit beyond the one that stands would be no limit to protobuf's reader, and no error.
  bool within(uint32_t size) const {
    return size <= INT32_MAX && static_cast<int>(size) <= stream_.BytesUntilLimit();
  }

  bool graph(bool main) {
    return message([&] {
      return walk([&](int field) {
        if (field == kGraphNode) return node();
        if (field == kGraphInitializer) return tensor(main);
        return field == kGraphSparseInitializer ? sparse_tensor() : rest();
      });
    });
  }
  bool node() {
    return message([&] {
      return walk([&](int field) { return field == kNodeAttribute ? attribute() : rest(); });
    });
  }
  bool attribute() {
    return message([&] {
      return walk([&](int field) {
        if (field == kAttributeTensor || field == kAttributeTensors) return tensor(false);
        if (field == kAttributeGraph || field == kAttributeGraphs) return graph(false);
        const bool sparse = field == kAttributeSparseTensor || field == kAttributeSparseTensors;
        return sparse ? sparse_tensor() : rest();
      });
    });
  }
  bool function() {
    return message([&] {
      return walk([&](int field) {
        if (field == kFunctionNode) return node();
        return field == kFunctionAttribute ? attribute() : rest();
      });
    });
  }
  bool training() {
    return message([&] {
      return walk([&](int field) {
        const bool inside = field == kTrainingInitialization || field == kTrainingAlgorithm;
        return inside ? graph(false) : rest();
      });
    });
  }
  bool sparse_tensor() {
    return message([&] {
      return walk([&](int field) {
        return field == kSparseValues || field == kSparseIndices ? tensor(false) : rest();
      });
    });
  }
  bool tensor(bool part) {
    return message([&] {
      return walk([&](int field) {
        if (part && field == kTensorRawData && has_length()) return raw_data();
        if (field == kTensorDataLocation) return location();
        return rest();
      });
    });
  }
  bool raw_data() {
    uint32_t size = 0;
    if (!stream_.ReadVarint32(&size) || !within(size)) return false;
    const auto at = static_cast<uint64_t>(stream_.CurrentPosition());
    if (size >= kTensorMin && tensors_.size() + 1 < sealed::kPartsMax)
      tensors_.push_back({at, size});
    return stream_.Skip(static_cast<int>(size));
  }
  bool location() {
    uint32_t where = 0;
    if (WireFormatLite::GetTagWireType(tag_) != WireFormatLite::WIRETYPE_VARINT) return rest();
    if (!stream_.ReadVarint32(&where)) return false;
    external_ |= where == kExternal;
    return true;
  }

  CodedInputStream stream_;
  uint32_t tag_ = 0;
  int depth_ = 0;
  bool has_graph_ = false;
  bool external_ = false;
  std::vector<sealed::Part> tensors_;
};

}  // namespace

Result<std::vector<sealed::Part>> cut(Bytes onnx) {
  if (onnx.size() > sealed::kPlainMax)
    return Error{Code::kTooLarge, "an ONNX file has at most 2 GiB, protobuf's limit"};
  Cutter cutter(onnx);
  if (!cutter.walk_model() || !cutter.has_graph())
    return Error{Code::kInvalid, "not an ONNX file, or damaged: protobuf cannot read it"};
  if (cutter.external()) {
    return Error{Code::kUnsupported,
                 "some of its weights lie in other files; save the model as one file "
                 "(onnx.save with save_as_external_data=False) and seal that"};
  }
  std::vector<sealed::Part> parts = cutter.take();
  uint64_t tensors = 0;
  for (const sealed::Part& part : parts) tensors += part.bytes;
  parts.insert(parts.begin(), {0, onnx.size() - tensors});
  return parts;
}

}  // namespace casemate::seal
