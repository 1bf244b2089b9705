// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/plan/joins.h"

#include <algorithm>

namespace casemate::engine {
namespace {

constexpr std::string_view kSeparable = "casemate:SeparableConv";

bool image(const Graph& graph, ValueId id, size_t variant) {
  const Value& value = graph.value(id);
  return value.type == ElementType::kFloat32 && !value.constant &&
         value.shapes[variant].rank() == 4;
}

bool of_single_pixels(const Node& node) {
  const auto all = [&](std::string_view name, int64_t wanted) {
    return std::ranges::all_of(node.attributes.integers(name),
                               [&](int64_t value) { return value == wanted; });
  };
  return all("kernel_shape", 1) && all("strides", 1) && all("pads", 0);
}

// Whether a kernel of ours may leave room behind each pixel of what the node makes.
bool leaves_room(const Node& node) {
  return node.op == kSeparable ||
         (node.op == "Conv" && !node.raw && node.attributes.integer("group", 1) == 1);
}

// Whether a kernel of ours may read the node's first input where there is room behind each pixel.
bool reads_with_room(const Node& node) {
  return node.op == kSeparable || (node.op == "Conv" && !node.raw && of_single_pixels(node));
}

// What nobody would read so often: looking at all readers of all values would take too long.
constexpr size_t kReadersMax = 64;

class Finder final {
 public:
  Finder(const Graph& graph, const Uses& uses, size_t variant)
      : graph_(graph), uses_(uses), variant_(variant), joins_(graph.value_count()) {
    for (const Node& node : graph.nodes()) {
      if (node.op == "Concat" && node.output().present()) joins_[node.output().index] = joins(node);
    }
  }

  [[nodiscard]] bool found(const Node& node) const {
    return node.output().present() && joins_[node.output().index];
  }

  [[nodiscard]] int64_t channels(ValueId id) const { return graph_.value(id).shapes[variant_][1]; }

  // Whether the value may be made as a part of what the Concat makes: its maker can leave room, and
  // all who read it besides can do with that.
  [[nodiscard]] bool has_place(const Node& concat, ValueId id) const {
    const auto maker = uses_.maker(id);
    const std::vector<size_t>& readers = uses_.readers(id);
    if (!maker || readers.size() > kReadersMax || leads_out(id)) return false;
    if (!joins_[id.index] && !leaves_room(graph_.nodes()[*maker])) return false;
    size_t times = 0;
    return std::ranges::all_of(readers, [&](size_t index) {
      const Node& reader = graph_.nodes()[index];
      if (reader.outputs == concat.outputs) return ++times == 1;
      return reads_with_room(reader) && reader.inputs[0] == id &&
             std::ranges::count(reader.inputs, id) == 1;
    });
  }

 private:
  bool joins(const Node& node) const {
    const ValueId made = node.output();
    return node.attributes.integer("axis", 0) == 1 && image(graph_, made, variant_) &&
           uses_.readers(made).size() <= kReadersMax && !leads_out(made) &&
           std::ranges::all_of(node.inputs,
                               [&](ValueId id) { return image(graph_, id, variant_); }) &&
           std::ranges::any_of(node.inputs, [&](ValueId id) { return has_place(node, id); });
  }

  // An output of the graph, itself or through views, is written to the caller's memory as a whole.
  bool leads_out(ValueId id) const {
    if (uses_.is_output(id)) return true;
    return std::ranges::any_of(uses_.readers(id), [&](size_t reader) {
      const Node& node = graph_.nodes()[reader];
      return node.op == "Reshape" && uses_.is_output(node.output());
    });
  }

  const Graph& graph_;
  const Uses& uses_;
  size_t variant_;
  std::vector<bool> joins_;  // by value: made by a Concat of which at least one part has its place
};

}  // namespace

// Backwards, so that where a Concat's result lies is known before its parts are placed in it.
Joins::Joins(const Graph& graph, const Uses& uses, size_t variant)
    : slices_(graph.value_count()), joined_(graph.value_count()) {
  const Finder finder(graph, uses, variant);
  for (size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    if (!finder.found(node)) continue;
    const ValueId made = node.output();
    const Slice own = slices_[made.index].value_or(Slice{made, 0, finder.channels(made)});
    joined_[made.index] = own;
    int64_t offset = own.offset;
    for (const ValueId id : node.inputs) {
      if (finder.has_place(node, id)) slices_[id.index] = Slice{own.whole, offset, own.pitch};
      offset += finder.channels(id);
    }
  }
}

std::optional<Slice> Joins::slice(ValueId id) const {
  return id.index < slices_.size() ? slices_[id.index] : std::nullopt;
}

std::optional<Slice> Joins::joined(ValueId id) const {
  return id.index < joined_.size() ? joined_[id.index] : std::nullopt;
}

}  // namespace casemate::engine
