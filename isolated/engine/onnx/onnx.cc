// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/onnx.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "isolated/engine/onnx/admit.h"
#include "isolated/engine/onnx/lower.h"
#include "isolated/engine/onnx/scan.h"

namespace casemate::engine {
namespace {

Status parse(Bytes file, onnx::ModelProto& model) {
  // protobuf would write what it thinks of the file to stderr.
  google::protobuf::SetLogHandler(nullptr);
  google::protobuf::io::CodedInputStream stream(file.data(), static_cast<int>(file.size()));
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return Error{Code::kInvalid, "not an ONNX file, or damaged: protobuf cannot read it"};
  }
  return {};
}

Result<Imported> import_checked(Bytes file, const ImportOptions& options) {
  TRY(scan_onnx(file, {.memory_bytes_max = options.memory_bytes_max}));
  onnx::ModelProto model;
  TRY(parse(file, model));
  const ExternalData external = TRY(ExternalData::make(options.directory));
  Budget budget{options.memory_bytes_max};
  const int opset = TRY(admit(model, external, budget));
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const auto& entry : model.metadata_props())
    metadata.emplace_back(entry.key(), entry.value());
  Inferred inferred =
      TRY(infer_shapes(model, opset, options.batch_sizes, options.memory_bytes_max));
  const bool batched = inferred.batched;
  Graph graph = TRY(Lowering(std::move(inferred), opset).lower(*model.mutable_graph()));
  graph.remove_dead();
  TRY(graph.sound());
  return Imported{std::move(graph), batched, std::move(metadata)};
}

}  // namespace

Result<Imported> import_onnx(Bytes file, const ImportOptions& options) {
  CHECK(!options.batch_sizes.empty(), "a model is imported for at least one batch size");
  try {
    return import_checked(file, options);
  } catch (const std::bad_alloc&) {
    return Error{Code::kTooLarge, "out of memory while reading the model"};
  } catch (const std::exception& error) {
    // ONNX's checker, whose words name the node, on several lines.
    std::string text = error.what();
    std::ranges::replace(text, '\n', ' ');
    return Error{Code::kInvalid, std::move(text)};
  }
}

}  // namespace casemate::engine
