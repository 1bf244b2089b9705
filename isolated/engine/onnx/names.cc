// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/names.h"

#include <map>
#include <set>

namespace casemate::engine {
namespace {

using Makers = std::map<std::string, int>;  // value to the node that makes it
using Names = std::set<std::string>;

Result<Names> sources(const onnx::GraphProto& graph) {
  Names inputs;
  for (const auto& input : graph.input()) {
    if (input.name().empty()) return Error{Code::kInvalid, "an input of the model has no name"};
    if (!inputs.insert(input.name()).second) {
      return Error{Code::kInvalid,
                   std::format("the model has two inputs named '{}'", input.name())};
    }
  }
  Names initializers;
  for (const auto& tensor : graph.initializer()) {
    if (tensor.name().empty()) return Error{Code::kInvalid, "an initializer has no name"};
    if (!initializers.insert(tensor.name()).second) {
      return Error{Code::kInvalid,
                   std::format("the model has two initializers named '{}'", tensor.name())};
    }
  }
  inputs.merge(initializers);
  return inputs;
}

Result<Makers> makers(const onnx::GraphProto& graph, const Names& known) {
  Makers made;
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& name : graph.node(i).output()) {
      if (name.empty()) continue;
      if (known.contains(name)) {
        return invalid(
            graph.node(i),
            std::format("makes '{}', which is an input or initializer of the model", name));
      }
      if (!made.emplace(name, i).second) {
        return invalid(graph.node(i),
                       std::format("makes '{}', which another node makes too", name));
      }
    }
  }
  return made;
}

}  // namespace

Status check_names(const onnx::GraphProto& graph) {
  const Names known = TRY(sources(graph));
  const Makers made = TRY(makers(graph, known));
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& name : graph.node(i).input()) {
      if (name.empty() || known.contains(name)) continue;
      const auto maker = made.find(name);
      if (maker == made.end()) {
        return invalid(graph.node(i), std::format("reads '{}', which nothing makes", name));
      }
      if (maker->second >= i) {
        return invalid(
            graph.node(i),
            std::format("reads '{}', which is made later by {}: the graph has a cycle, or its "
                        "nodes are not in the order in which they run",
                        name, place_of(graph.node(maker->second))));
      }
    }
  }
  if (graph.output_size() == 0) return Error{Code::kInvalid, "the model has no output"};
  Names outputs;
  for (const auto& output : graph.output()) {
    if (!known.contains(output.name()) && !made.contains(output.name())) {
      return Error{Code::kInvalid,
                   std::format("output '{}' of the model is made by no node", output.name())};
    }
    if (!outputs.insert(output.name()).second) {
      return Error{Code::kInvalid,
                   std::format("the model has two outputs named '{}'", output.name())};
    }
  }
  return {};
}

}  // namespace casemate::engine
