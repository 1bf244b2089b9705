// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/read.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <climits>

#include "base/format.h"
#include "isolated/engine/graph/name_text.h"
#include "isolated/engine/onnx/reader.h"
#include "isolated/engine/onnx/scan.h"

namespace casemate::engine {
namespace {

// The newest operator set whose operators mean what they did in 22, the newest that libonnx knows:
// sets 23 to 27 widened types to such as this build refuses anyway, added attributes, which are
// refused by name, and added operators (ONNX 1.18 to 1.22, release notes).
constexpr int kNewestSet = 27;
constexpr int64_t kIrMax = 13;  // what later versions of the format added, we would not see

Status parse(Bytes file, onnx::ModelProto& model) {
  // protobuf would write what it thinks of the file to stderr.
  google::protobuf::SetLogHandler(nullptr);
  google::protobuf::io::CodedInputStream stream(file.data(), static_cast<int>(file.size()));
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return Error{Code::kInvalid, "not an ONNX file, or damaged: protobuf cannot read it"};
  }
  if (!model.has_graph()) return Error{Code::kInvalid, "the file holds no graph"};
  if (!model.has_ir_version() || model.ir_version() < 1 || model.ir_version() > kIrMax) {
    return Error{Code::kUnsupported,
                 formatted("the file has format (IR) version {}, supported are 1 to {}",
                           model.ir_version(), kIrMax)};
  }
  return {};
}

Result<ReadModel> read_checked(Bytes file, const ReadOptions& options) {
  std::vector<Initializer> initializers;
  TRY(scan_onnx(file, {.memory_bytes_max = options.memory_bytes_max}, &initializers));
  const Outline outline = outline_of(file, initializers);
  onnx::ModelProto model;
  TRY(parse(outline.file.empty() ? file : bytes_of(std::string_view(outline.file)), model));
  const ExternalData external = TRY(ExternalData::make(options.directory));
  Budget budget{options.memory_bytes_max};
  const Elsewhere elsewhere{outline.raw, external, options.file_tensors};
  return Reader(model, elsewhere, budget, options.refusals).read();
}

Result<Port> tensor_port(Port port, const onnx::TypeProto::Tensor& tensor) {
  port.type = static_cast<ElementType>(tensor.elem_type());
  port.shaped = tensor.has_shape();
  for (const auto& dim : tensor.shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() < 0) {
      return Error{Code::kInvalid, formatted("'{}' is declared with the negative extent {}",
                                             name_text(port.name), dim.dim_value())};
    }
    port.dims.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
    port.symbols.push_back(dim.dim_param());
  }
  return port;
}

}  // namespace

Result<std::map<std::string, int>> versions_of(
    const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports) {
  std::map<std::string, int> versions;
  const auto known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  for (const auto& set : imports) {
    const std::string domain = set.domain() == "ai.onnx" ? "" : set.domain();
    const auto range = known.find(domain);
    const bool ours = range != known.end();
    const int newest = domain.empty() ? kNewestSet : ours ? range->second.second : INT_MAX;
    if ((ours && set.version() < 1) || set.version() > newest) {
      return Error{
          Code::kUnsupported,
          formatted("the model uses version {} of operator set '{}', supported are 1 to {}: "
                    "convert it with onnx.version_converter",
                    set.version(), name_text(domain), newest)};
    }
    if (!versions.emplace(domain, static_cast<int>(set.version())).second) {
      return Error{Code::kInvalid,
                   formatted("the model imports the operator set '{}' twice", name_text(domain))};
    }
  }
  if (imports.empty()) versions[""] = 1;
  return versions;
}

Result<Port> port_of(const onnx::ValueInfoProto& value) {
  Port port{.name = value.name()};
  const onnx::TypeProto& type = value.type();
  switch (type.value_case()) {
    case onnx::TypeProto::kTensorType:
      return tensor_port(std::move(port), type.tensor_type());
    case onnx::TypeProto::kSequenceType:
      port.kind = Port::Kind::kSequence;
      port.type =
          static_cast<ElementType>(type.sequence_type().elem_type().tensor_type().elem_type());
      return port;
    case onnx::TypeProto::kOptionalType:
      port.kind = Port::Kind::kOptional;
      port.type =
          static_cast<ElementType>(type.optional_type().elem_type().tensor_type().elem_type());
      return port;
    case onnx::TypeProto::VALUE_NOT_SET:
      return port;  // of a subgraph, where types are what they turn out to be
    default:
      port.kind = Port::Kind::kOther;
      return port;
  }
}

Result<ReadModel> read_onnx(Bytes file, const ReadOptions& options) {
  try {
    return read_checked(file, options);
  } catch (const std::bad_alloc&) {
    return Error{Code::kTooLarge, "out of memory while reading the model"};
  } catch (const std::exception& error) {
    // ONNX's checks of a node against its schema, whose words name the node, on several lines.
    std::string text = error.what();
    std::ranges::replace(text, '\n', ' ');
    return Error{Code::kInvalid, std::move(text)};
  }
}

}  // namespace casemate::engine
