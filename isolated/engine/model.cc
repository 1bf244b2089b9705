// SPDX-License-Identifier: Apache-2.0
// Model: from an ONNX file to sealed weights and compiled plans.
#include <algorithm>
#include <new>
#include <ranges>
#include <set>

#include "base/format.h"
#include "isolated/engine/describe.h"
#include "isolated/engine/graph/independence.h"
#include "isolated/engine/graph/name_text.h"
#include "isolated/engine/graph/refusals.h"
#include "isolated/engine/graph/work.h"
#include "isolated/engine/items.h"
#include "isolated/engine/kernels/generated_code.h"
#include "isolated/engine/onnx/file_tensors.h"

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

Status check_batch_sizes(const std::vector<int64_t>& sizes) {
  const auto sound = [](int64_t size) { return size >= 1 && size <= kBatchMax; };
  if (!sizes.empty() && std::ranges::all_of(sizes, sound)) return {};
  return Error{Code::kInvalid, "batch sizes to compile for must be from 1 to 2^20"};
}

Status check_options(const LoadOptions& options) {
  if (options.shapes.empty() || !options.batch_sizes.empty())
    TRY(check_batch_sizes(options.batch_sizes));
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

// For `batch` times what the graph does.
int threads_for(const Graph& graph, int64_t batch, const LoadOptions& options) {
  if (options.operations_per_thread == 0) return options.threads;
  const double useful = static_cast<double>(operation_count(graph, 0)) *
                        static_cast<double>(batch) /
                        static_cast<double>(options.operations_per_thread);
  return static_cast<int>(std::clamp(useful, 1.0, static_cast<double>(options.threads)));
}

// The extents that symbols stand for; one that is not named is 1, the smallest that makes sense.
std::function<int64_t(const std::string&)> extents(const std::map<std::string, int64_t>& named) {
  return [&named](const std::string& symbol) {
    const auto found = named.find(symbol);
    return found == named.end() ? 1 : found->second;
  };
}

// Shapes must name extents that vary in the model, which are told apart by their names alone.
Status check_shapes(const std::vector<Port>& inputs, const LoadOptions& options) {
  std::set<std::string> symbols;
  for (const Port& input : inputs) symbols.insert(input.symbols.begin(), input.symbols.end());
  symbols.erase("");
  std::string names;
  for (const std::string& symbol : symbols)
    names += formatted("{}'{}'", names.empty() ? "" : ", ", name_text(symbol));
  for (const auto& shape : options.shapes) {
    for (const auto& [name, extent] : shape) {
      if (!symbols.contains(name)) {
        return Error{Code::kInvalid,
                     formatted("the model is to be compiled for an extent '{}', which its inputs "
                               "do not have; those that vary are: {}",
                               name, names.empty() ? "none" : names)};
      }
      if (extent < 0 || extent > kBatchMax) {
        return Error{Code::kInvalid,
                     formatted("the model is to be compiled for {} as its extent '{}', which "
                               "must be from 0 to 2^20",
                               extent, name)};
      }
    }
  }
  return {};
}

// The same options, where nothing but the batch varies with all that shapes say of it.
Result<LoadOptions> settled(const ReadModel& read, const Variation& variation,
                            const LoadOptions& options) {
  TRY(check_shapes(read.inputs, options));
  LoadOptions settled = options;
  if (!variation.batched) return settled;
  for (const auto& shape : options.shapes)
    settled.batch_sizes.push_back(shape.empty() ? 1 : shape.begin()->second);
  TRY(check_batch_sizes(settled.batch_sizes));
  return settled;
}

// The shapes to compile for, the largest batch first.
std::vector<std::vector<Fact>> shapes_for(const ReadModel& read, const Variation& variation,
                                          const LoadOptions& options) {
  std::vector<std::vector<Fact>> shapes;
  if (variation.batched) {
    for (const int64_t size : import_sizes(options.batch_sizes) | std::views::reverse) {
      if (size == 1 || std::ranges::contains(options.batch_sizes, size))
        shapes.push_back(facts_of(read.inputs, [=](const std::string&) { return size; }));
    }
  }
  if (variation.any && !variation.batched) {
    for (const auto& named : options.shapes)
      shapes.push_back(facts_of(read.inputs, extents(named)));
  }
  if (!variation.any) shapes.push_back(facts_of(read.inputs, extents({})));
  return shapes;
}

// The graph for the shapes that tell what varies: two batch sizes, or all that it is compiled for.
std::vector<Graph> telling_graphs(const ReadModel& read, const Variation& variation,
                                  const LoadOptions& options, Compiler& compiler) {
  std::vector<std::vector<Fact>> shapes = shapes_for(read, variation, options);
  if (variation.batched) {
    shapes.clear();
    for (const int64_t size : {int64_t{1}, import_sizes(options.batch_sizes)[1]})
      shapes.push_back(facts_of(read.inputs, [=](const std::string&) { return size; }));
  }
  std::vector<Graph> graphs;
  for (const std::vector<Fact>& inputs : shapes) {
    auto shaped = compiler.shaped(read.graph, inputs);
    if (shaped && *shaped) graphs.push_back(**std::move(shaped));
  }
  return graphs;
}

// Both sizes as one graph, where no item of a batch can see another: the batch may be split.
std::optional<Graph> independent(const std::vector<Graph>& shaped) {
  if (shaped.size() < 2) return std::nullopt;
  const int64_t batch = shaped[1].value(shaped[1].inputs().front()).shapes.front()[0];
  auto both = as_variants(shaped[0], shaped[1], {1, batch});
  if (both && !items_independent(*both)) both.reset();
  return both;
}

// Whether a kernel stands on oneDNN's sgemm. Those with "brgemm" in their names do not, nor do our
// own, "gemm rows" and the like. To generate it takes longer than to load a small model.
bool multiplies(const Compiled& compiled) {
  return std::ranges::any_of(compiled.plan.steps, [](const Step& step) {
    std::string name = step.kernel->needs().implementation;
    if (name.starts_with("gemm ")) return false;
    for (size_t at = name.find("brgemm"); at != name.npos; at = name.find("brgemm"))
      name.erase(at, std::string_view("brgemm").size());
    return name.contains("gemm");
  });
}

}  // namespace

