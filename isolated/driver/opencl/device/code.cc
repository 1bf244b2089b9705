// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/device/code.h"

#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "isolated/engine/passes/passes.h"
#include "isolated/engine/plan/arena.h"

namespace casemate::driver {
namespace {

using engine::Graph;
using engine::Node;
using engine::ValueId;

// Nodes of one step of a run, after which it can be given up: about a hundredth of a second on a
// processor.
constexpr uint64_t kOperationsPerStep = 1ull << 28;

// The engine's rewrites whose results kernels here know.
Graph rewritten(const Graph& piece) {
  Graph graph = piece;
  engine::Derivations derivations;
  engine::remove_identities(graph);
  engine::fuse_gelu(graph);
  engine::fuse_layer_normalization(graph);
  graph.remove_dead();
  engine::turn_matmul_into_gemm(graph);
  graph.remove_dead();
  engine::unflatten_products(graph);
  engine::remove_identities(graph);
  engine::fold_padding(graph);
  engine::fold_batch_normalization(graph, derivations);
  engine::fold_channel_arithmetic(graph, derivations);
  graph.remove_dead();
  engine::fuse_post_operations(graph);
  graph.remove_dead();
  return graph;
}

uint64_t value_bytes(const Graph& graph, ValueId id) {
  const engine::Value& value = graph.value(id);
  return *engine::tensor_bytes(value.type, value.shapes.front());
}

}  // namespace

Status OpenclCode::lower(const Graph& graph) {
  nodes_.clear();
  checked_.clear();
  size_t kernels = 0;
  for (const Node& node : graph.nodes()) {
    PlannedNode& planned = nodes_.emplace_back();
    planned.recipe = TRY(recipe_of(graph, node));
    planned.first_kernel = kernels;
    for (const RecipeStep& step : planned.recipe.steps)
      kernels += std::holds_alternative<RecipeLaunch>(step) ? 1 : 0;
    if (planned.recipe.checks) checked_ += (checked_.empty() ? "'" : ", '") + node.name + "'";
  }
  return {};
}

Status OpenclCode::compile(const Graph& piece, uint64_t bytes_max) {
  Graph graph = rewritten(piece);
  if (!graph.sound() || !lower(graph)) {
    graph = piece;
    TRY(lower(graph));
  }
  TRY(place(graph));
  OwnedLane lane = TRY(hardware_->take_lane());
  TRY(learn_product_scratch(*lane));
  uint64_t needed = seat_bytes() * seats_max_;
  for (const ValueId id : graph.inputs()) needed += value_bytes(graph, id);
  for (const ValueId id : graph.outputs()) needed += value_bytes(graph, id);
  for (uint32_t i = 0; i < graph.value_count(); ++i) {
    if (const engine::Tensor* constant = graph.constant({i})) needed += constant->byte_count();
  }
  if (needed > bytes_max) {
    return Error{Code::kUnavailable,
                 formatted("the piece needs {} bytes to be compiled, the device "
                           "has {} left: free buffers or programs",
                           needed, bytes_max)};
  }
  TRY(upload(graph, *lane));
  TRY(warm(graph, *lane));
  hardware_->give_lane(std::move(lane));
  return {};
}

// Values of one memory have one root: what is only reshaped is where it was.
Status OpenclCode::place(const Graph& graph) {
  root_.resize(graph.value_count());
  std::iota(root_.begin(), root_.end(), 0U);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (nodes_[i].recipe.same_bytes) root_[node.output().index] = root_[node.inputs[0].index];
  }
  inputs_.clear();
  for (const ValueId id : graph.inputs()) inputs_.push_back(id.index);
  place_outputs(graph);
  place_arena(graph);
  return {};
}

// An output is made where it belongs; one that is an input, a constant or another output is copied
// there at the end.
void OpenclCode::place_outputs(const Graph& graph) {
  std::vector<bool> made(graph.value_count());
  for (const Node& node : graph.nodes()) {
    for (const ValueId id : node.outputs) {
      if (id.present()) made[id.index] = true;
    }
  }
  outputs_.clear();
  slots_ = graph.value_count();
  PlannedNode copies;
  for (const ValueId id : graph.outputs()) {
    const uint32_t root = root_[id.index];
    if (made[root] && !std::ranges::contains(outputs_, root)) {
      outputs_.push_back(root);
      continue;
    }
    const auto slot = static_cast<uint32_t>(slots_++);
    copies.recipe.steps.emplace_back(
        RecipeCopy{ValueId{root}, ValueId{slot}, value_bytes(graph, id)});
    outputs_.push_back(slot);
  }
  if (!copies.recipe.steps.empty()) nodes_.push_back(std::move(copies));
}

