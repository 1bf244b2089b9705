// SPDX-License-Identifier: Apache-2.0
// From graph to plan: nodes in order, a kernel for each, reordering where two kernels disagree on a
// layout, memory that dies reused.
#include <algorithm>
#include <map>

#include "base/format.h"
#include "isolated/engine/plan/arena.h"
#include "isolated/engine/plan/joins.h"
#include "isolated/engine/plan/plan.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Memory that holds one value, or several that are views of the same bytes.
struct Buffer {
  Place place;  // kind and index; the offset comes last
  uint64_t bytes = 0;
  size_t first = 0;  // steps
  size_t last = 0;
  std::vector<ValueId> values;
};

// Where a value is. A slice of a joined image begins some bytes into its buffer, and its pixels lie
// `pitch` channels apart, more than it has itself.
struct Home {
  size_t buffer = SIZE_MAX;
  Layout layout = Layout::kRowMajor;
  uint64_t skip = 0;
  int64_t pitch = 0;
};

// What a step reads or writes of a buffer; all of it where `bytes` is 0.
struct Operand {
  size_t buffer = SIZE_MAX;
  uint64_t skip = 0;
  uint64_t bytes = 0;
};

class Planner final {
 public:
  Planner(const Graph& graph, size_t variant, Layout preferred, Packer& packer, bool fixed,
          uint64_t work_bytes_max)
      : fixed_(fixed),
        work_bytes_max_(work_bytes_max),
        graph_(graph),
        uses_(graph),
        variant_(variant),
        preferred_(preferred),
        packer_(packer),
        joins_(preferred == Layout::kChannelsLast ? Joins(graph, uses_, variant) : Joins()),
        homes_(graph.value_count()),
        readers_left_(graph.value_count()) {}

  Result<Plan> make() {
    for (uint32_t i = 0; i < graph_.value_count(); ++i) {
      readers_left_[i] = uses_.readers({i}).size();
    }
    for (uint32_t i = 0; i < graph_.inputs().size(); ++i) add_input(graph_.inputs()[i], i);
    for (const Node& node : graph_.nodes()) TRY(add_node(node));
    for (uint32_t i = 0; i < graph_.outputs().size(); ++i) TRY(add_output(graph_.outputs()[i], i));
    for (const ValueId id : graph_.inputs()) {
      plan_.input_bytes.push_back(TRY(tensor_bytes(type(id), shape(id))));
      plan_.input_shapes.push_back(shape(id));
      plan_.input_types.push_back(type(id));
    }
    for (const ValueId id : graph_.outputs()) {
      plan_.output_bytes.push_back(TRY(tensor_bytes(type(id), shape(id))));
      plan_.output_shapes.push_back(shape(id));
      plan_.output_types.push_back(type(id));
    }
    add_thread_scratch();
    place();
    return std::move(plan_);
  }

 private:
  const Shape& shape(ValueId id) const { return graph_.value(id).shapes[variant_]; }
  ElementType type(ValueId id) const { return graph_.value(id).type; }

  size_t add_buffer(ValueId id, uint64_t bytes, Place::Kind kind, uint32_t index = 0) {
    const size_t now = plan_.steps.size();
    buffers_.push_back({{kind, index}, bytes, now, now, {id}});
    return buffers_.size() - 1;
  }

  void add_input(ValueId id, uint32_t index) {
    homes_[id.index] = {add_buffer(id, 0, Place::Kind::kInput, index), Layout::kRowMajor};
  }

  // True when nobody reads the buffer after the node being added, so its memory can be overwritten.
  // The caller's memory never is.
  bool dies(size_t buffer) const {
    return buffers_[buffer].place.kind == Place::Kind::kArena &&
           std::ranges::all_of(buffers_[buffer].values, [&](ValueId id) {
             return readers_left_[id.index] == 0 && !uses_.is_output(id);
           });
  }