// Compiles for all shapes for which the model makes sense. Fails when it does for none of them.
Status Model::compile_all(Compiler& compiler, const Graph& graph,
                          const std::vector<std::vector<Fact>>& shapes,
                          const std::function<int(const std::vector<Fact>&)>& threads) {
  std::optional<Error> first_error;
  for (const std::vector<Fact>& inputs : shapes) {
    set_threads(threads(inputs));
    auto made = compiler.compile(graph, inputs);
    set_threads(threads_);
    if (made) {
      compiled_.push_back(*std::move(made));
    } else if (!first_error || inputs.front().shape == shapes.back().front().shape) {
      // What is wrong with the smallest is the most telling.
      first_error = made.error();
    }
  }
  if (compiled_.empty() && first_error) return *std::move(first_error);
  return {};
}

// One item on one thread. Its weights are those of the plan before it, where that packed them so.
Status Model::compile_item(Compiler& compiler, const Graph& graph) {
  set_threads(1);
  item_ = TRY(compiler.compile(graph, compiled_.back().inputs));
  set_threads(threads_);
  return {};
}

// The graph, for shapes that were not compiled; its constants go where the others are, or come from
// there: packed twice, a model would take twice the memory.
Status Model::keep_graph(ReadModel& read, Compiler& compiler, Packer& packer) {
  // A plan for shapes like those to come, so that its loops find their weights packed. It may not
  // make sense for such small ones; then later plans pack for themselves.
  const std::vector<Fact> inputs =
      compiled_.empty() ? facts_of(read.inputs, extents({})) : compiled_.back().inputs;
  (void)compiler.compile(read.graph, inputs, Compiler::Code::kFixed);
  std::vector<KeptConstant> constants;
  for (uint32_t i = 0; i < read.graph.value_count(); ++i) {
    std::optional<Tensor>& constant = read.graph.value({i}).constant;
    if (!constant) continue;
    const Tensor before = *constant;
    if (before.byte_count() >= kSmallConstant) constant = TRY(packer.keep(before));
    if (constant->deferred()) unpacked_bytes_ += constant->byte_count();
    constants.push_back({before, *constant});
  }
  prepared_ = std::make_unique<Prepared>();
  TRY(compiler.prepare(constants, *prepared_));
  graph_ = std::make_unique<Graph>(std::move(read.graph));
  return {};
}

Result<Model> Model::load(Bytes onnx_file, const LoadOptions& options) {
  FileTensors tensors({});
  return load(onnx_file, options, tensors);
}

Result<Model> Model::load(const Mapping& onnx_file, const LoadOptions& options) {
  FileTensors tensors([&](Bytes part) { onnx_file.release(part); });
  return load(onnx_file.bytes(), options, tensors);
}

