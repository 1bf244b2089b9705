// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/epilogue.h"

#include <limits>

namespace casemate::engine {
namespace {

// The activation as limits and a slope, or by name; false when it is another one.
bool take(const PostOp& post, EpilogueForm& form) {
  if (const auto limits = limits_of(post)) {
    form.epilogue = *limits;
  } else if (post.op == "Tanh") {
    form.activation = Activate::kTanh;
  } else if (post.op == "Gelu") {
    form.activation = Activate::kGelu;
  } else if (post.op == "GeluTanh") {
    form.activation = Activate::kGeluTanh;
  } else {
    return false;
  }
  return true;
}

bool convolution(const Node& node) {
  return node.op == "Conv" || node.op == "casemate:SeparableConv";
}

// True when the input is a constant with one number for each column of a product.
bool row_of(const KernelRequest& request, size_t operand) {
  const Tensor* const constant = request.constant(operand);
  if (constant == nullptr || constant->shape().rank() == 0) return false;
  const Shape& result = request.output_shape();
  const int64_t columns = result.rank() == 0 ? 1 : result[result.rank() - 1];
  return constant->shape()[constant->shape().rank() - 1] == columns &&
         constant->count() == static_cast<uint64_t>(columns);
}

// A sum as what is added; false when it is another one, or there was one before.
bool take_sum(const KernelRequest& request, size_t operand, EpilogueForm& form) {
  if (!convolution(request.node) && !form.row && row_of(request, operand)) {
    form.row = operand;
    return true;
  }
  if (form.addend || request.constant(operand) != nullptr ||
      request.input_shape(operand) != request.output_shape())
    return false;
  form.addend = operand;
  return true;
}

}  // namespace

std::optional<gemm::Epilogue> limits_of(const PostOp& post) {
  gemm::Epilogue epilogue;
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
    return std::nullopt;
  }
  return epilogue;
}

std::optional<EpilogueForm> epilogue_of(const KernelRequest& request) {
  EpilogueForm form;
  bool activated = false;
  const Node& node = request.node;
  if (node.op == "Gemm" && node.input(2).present() && !take_sum(request, 2, form))
    return std::nullopt;
  for (const PostOp& post : node.post_ops) {
    if (activated) return std::nullopt;
    if (post.op != "Add") {
      if (!take(post, form)) return std::nullopt;
      activated = true;
      continue;
    }
    if (!take_sum(request, static_cast<size_t>(post.operand), form)) return std::nullopt;
  }
  return form;
}

void activate_rows(Activate activation, float* c, int64_t rows, int64_t columns, int64_t stride) {
  if (activation == Activate::kNone) return;
  const auto activate = vector_loops().activate;
  if (columns == stride) return activate(activation, c, c, rows * columns);
  for (int64_t row = 0; row < rows; ++row)
    activate(activation, c + row * stride, c + row * stride, columns);
}

}  // namespace casemate::engine