void OpenclCode::place_arena(const Graph& graph) {
  const uint64_t alignment = hardware_->alignment();
  std::vector<engine::Block> blocks;
  std::vector<size_t> block_of(graph.value_count(), SIZE_MAX);
  blocks_.clear();
  // The engine's arena counts in lines of its own: one of them stands for an alignment of ours.
  const auto add = [&](ValueId value, uint64_t bytes, size_t node) {
    const uint64_t lines = std::max<uint64_t>((bytes + alignment - 1) / alignment, 1);
    blocks.push_back({.bytes = lines * engine::kArenaAlignment, .first = node, .last = node});
    blocks_.push_back({.value = value, .node = node, .bytes = lines * alignment});
  };
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    for (const ValueId id : node.inputs) {
      if (id.present() && block_of[root_[id.index]] != SIZE_MAX)
        blocks[block_of[root_[id.index]]].last = i;
    }
    for (const ValueId id : node.outputs) {
      if (!id.present() || root_[id.index] != id.index || std::ranges::contains(outputs_, id.index))
        continue;
      block_of[id.index] = blocks.size();
      add(id, value_bytes(graph, id), i);
    }
    if (nodes_[i].recipe.scratch_bytes > 0) add({}, nodes_[i].recipe.scratch_bytes, i);
  }
  arena_bytes_ = engine::place_blocks(blocks) / engine::kArenaAlignment * alignment;
  for (size_t i = 0; i < blocks.size(); ++i)
    blocks_[i].offset = blocks[i].offset / engine::kArenaAlignment * alignment;
}

Status OpenclCode::learn_product_scratch(cl_command_queue lane) {
  for (const PlannedNode& node : nodes_) {
    for (const RecipeStep& step : node.recipe.steps) {
      if (const auto* product = std::get_if<RecipeProduct>(&step)) {
        product_scratch_bytes_ =
            std::max(product_scratch_bytes_, TRY(scratch_bytes_of(lane, *product)));
      }
    }
  }
  return {};
}

Status OpenclCode::upload(const Graph& graph, cl_command_queue lane) {
  for (uint32_t i = 0; i < graph.value_count(); ++i) {
    const engine::Tensor* constant = graph.constant({i});
    if (constant == nullptr || constant->type() == ElementType::kString) continue;
    const Bytes bytes = constant->bytes();
    auto buffer = TRY(hardware_->make_buffer(bytes.size()));
    if (!bytes.empty()) {
      TRY(opencl_did("writing constants",
                     clEnqueueWriteBuffer(lane, *buffer, CL_TRUE, 0, bytes.size(), bytes.data(), 0,
                                          nullptr, nullptr)));
    }
    constant_bytes_ += bytes.size();
    constants_.emplace_back(i, std::move(buffer));
  }
  return {};
}

uint64_t OpenclCode::seat_bytes() const {
  return arena_bytes_ + product_scratch_bytes_ + sizeof(cl_int);
}

uint64_t OpenclCode::bytes() const { return constant_bytes_ + seat_bytes() * seats_max_; }

Result<std::unique_ptr<OpenclCode::Seat>> OpenclCode::make_seat() {
  auto seat = std::make_unique<Seat>();
  seat->arena = TRY(hardware_->make_buffer(arena_bytes_));
  seat->product_scratch = TRY(hardware_->make_buffer(product_scratch_bytes_));
  seat->flag = TRY(hardware_->make_buffer(sizeof(cl_int)));
  seat->bound.values.resize(slots_);
  seat->bound.product_scratch = *seat->product_scratch;
  seat->bound.flag = *seat->flag;
  seat->node_scratch.resize(nodes_.size());
  for (const auto& [value, buffer] : constants_) seat->bound.values[value] = *buffer;
  for (const PlacedBlock& block : blocks_) {
    seat->parts.push_back(TRY(hardware_->make_part(*seat->arena, block.offset, block.bytes)));
    const cl_mem part = *seat->parts.back();
    (block.value.present() ? seat->bound.values[block.value.index]
                           : seat->node_scratch[block.node]) = part;
  }
  for (const PlannedNode& node : nodes_) {
    for (const RecipeStep& step : node.recipe.steps) {
      if (const auto* launch = std::get_if<RecipeLaunch>(&step))
        seat->kernels.push_back(TRY(hardware_->make_kernel(*launch)));
    }
  }
  return seat;
}