Result<Model> Model::load(Bytes onnx_file, const LoadOptions& options, FileTensors& tensors) {
  try {
    auto model = load_checked(onnx_file, options, tensors);
    if (!model) return told(model.error());
    return model;
  } catch (const std::bad_alloc&) {
    return Error{Code::kTooLarge, "out of memory while the model was loaded: allow it more memory"};
  }
}

// What is made of the file and dies here does so before `tensors`, which find out who is left.
Result<Model> Model::load_checked(Bytes onnx_file, const LoadOptions& asked, FileTensors& tensors) {
  TRY(check_options(asked));
  ReadModel read = TRY(read_onnx(onnx_file, {.directory = asked.directory,
                                             .memory_bytes_max = asked.memory_bytes_max,
                                             .file_tensors = &tensors}));
  TRY(check_ports(read));
  const Variation variation = variation_of(read.inputs);
  const LoadOptions options = TRY(settled(read, variation, asked));
  Model model;
  model.memory_bytes_max_ = options.memory_bytes_max;
  model.weights_ = TRY(tensors::WeightStore::make(options.memory_bytes_max));
  Packer packer(model.weights_);
  Compiler compiler(packer, Compiler::Code::kGenerated, options.memory_bytes_max);
  const std::vector<Graph> shaped = telling_graphs(read, variation, options, compiler);
  model.batched_ = variation.batched;
  std::vector<std::vector<Fact>> shapes = shapes_for(read, variation, options);
  if (!shapes.empty()) model.largest_ = shapes.front();
  const auto threads = [&](const std::vector<Fact>& inputs) {
    if (shaped.empty() || inputs.empty()) return options.threads;
    return threads_for(shaped.front(), variation.batched ? inputs.front().shape[0] : 1, options);
  };
  model.threads_ = threads(model.largest_);
  const CompileThreads compiling(model.threads_);
  const auto both = variation.batched ? independent(shaped) : std::nullopt;
  const bool by_items = both && better_by_items(shaped.front(), model.threads_);
  if (by_items) shapes = {facts_of(read.inputs, [](const std::string&) { return 1; })};
  TRY(model.compile_all(compiler, read.graph, shapes, threads));
  model.description_ = std::make_unique<ModelDescription>();
  TRY(describe(read, variation, shaped, *model.description_));
  const auto alone = [](const Compiled& made) {
    return made.complete && made.inputs.front().shape[0] == 1;
  };
  model.independent_ = both && std::ranges::any_of(model.compiled_, alone);
  if (model.independent_) model.description_->batch_max = batch_max(*both);
  if (model.independent_ && by_items && model.threads_ > 1)
    TRY(model.compile_item(compiler, read.graph));
  const auto incomplete = [](const Compiled& made) { return !made.complete; };
  if ((variation.any && !model.independent_) || std::ranges::any_of(model.compiled_, incomplete)) {
    std::erase_if(model.compiled_, incomplete);
    TRY(model.keep_graph(read, compiler, packer));
  }
  const bool by_item = model.item_ && multiplies(*model.item_);
  if (by_item || std::ranges::any_of(model.compiled_, multiplies)) TRY(finish_kernels());
  return check_memory(std::move(model));
}

Result<Model> Model::check_memory(Model model) {
  const MemoryUse use = model.memory();
  const uint64_t run_bytes = use.arena_bytes + use.unpacked_bytes;
  if (run_bytes + use.weight_bytes > model.memory_bytes_max_) {
    return Error{
        Code::kTooLarge,
        formatted(
            "the model needs {} bytes for weights and {} to run, it may use {}: allow it more "
            "memory or compile for smaller batches",
            use.weight_bytes, run_bytes, model.memory_bytes_max_)};
  }
  return model;
}

MemoryUse Model::memory() const {
  MemoryUse use{.weight_bytes = weights_.used(), .unpacked_bytes = unpacked_bytes_};
  for (const Compiled& made : compiled_)
    use.arena_bytes = std::max(use.arena_bytes, made.plan.arena_bytes);
  if (item_) {
    const uint64_t sides = static_cast<uint64_t>(threads_) * side_bytes(item_->plan);
    use.arena_bytes = std::max(use.arena_bytes, sides);
  }
  return use;
}

std::vector<std::string> Model::slow_nodes() const {
  return compiled_.empty() ? std::vector<std::string>() : compiled_.front().plan.slow_steps();
}

Status Model::seal() {
  TRY(seal_generated_code());
  return weights_.seal();
}

}  // namespace casemate::engine
