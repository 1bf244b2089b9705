// SPDX-License-Identifier: Apache-2.0
#pragma once
// Frame: the names that nodes can read at one place of a file, and where they come from. A subgraph
// sees the names around it: reading one makes it an input of the subgraph, a capture. The body of a
// function sees its own names alone, and attributes of the node that calls it.
//
//   Owns     its names.
//   Threads  one.
//   Trust    none in names.
//   Fails    find() yields an absent id for a name that nothing has made.

#include <map>
#include <unordered_map>

#include "isolated/engine/graph/graph.h"
#include "isolated/engine/onnx/proto.h"

namespace casemate::engine {

class Frame final {
 public:
  using Bindings = std::map<std::string, const onnx::AttributeProto*>;

  // The frame of a whole model.
  explicit Frame(Graph& graph) : graph_(graph) {}
  // That of a subgraph, which is inside `outer`.
  Frame(Graph& graph, Frame& outer)
      : graph_(graph), outer_(&outer), bindings_(outer.bindings_), depth_(outer.depth_ + 1) {}
  // That of a function body whose nodes go to the caller's graph. `call` is the name of the node
  // that calls, which says where that is. Requires: bindings live longer.
  static Frame of_function(Frame& caller, const Bindings& bindings, const std::string& call) {
    Frame frame(caller.graph_);
    frame.bindings_ = &bindings;
    frame.prefix_ = call + "/";
    frame.depth_ = caller.depth_ + 1;
    return frame;
  }

  [[nodiscard]] Graph& graph() { return graph_; }
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  // How many frames it is inside of.
  [[nodiscard]] int depth() const { return depth_; }
  // The attribute that a node of a function body refers to; none if the caller has none.
  [[nodiscard]] const onnx::AttributeProto* binding(const std::string& name) const {
    if (bindings_ == nullptr) return nullptr;
    const auto found = bindings_->find(name);
    return found == bindings_->end() ? nullptr : found->second;
  }
  [[nodiscard]] bool in_function() const { return bindings_ != nullptr; }

  // False when it stands for something in this frame already.
  bool define(const std::string& name, ValueId id) { return names_.emplace(name, id).second; }
  // Whether the name stands for something here, if only for an input that a call has left out.
  [[nodiscard]] bool knows(const std::string& name) const {
    return names_.contains(name) || (outer_ != nullptr && outer_->knows(name));
  }
  // What the name stands for in this frame's graph.
  ValueId find(const std::string& name) {
    if (const auto found = names_.find(name); found != names_.end()) return found->second;
    if (outer_ == nullptr) return {};
    const ValueId outside = outer_->find(name);
    if (!outside.present()) return {};
    ValueId inside = outside;
    if (const Tensor* constant = outer_->graph_.constant(outside)) {
      inside = graph_.add_constant(name, *constant);
    } else {
      inside = graph_.add_input({name, outer_->graph_.value(outside).type});
      captures_.push_back(outside);
    }
    names_.emplace(name, inside);
    return inside;
  }
  // Values of the outer graph that became inputs of this one, in their order.
  [[nodiscard]] const std::vector<ValueId>& captures() const { return captures_; }

 private:
  Graph& graph_;
  Frame* outer_ = nullptr;
  const Bindings* bindings_ = nullptr;
  std::string prefix_;
  int depth_ = 0;
  std::unordered_map<std::string, ValueId> names_;
  std::vector<ValueId> captures_;
};

}  // namespace casemate::engine