  // True when a node reads this buffer through exactly one of its inputs.
  bool read_once(const Node& node, size_t buffer) const {
    return std::ranges::count_if(node.inputs, [&](ValueId id) {
             return id.present() && homes_[id.index].buffer == buffer;
           }) == 1;
  }

  // True when the value ends as an output of the graph, itself or through views: then it is written
  // to the caller's memory, once and as a whole, and never read back from there.
  bool leads_out(ValueId id) const {
    while (!uses_.is_output(id)) {
      const auto reader = uses_.only_reader(id);
      if (!reader || graph_.nodes()[*reader].op != "Reshape") return false;
      id = graph_.nodes()[*reader].output();
    }
    return true;
  }

  Result<std::unique_ptr<Kernel>> compile(const Node& node) {
    KernelRequest request{graph_,  node,   variant_,       {}, preferred_, std::nullopt,
                          packer_, fixed_, work_bytes_max_};
    for (const ValueId id : node.inputs) {
      request.layouts.push_back(id.present() ? homes_[id.index].layout : Layout::kRowMajor);
    }
    for (const PostOp& post : node.post_ops) {
      if (post.operand < 0) continue;
      const ValueId operand = node.inputs[static_cast<size_t>(post.operand)];
      const size_t buffer = homes_[operand.index].buffer;
      if (buffer != SIZE_MAX && homes_[operand.index].pitch == 0 && dies(buffer) &&
          read_once(node, buffer) && !leads_out(node.output())) {
        request.overwrite_operand = static_cast<size_t>(post.operand);
      }
    }
    if (node.input(0).present()) request.input_pitch = homes_[node.input(0).index].pitch;
    if (const auto slice = joins_.slice(node.output())) request.output_pitch = slice->pitch;
    return make_kernel(request);
  }

  KernelResult reorder(ValueId id, Layout from, Layout to) const {
    return (fixed_ ? make_fixed_reorder : make_reorder)(type(id), shape(id), from, to);
  }

  // The value where its pixels lie side by side.
  Result<Home> together(ValueId id) {
    const Home home = homes_[id.index];
    if (home.pitch == 0) return home;
    const auto key = std::pair(id.index, home.layout);
    if (const auto found = copies_.find(key); found != copies_.end())
      return Home{found->second, home.layout};
    auto kernel = TRY(make_pitched_copy(shape(id), home.pitch, 0));
    const uint64_t bytes = TRY(layout_bytes(type(id), shape(id), home.layout));
    const size_t copy = add_buffer(id, bytes, Place::Kind::kArena);
    add_step(formatted("gather {}", graph_.value(id).name), std::move(kernel), {operand(id)},
             {{copy}});
    copies_[key] = copy;
    return Home{copy, home.layout};
  }

  // The value's buffer in that layout, reordered if it is not; a reordered copy serves later
  // readers.
  Result<size_t> in_layout(ValueId id, Layout layout) {
    const Home home = TRY(together(id));
    if (same_placement(shape(id), home.layout, layout)) return home.buffer;
    const auto key = std::pair(id.index, layout);
    if (const auto found = copies_.find(key); found != copies_.end()) return found->second;
    auto kernel = TRY(reorder(id, home.layout, layout));
    const uint64_t bytes = TRY(layout_bytes(type(id), shape(id), layout));
    const size_t copy = add_buffer(id, bytes, Place::Kind::kArena);
    add_step(formatted("reorder {}", graph_.value(id).name), std::move(kernel), {{home.buffer}},
             {{copy}});
    return copies_[key] = copy;
  }

  // The bytes that an image at `home` lies in, from its first pixel to its last.
  static Operand extent(const Shape& image, const Home& home) {
    if (home.pitch == 0) return {home.buffer};
    const int64_t pixels = image[0] * image[2] * image[3];
    const int64_t floats = pixels == 0 ? 0 : (pixels - 1) * home.pitch + image[1];
    return {home.buffer, home.skip, static_cast<uint64_t>(floats) * sizeof(float)};
  }
  Operand operand(ValueId id) const { return extent(shape(id), homes_[id.index]); }

