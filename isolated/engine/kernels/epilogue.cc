// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/epilogue.h"

#include <limits>

namespace casemate::engine {
namespace {

// The activation as limits and a slope; false when it is another one.
bool take(const PostOp& post, gemm::Epilogue& epilogue) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (post.op == "Relu") {
    epilogue.clamped = true;
    epilogue.low = 0;
    epilogue.high = kInfinity;
  } else if (post.op == "Clip" && post.alpha <= post.beta) {
    epilogue.clamped = true;
    epilogue.low = post.alpha;
    epilogue.high = post.beta;
  } else if (post.op == "LeakyRelu") {
    epilogue.leaky = true;
    epilogue.slope = post.alpha;
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<EpilogueForm> epilogue_of(const KernelRequest& request) {
  EpilogueForm form;
  bool activated = false;
  for (const PostOp& post : request.node.post_ops) {
    if (activated) return std::nullopt;
    if (post.op != "Add") {
      if (!take(post, form.epilogue)) return std::nullopt;
      activated = true;
      continue;
    }
    const auto operand = static_cast<size_t>(post.operand);
    if (form.addend || request.constant(operand) != nullptr ||
        request.input_shape(operand) != request.output_shape())
      return std::nullopt;
    form.addend = operand;
  }
  return form;
}

}  // namespace casemate::engine
