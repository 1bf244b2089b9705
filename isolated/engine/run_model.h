// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: running a model on vectors of numbers.

#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "isolated/engine/engine.h"

namespace casemate::engine {

struct RunInput {
  Shape shape;
  std::vector<float> values;
  ElementType type = ElementType::kFloat32;
};

struct RunOutput {
  Shape shape;
  std::vector<float> values;
};

inline Bytes bytes_of_floats(const std::vector<float>& values) {
  return {static_cast<const uint8_t*>(static_cast<const void*>(values.data())),
          values.size() * sizeof(float)};
}

// A sink that holds what it is given.
class HeldOutputs final : public OutputSink {
 public:
  Result<MutableBytes> memory(size_t output, ElementType, const Shape& shape,
                              uint64_t bytes) override {
    outputs.resize(std::max(outputs.size(), output + 1));
    outputs[output] = {shape, std::vector<float>(bytes / sizeof(float))};
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(outputs[output].values.data())),
                        bytes);
  }
  std::vector<RunOutput> outputs;
};

inline Result<std::vector<RunOutput>> run(Executor& executor, const std::vector<RunInput>& inputs) {
  std::vector<TensorView> views;
  for (const RunInput& input : inputs)
    views.push_back({input.type, input.shape, bytes_of_floats(input.values)});
  HeldOutputs sink;
  TRY(executor.run(views, sink));
  return std::move(sink.outputs);
}

// Runs `child` in a fork and returns its wait status: 0 when it returned true. What uses more than
// one thread runs there: a process that has started the engine's threads cannot be forked any more.
template <class Child>
int in_child(Child child) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(child() ? 0 : 1);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

}  // namespace casemate::engine