  // The place of a slice; with the first of them, room is made for the whole.
  Result<Home> home_in(const Slice& slice) {
    Home& whole = homes_[slice.whole.index];
    if (whole.buffer == SIZE_MAX) {
      const uint64_t bytes =
          TRY(layout_bytes(type(slice.whole), shape(slice.whole), Layout::kChannelsLast));
      whole = {add_buffer(slice.whole, bytes, Place::Kind::kArena), Layout::kChannelsLast};
    }
    return Home{whole.buffer, Layout::kChannelsLast,
                static_cast<uint64_t>(slice.offset) * sizeof(float), slice.pitch};
  }

  Status settle(ValueId id, const Slice& slice) {
    const Home home = TRY(home_in(slice));
    if (id == slice.whole) return {};
    homes_[id.index] = home;
    buffers_[home.buffer].values.push_back(id);
    return {};
  }

  // A Concat whose parts are mostly where they should be: the others are copied there.
  Status add_joined(const Node& node, const Slice& own) {
    TRY(settle(node.output(), own));
    Slice place = own;
    for (const ValueId id : node.inputs) {
      const bool there =
          joins_.slice(id) && homes_[id.index].buffer == homes_[node.output().index].buffer;
      if (!there) TRY(copy_part(node, id, place));
      place.offset += shape(id)[1];
    }
    return {};
  }

  Status copy_part(const Node& node, ValueId id, const Slice& place) {
    const Operand from = {TRY(in_layout(id, Layout::kChannelsLast))};
    add_step(formatted("{} {}", node.name, graph_.value(id).name),
             TRY(make_pitched_copy(shape(id), 0, place.pitch)), {from},
             {extent(shape(id), TRY(home_in(place)))});
    return {};
  }

