// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModelStream: a graph as the bytes of an ONNX file, a piece at a time.
//
// The bytes are those that protobuf would write for the whole model, but weights are drawn as they
// go out: a file of 575 MB takes a few megabytes of memory.
//
//   head │ graph: nodes │ initialiser: dims, name, raw_data ... │ inputs, outputs │ opset, metadata
//
//   Owns     everything but the weights, as bytes.
//   Threads  one at a time.
//   Trust    none needed.
//   Fails    with whatever the sink says, at once.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "outside/zoo/graph.h"

namespace casemate::zoo {

using Sink = std::function<Status(Bytes)>;

class ModelStream final {
 public:
  // Requires: the graph outlives the stream.
  ModelStream(const Graph& graph, uint64_t seed);

  // How many bytes write() will give to its sink.
  [[nodiscard]] uint64_t size() const;
  Status write(const Sink& sink) const;

 private:
  Status write_drawn(const Graph::Tensor& tensor, const Sink& sink) const;

  const Graph& graph_;
  uint64_t seed_;
  std::string head_;                  // of the model, and the graph's tag and length
  std::string nodes_;                 // and the graph's name
  std::vector<std::string> tensors_;  // each one's tag, length and head, up to raw_data's length
  std::string ports_;
  std::string tail_;
};

}  // namespace casemate::zoo