Result<std::unique_ptr<OpenclCode::Seat>> OpenclCode::take() {
  {
    const std::lock_guard held(lock_);
    if (!idle_.empty()) {
      auto seat = std::move(idle_.back());
      idle_.pop_back();
      return seat;
    }
  }
  return make_seat();
}

void OpenclCode::give_back(std::unique_ptr<Seat> seat) {
  const std::lock_guard held(lock_);
  idle_.push_back(std::move(seat));
}

void OpenclCode::bind(Seat& seat, std::span<const cl_mem> inputs,
                      std::span<const cl_mem> outputs) const {
  std::vector<cl_mem>& values = seat.bound.values;
  for (size_t i = 0; i < inputs.size(); ++i) values[inputs_[i]] = inputs[i];
  for (size_t i = 0; i < outputs.size(); ++i) values[outputs_[i]] = outputs[i];
  for (uint32_t i = 0; i < root_.size(); ++i) values[i] = values[root_[i]];
}

Result<size_t> OpenclCode::run(cl_command_queue lane, Seat& seat, size_t begin) const {
  constexpr cl_int kNone = 0;
  cl_int flag = kNone;
  if (begin == 0 && !checked_.empty()) {
    TRY(opencl_did("clearing a flag", clEnqueueFillBuffer(lane, *seat.flag, &kNone, sizeof kNone, 0,
                                                          sizeof kNone, 0, nullptr, nullptr)));
  }
  uint64_t operations = 0;
  size_t at = begin;
  for (; at < nodes_.size() && operations < kOperationsPerStep; ++at) {
    const PlannedNode& node = nodes_[at];
    operations += node.recipe.operations;
    seat.bound.scratch = seat.node_scratch[at];
    size_t kernel = node.first_kernel;
    for (const RecipeStep& step : node.recipe.steps) {
      if (const auto* launch = std::get_if<RecipeLaunch>(&step)) {
        TRY(enqueue(lane, *seat.kernels[kernel++], *launch, seat.bound));
      } else if (const auto* product = std::get_if<RecipeProduct>(&step)) {
        TRY(enqueue(lane, *product, seat.bound));
      } else {
        TRY(enqueue(lane, std::get<RecipeCopy>(step), seat.bound));
      }
    }
  }
  TRY(Hardware::finish(lane));
  if (at < nodes_.size() || checked_.empty()) return at;
  TRY(opencl_did("reading a flag", clEnqueueReadBuffer(lane, *seat.flag, CL_TRUE, 0, sizeof flag,
                                                       &flag, 0, nullptr, nullptr)));
  if (flag == kNone) return at;
  return Error{Code::kInvalid, formatted("an index is outside of its axis in {}", checked_)};
}

Status OpenclCode::warm(const Graph& graph, cl_command_queue lane) {
  std::vector<OwnedBuffer> held;
  std::vector<cl_mem> inputs;
  std::vector<cl_mem> outputs;
  for (const bool out : {false, true}) {
    for (const ValueId id : out ? graph.outputs() : graph.inputs()) {
      const uint64_t bytes = value_bytes(graph, id);
      held.push_back(TRY(hardware_->make_buffer(bytes)));
      (out ? outputs : inputs).push_back(*held.back());
      constexpr cl_uchar kZero = 0;
      if (bytes == 0) continue;
      TRY(opencl_did("clearing memory", clEnqueueFillBuffer(lane, *held.back(), &kZero, 1, 0, bytes,
                                                            0, nullptr, nullptr)));
    }
  }
  auto seat = TRY(make_seat());
  bind(*seat, inputs, outputs);
  for (size_t at = 0; at < nodes_.size();) at = TRY(run(lane, *seat, at));
  give_back(std::move(seat));
  return {};
}

}  // namespace casemate::driver