  Status add_node(const Node& node) {
    for (const ValueId id : node.inputs) {
      if (id.present()) --readers_left_[id.index];
    }
    if (const auto joined = joins_.joined(node.output())) return add_joined(node, *joined);
    auto kernel = TRY(compile(node));
    const KernelNeeds& needs = kernel->needs();
    std::vector<Operand> inputs(node.inputs.size());
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (i >= needs.inputs.size() || !needs.inputs[i]) continue;
      const ValueId id = node.inputs[i];
      const bool as_it_is = i == 0 && needs.reads_pitched && homes_[id.index].pitch != 0;
      inputs[i] = as_it_is ? operand(id) : Operand{TRY(readable(id, *needs.inputs[i]))};
    }
    if (needs.view) {
      homes_[node.output().index] = {inputs[0].buffer, Layout::kRowMajor};
      buffers_[inputs[0].buffer].values.push_back(node.output());
      return {};
    }
    std::vector<Operand> outputs;
    for (size_t i = 0; i < node.outputs.size(); ++i)
      outputs.push_back(TRY(output_of(node, i, needs, inputs)));
    add_step(node.name, std::move(kernel), inputs, outputs);
    plan_.steps.back().op = node.op;
    if (node.output().present()) plan_.steps.back().work = work_of(graph_, node, variant_);
    return {};
  }

  // Memory for what a node makes, and its home from now on.
  Result<Operand> output_of(const Node& node, size_t index, const KernelNeeds& needs,
                            const std::vector<Operand>& inputs) {
    const ValueId id = node.outputs[index];
    if (!id.present()) return Operand{};
    if (index == 0 && needs.writes_pitched) {
      const auto slice = joins_.slice(id);
      CHECK(slice && needs.outputs[0] == Layout::kChannelsLast, "who leaves room was asked to");
      TRY(settle(id, *slice));
      return operand(id);
    }
    const uint64_t bytes = TRY(layout_bytes(type(id), shape(id), needs.outputs[index]));
    const size_t buffer = index == 0 ? first_output(node, needs, inputs, bytes)
                                     : add_buffer(id, bytes, Place::Kind::kArena);
    homes_[id.index] = {buffer, needs.outputs[index]};
    return Operand{buffer};
  }

  // A constant that a kernel could not pack is written out by a step of its own.
  Result<size_t> readable(ValueId id, Layout layout) {
    if (homes_[id.index].buffer == SIZE_MAX) {
      const Tensor* constant = graph_.constant(id);
      CHECK(constant != nullptr, "a value is made before it is read");
      auto writer = TRY(make_constant_writer(*constant, packer_));
      homes_[id.index] = {add_buffer(id, constant->byte_count(), Place::Kind::kArena)};
      add_step(formatted("constant {}", graph_.value(id).name), std::move(writer), {},
               {{homes_[id.index].buffer}});
    }
    return in_layout(id, layout);
  }

  // Memory for what a node makes: that of a dying input where the kernel allows it.
  size_t first_output(const Node& node, const KernelNeeds& needs,
                      const std::vector<Operand>& inputs, uint64_t bytes) {
    if (needs.overwrites) {
      const size_t buffer = inputs[*needs.overwrites].buffer;
      buffers_[buffer].values.push_back(node.output());
      return buffer;
    }
    for (const size_t i : needs.may_overwrite) {
      const size_t buffer = inputs[i].buffer;
      if (buffer != SIZE_MAX && dies(buffer) && buffers_[buffer].bytes == bytes &&
          std::ranges::count(inputs, buffer, &Operand::buffer) == 1 && !leads_out(node.output())) {
        buffers_[buffer].values.push_back(node.output());
        return buffer;
      }
    }
    return add_buffer(node.output(), bytes, Place::Kind::kArena);
  }

  void add_step(std::string name, std::unique_ptr<Kernel> kernel,
                const std::vector<Operand>& inputs, const std::vector<Operand>& outputs) {
    const size_t now = plan_.steps.size();
    for (const auto* list : {&inputs, &outputs}) {
      for (const Operand& operand : *list) {
        if (operand.buffer != SIZE_MAX) buffers_[operand.buffer].last = now;
      }
    }
    size_t scratch = SIZE_MAX;
    const KernelNeeds& needs = kernel->needs();
    if (needs.scratch_bytes > 0) {
      if (needs.scratch_of_each_thread) {
        thread_scratch_ = std::max(thread_scratch_, needs.scratch_bytes);
      } else {
        scratch = add_buffer({}, needs.scratch_bytes, Place::Kind::kArena);
      }
    }
    plan_.steps.push_back({.name = std::move(name), .kernel = std::move(kernel)});
    operands_.push_back({inputs, outputs, scratch});
  }

  // One buffer for all steps whose threads have memory of their own, in which nothing else ever is.
  void add_thread_scratch() {
    if (thread_scratch_ == 0) return;
    constexpr uint64_t kPage = 4096;
    const uint64_t stride = (thread_scratch_ + kPage - 1) / kPage * kPage;
    const size_t buffer =
        add_buffer({}, stride * static_cast<uint64_t>(thread_count()), Place::Kind::kArena);
    buffers_[buffer].first = 0;
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      if (!plan_.steps[i].kernel->needs().scratch_of_each_thread) continue;
      operands_[i].scratch = buffer;
      plan_.steps[i].scratch_stride = stride;
    }
  }

  // The output is written where the caller wants it, by the kernel that makes it if that is
  // possible.
  Status add_output(ValueId id, uint32_t index) {
    const size_t target = add_buffer(id, 0, Place::Kind::kOutput, index);
    if (const Tensor* constant = graph_.constant(id)) {
      add_step(formatted("output {}", index), TRY(make_constant_writer(*constant, packer_)), {},
               {{target}});
      return {};
    }
    const Home home = TRY(together(id));
    Buffer& buffer = buffers_[home.buffer];
    if (same_placement(shape(id), home.layout, Layout::kRowMajor) && written_once(buffer)) {
      buffer.place = buffers_[target].place;
      return {};
    }
    auto kernel = same_placement(shape(id), home.layout, Layout::kRowMajor)
                      ? make_copy(type(id), shape(id), Layout::kRowMajor)
                      : reorder(id, home.layout, Layout::kRowMajor);
    add_step(formatted("output {}", index), TRY(std::move(kernel)), {{home.buffer}}, {{target}});
    return {};
  }

  // True when one step writes the buffer and none reads it.
  bool written_once(const Buffer& buffer) const {
    return buffer.place.kind == Place::Kind::kArena && buffer.first == buffer.last &&
           leads_out(buffer.values.front());
  }

  void place() {
    std::vector<Block> blocks;
    std::vector<size_t> owners;
    for (size_t i = 0; i < buffers_.size(); ++i) {
      if (buffers_[i].place.kind != Place::Kind::kArena) continue;
      blocks.push_back({buffers_[i].bytes, buffers_[i].first, buffers_[i].last});
      owners.push_back(i);
    }
    plan_.arena_bytes = place_blocks(blocks);
    for (size_t i = 0; i < blocks.size(); ++i) buffers_[owners[i]].place.offset = blocks[i].offset;
    const auto place_of = [&](const Operand& operand) {
      if (operand.buffer == SIZE_MAX) return Place{};
      Place place = buffers_[operand.buffer].place;
      place.bytes = place.kind == Place::Kind::kInput    ? plan_.input_bytes[place.index]
                    : place.kind == Place::Kind::kOutput ? plan_.output_bytes[place.index]
                                                         : buffers_[operand.buffer].bytes;
      if (operand.bytes != 0) {
        CHECK(operand.skip + operand.bytes <= place.bytes, "a slice lies inside what is joined");
        place.offset += operand.skip;
        place.bytes = operand.bytes;
      }
      return place;
    };
    for (size_t i = 0; i < operands_.size(); ++i) {
      for (const Operand& operand : operands_[i].inputs)
        plan_.steps[i].inputs.push_back(place_of(operand));
      for (const Operand& operand : operands_[i].outputs)
        plan_.steps[i].outputs.push_back(place_of(operand));
      plan_.steps[i].scratch = place_of({operands_[i].scratch});
      check_writes(plan_.steps[i]);
      // What the plan added moves its operands and computes nothing.
      if (plan_.steps[i].op.empty()) plan_.steps[i].work.bytes = moved_bytes(plan_.steps[i]);
    }
  }

  static uint64_t moved_bytes(const Step& step) {
    uint64_t bytes = 0;
    for (const auto* list : {&step.inputs, &step.outputs}) {
      for (const Place& place : *list) bytes += place.bytes;
    }
    return bytes;
  }

  // Inputs belong to the caller. Weights have no place at all: kernels know where they lie.
  static void check_writes(const Step& step) {
    for (const Place& place : step.outputs) {
      CHECK(place.kind != Place::Kind::kInput,
            "a step writes to the arena or to the caller's outputs");
    }
    CHECK(step.scratch.kind == Place::Kind::kArena || step.scratch.kind == Place::Kind::kNone,
          "scratch memory lies in the arena");
  }

  // The buffers of one step; SIZE_MAX where there is none.
  struct Operands {
    std::vector<Operand> inputs;
    std::vector<Operand> outputs;
    size_t scratch = SIZE_MAX;
  };

  bool fixed_;
  uint64_t work_bytes_max_;
  const Graph& graph_;
  Uses uses_;
  size_t variant_;
  Layout preferred_;
  Packer& packer_;
  Joins joins_;
  Plan plan_;
  std::vector<Buffer> buffers_;
  std::vector<Home> homes_;           // by value
  std::vector<size_t> readers_left_;  // by value
  std::map<std::pair<uint32_t, Layout>, size_t> copies_;
  std::vector<Operands> operands_;  // by step
  uint64_t thread_scratch_ = 0;     // bytes, of each
};

}  // namespace

Result<Plan> make_plan(const Graph& graph, size_t variant, Layout preferred, Packer& packer,
                       bool fixed, uint64_t work_bytes_max) {
  return Planner(graph, variant, preferred, packer, fixed, work_bytes_max).make();
}

}  // namespace casemate::engine
