// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/loop_kernel.h"

namespace casemate::engine {

Result<LoopOperand> loop_operand(const KernelRequest& request, size_t index, KernelNeeds& needs) {
  needs.inputs.resize(request.node.inputs.size());
  if (const Tensor* constant = request.constant(index)) {
    return LoopOperand{index, TRY(request.packer.pack(*constant)).data()};
  }
  needs.inputs[index] = Layout::kRowMajor;
  return LoopOperand{index, nullptr};
}

}  // namespace casemate::engine
