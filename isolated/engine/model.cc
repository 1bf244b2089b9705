// SPDX-License-Identifier: Apache-2.0
// Model: from an ONNX file to sealed weights and compiled plans.
#include <algorithm>
#include <format>
#include <ranges>

#include "isolated/engine/engine.h"
#include "isolated/engine/graph/independence.h"
#include "isolated/engine/graph/work.h"
#include "isolated/engine/kernels/generated_code.h"
#include "isolated/engine/onnx/onnx.h"
#include "isolated/engine/passes/passes.h"

namespace casemate::engine {
namespace {

// Sets the number of threads that kernels are compiled for, and takes it back: what runs in this
// process afterwards stays on one thread.
class CompileThreads final {
 public:
  explicit CompileThreads(int count) { set_threads(count); }
  ~CompileThreads() { set_threads(1); }
  CompileThreads(const CompileThreads&) = delete;
  CompileThreads& operator=(const CompileThreads&) = delete;
};

Status check_options(const LoadOptions& options) {
  const auto sound = [](int64_t size) { return size >= 1 && size <= kBatchMax; };
  if (options.batch_sizes.empty() || !std::ranges::all_of(options.batch_sizes, sound)) {
    return Error{Code::kInvalid, "batch sizes to compile for must be from 1 to 2^20"};
  }
  if (options.threads < 1 || options.threads > 1024) {
    return Error{Code::kInvalid, "a model is compiled for 1 to 1024 threads"};
  }
  return {};
}

// The sizes to import for: with 1, so that any batch can be made up of them, and at least two, so
// that it can be proven that the batch goes through the graph unchanged.
std::vector<int64_t> import_sizes(const std::vector<int64_t>& wanted) {
  std::vector<int64_t> sizes = wanted;
  sizes.push_back(1);
  std::ranges::sort(sizes);
  const auto repeated = std::ranges::unique(sizes);
  sizes.erase(repeated.begin(), repeated.end());
  if (sizes.size() == 1) sizes.push_back(2);
  return sizes;
}

struct Ports {
  const Graph& graph;
  const std::vector<ValueId>& values;
  bool varying;  // there are variants to differ
};

Status describe_ports(const Ports& ports, uint32_t& count,
                      std::array<PortDescription, limits::kModelPorts>& list,
                      std::string_view kind) {
  if (ports.values.size() > list.size()) {
    return Error{Code::kTooLarge, std::format("the model has {} {}s, supported are at most {}",
                                              ports.values.size(), kind, list.size())};
  }
  count = 0;
  for (const ValueId id : ports.values) {
    const Value& value = ports.graph.value(id);
    PortDescription& port = list[count++];
    port.name = Text<128>::from(value.name);
    port.type = static_cast<uint32_t>(value.type);
    const Shape& shape = value.shapes.front();
    port.rank = shape.rank();
    std::ranges::copy(shape.dims(), port.dims.begin());
    for (const Shape& other : ports.varying ? std::span(value.shapes) : std::span<const Shape>()) {
      CHECK(other.rank() == shape.rank(), "the importer keeps no variant of another rank");
      for (uint32_t i = 0; i < shape.rank(); ++i) {
        if (other[i] != shape[i]) port.dims[i] = -1;
      }
    }
    if (port.name.view() != value.name || !port.sound()) {
      return Error{
          Code::kUnsupported,
          std::format("the name of {} '{}' is empty or longer than 127 bytes", kind, value.name)};
    }
  }
  return {};
}

void describe_metadata(std::vector<std::pair<std::string, std::string>> entries,
                       ModelDescription& description) {
  // Those meant for our clients first; what does not fit is left out.
  std::ranges::stable_partition(
      entries, [](const auto& entry) { return entry.first.starts_with("casemate."); });
  for (const auto& [key, value] : entries) {
    if (description.metadata_count == ModelDescription::kMetadata) return;
    const MetadataEntry entry{Text<64>::from(key), Text<192>::from(value)};
    if (entry.key.view() != key || entry.value.view() != value) continue;
    description.metadata[description.metadata_count++] = entry;
  }
}

// The largest batch whose inputs and outputs each stay below the limit for one tensor; 0 when an
// output has several rows for an item. Requires: items_independent(), a first variant of one item.
uint32_t batch_max(const Graph& graph) {
  uint64_t most = kBatchMax;
  for (const auto* list : {&graph.inputs(), &graph.outputs()}) {
    for (const ValueId id : *list) {
      if (graph.value(id).shapes.front()[0] != 1) return 0;
      const auto bytes = graph.value(id).shapes.front().byte_size(graph.value(id).type);
      if (!bytes) return 0;
      most = std::min(most, limits::kTensorBytes / std::max<uint64_t>(*bytes, 1));
    }
  }
  return static_cast<uint32_t>(most);
}

int threads_for(const Graph& graph, const LoadOptions& options) {
  if (options.operations_per_thread == 0) return options.threads;
  const uint64_t useful = operation_count(graph, 0) / options.operations_per_thread;
  return static_cast<int>(std::clamp<uint64_t>(useful, 1, static_cast<uint64_t>(options.threads)));
}

}  // namespace

Result<Model> Model::load(Bytes onnx_file, const LoadOptions& options) {
  TRY(check_options(options));
  Imported imported =
      TRY(import_onnx(onnx_file, {.directory = options.directory,
                                  .memory_bytes_max = options.memory_bytes_max,
                                  .batch_sizes = import_sizes(options.batch_sizes)}));
  Graph& graph = imported.graph;
  Model model;
  const bool varying = imported.batched && graph.variant_count() > 1;
  model.independent_ = varying && graph.batch_sizes().front() == 1 && items_independent(graph);

  model.description_ = std::make_unique<ModelDescription>();
  ModelDescription& description = *model.description_;
  TRY(describe_ports({graph, graph.inputs(), varying}, description.input_count, description.inputs,
                     "input"));
  TRY(describe_ports({graph, graph.outputs(), varying}, description.output_count,
                     description.outputs, "output"));
  describe_metadata(std::move(imported.metadata), description);
  if (model.independent_) description.batch_max = batch_max(graph);
  TRY(optimize(graph));

  model.weights_ = TRY(tensors::WeightStore::make(options.memory_bytes_max));
  Packer packer(model.weights_);
  model.threads_ = threads_for(graph, options);
  const CompileThreads threads(model.threads_);
  const Layout preferred = preferred_layout(graph);
  for (size_t variant = graph.variant_count(); variant-- > 0;) {
    const int64_t batch = graph.batch_sizes()[variant];
    const bool wanted = !varying || batch == 1 || std::ranges::contains(options.batch_sizes, batch);
    if (wanted) model.plans_.push_back(TRY(make_plan(graph, variant, preferred, packer)));
  }
  TRY(finish_kernels());
  const MemoryUse use = model.memory();
  if (use.arena_bytes + use.weight_bytes > options.memory_bytes_max) {
    return Error{
        Code::kTooLarge,
        std::format(
            "the model needs {} bytes for weights and {} to run, it may use {}: allow it more "
            "memory or compile for smaller batches",
            use.weight_bytes, use.arena_bytes, options.memory_bytes_max)};
  }
  return model;
}

MemoryUse Model::memory() const {
  MemoryUse use{.weight_bytes = weights_.used()};
  for (const Plan& plan : plans_) use.arena_bytes = std::max(use.arena_bytes, plan.arena_bytes);
  return use;
}

std::vector<std::string> Model::slow_nodes() const { return plans_.front().slow_steps(); }

Status Model::seal() {
  TRY(seal_generated_code());
  return weights_.seal();
}

}  // namespace casemate::engine
