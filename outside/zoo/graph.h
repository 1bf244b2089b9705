// SPDX-License-Identifier: Apache-2.0
#pragma once
// Graph: an ONNX graph in the making, with recipes in the place of its weights.
//
// A value and the node that makes it have the same name; whatever adds a value returns that name.
// Weights are a shape and a Draw: they become numbers when ModelStream writes them.
//
//   Owns     the nodes, in ONNX's own protobuf classes, and the recipes.
//   Threads  one.
//   Trust    none needed: only our own architectures call it.
//   Fails    cannot; a graph that makes no sense is found by the tests, with ONNX's checker.

#include <onnx/onnx_pb.h>

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "outside/zoo/draw.h"
#include "outside/zoo/moments.h"

namespace casemate::zoo {

using Names = std::vector<std::string>;
using Extents = std::vector<int64_t>;

// One dimension of an input or output: an extent, or a symbol such as "batch".
struct Dim {
  Dim(std::integral auto value) : extent(value) {}
  Dim(const char* name) : symbol(name) {}
  int64_t extent = 0;
  std::string symbol;
};

// A node whose attributes are being set; gone with the statement that added it.
class Node final {
 public:
  explicit Node(onnx::NodeProto& proto) : proto_(proto) {}
  Node& integer(const char* name, int64_t value);
  Node& integers(const char* name, const Extents& values);
  Node& real(const char* name, float value);
  Node& text(const char* name, const char* value);
  // Another output, behind those that it has.
  Node& output(const std::string& name);

 private:
  onnx::AttributeProto& attribute(const char* name, onnx::AttributeProto::AttributeType type);
  onnx::NodeProto& proto_;
};

class Graph final {
 public:
  // An initialiser: its head, and either a recipe or, in the head, its data.
  struct Tensor {
    onnx::TensorProto head;
    bool drawn = true;
    Draw draw;
    // Not 0: integers of the head's type, in steps of so much.
    double quantum = 0;
    // Of what is drawn.
    [[nodiscard]] uint64_t data_bytes() const;
    [[nodiscard]] uint64_t elements() const;
  };

  // `paper` says where the architecture is described.
  Graph(const std::string& name, const std::string& paper);

  std::string input(const std::string& name, const std::vector<Dim>& dims,
                    int type = onnx::TensorProto::FLOAT);
  // Makes `value` an output and gives it `name`, wherever it is used.
  void output(const std::string& value, const std::string& name, const std::vector<Dim>& dims);

  // What training changes: counts as parameters.
  std::string weight(const std::string& name, const Extents& shape, const Draw& draw);
  // What training leaves behind without learning it, such as running means: does not.
  std::string statistic(const std::string& name, const Extents& shape, const Draw& draw);
  // Fixed data with a name of its own.
  std::string buffer(const std::string& name, const Extents& shape, const Extents& values);
  std::string mask(const std::string& name, const Extents& shape, const std::string& bytes);
  // Ditto, of any type.
  std::string fixed(const std::string& name, const Extents& shape, int type,
                    const std::string& bytes);
  // Takes an initialiser away.
  void drop(const std::string& name);
  // What a value's elements are expected to look like; nullptr where nobody said so.
  void expect(const std::string& value, const Moments& moments) { moments_[value] = moments; }
  [[nodiscard]] const Moments* expected(const std::string& value) const;
  // Small numbers of the architecture, as Constant nodes: scalars, lists.
  std::string scalar(const std::string& name, float value);
  std::string scalar(const std::string& name, int64_t value);
  std::string list(const std::string& name, const std::vector<float>& values);
  std::string list(const std::string& name, const Extents& values);

  // A node that makes the value `name`. Inputs that are left out are "".
  Node node(const char* op, const Names& inputs, const std::string& name);

  // Multiply-adds at the standard input.
  void count_operations(int64_t operations) { operations_ += static_cast<uint64_t>(operations); }
  // An entry of the file's metadata.
  void describe(const std::string& key, const std::string& value) { properties_[key] = value; }

  [[nodiscard]] uint64_t parameters() const { return parameters_; }
  [[nodiscard]] uint64_t operations() const { return operations_; }
  [[nodiscard]] const std::map<std::string, std::string>& properties() const { return properties_; }
  // Everything but the initialisers, which tensors() has.
  [[nodiscard]] const onnx::GraphProto& proto() const { return proto_; }
  [[nodiscard]] const std::vector<Tensor>& tensors() const { return tensors_; }
  // For who rewrites it.
  [[nodiscard]] onnx::GraphProto& edit() { return proto_; }
  [[nodiscard]] std::vector<Tensor>& tensors() { return tensors_; }

 private:
  Tensor& tensor(const std::string& name, const Extents& shape, int type);
  // A Constant node; its tensor has no dimensions yet.
  onnx::TensorProto& constant(const std::string& name, int type, std::string_view bytes);

  onnx::GraphProto proto_;
  std::vector<Tensor> tensors_;
  std::map<std::string, Moments> moments_;
  std::map<std::string, std::string> properties_;
  uint64_t parameters_ = 0;
  uint64_t operations_ = 0;
};

}  // namespace casemate::zoo
