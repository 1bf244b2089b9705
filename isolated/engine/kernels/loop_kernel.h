// SPDX-License-Identifier: Apache-2.0
#pragma once
// LoopKernel: a plain loop of our own as a Kernel. Included only by sources of this folder.

#include <functional>

#include "isolated/engine/kernels/registry.h"

namespace casemate::engine {

class LoopKernel final : public Kernel {
 public:
  using Loop = std::function<void(const KernelArguments&)>;
  LoopKernel(KernelNeeds needs, Loop loop) : Kernel(std::move(needs)), loop_(std::move(loop)) {}
  Status run(const KernelArguments& arguments) const override {
    loop_(arguments);
    return {};
  }

 private:
  Loop loop_;
};

inline KernelResult loop_kernel(KernelNeeds needs, LoopKernel::Loop loop) {
  if (needs.implementation.empty()) needs.implementation = "loop";
  return std::make_unique<LoopKernel>(std::move(needs), std::move(loop));
}

// Memory of a tensor as its elements.
template <class T>
T* elements(uint8_t* data) {
  return static_cast<T*>(static_cast<void*>(data));
}
template <class T>
const T* elements(const uint8_t* data) {
  return static_cast<const T*>(static_cast<const void*>(data));
}

// One operand of a loop: a constant that was packed, or the node's input of that index.
struct LoopOperand {
  size_t index;
  const uint8_t* packed;
  [[nodiscard]] const uint8_t* data(const KernelArguments& arguments) const {
    return packed != nullptr ? packed : arguments.inputs[index];
  }
};

// The operand at that index, read row-major; a constant is packed, for anything else `needs` asks.
Result<LoopOperand> loop_operand(const KernelRequest& request, size_t index, KernelNeeds& needs);

}  // namespace casemate::engine
