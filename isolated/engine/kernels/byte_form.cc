// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/byte_form.h"

#include <algorithm>

namespace casemate::engine {
namespace {

using byte_product::Store;

Error refused(const char* why) { return {Code::kUnsupported, why}; }

bool there(const KernelRequest& request, size_t input) {
  return input != kNoInput && request.node.input(input).present();
}

// One number for all columns as one for each.
template <class T>
bool spread(std::vector<T>& values, int64_t columns) {
  if (values.size() == 1) values.resize(static_cast<size_t>(columns), values.front());
  return values.size() == static_cast<size_t>(columns);
}

// The zero points of B's columns, moved as its bytes are.
Status take_zeros(const KernelRequest& request, const ByteInputs& inputs, int64_t columns,
                  ByteForm& form) {
  std::vector<int32_t> zeros = {0};
  if (there(request, inputs.b_zero)) {
    auto given = integers_of(request, inputs.b_zero);
    if (!given || request.input_type(inputs.b_zero) != request.input_type(inputs.b))
      return refused("the zero points of its weights are computed");
    zeros = *std::move(given);
  }
  if (!spread(zeros, columns)) return refused("its weights have zero points along another axis");
  for (int32_t& zero : zeros) zero += form.signs.shift();
  if (std::ranges::any_of(zeros, [](int32_t zero) { return zero != 0; })) form.b_zeros = zeros;
  return {};
}

Status take_scales(const KernelRequest& request, const ByteInputs& inputs, int64_t columns,
                   float y_scale, ByteForm& form) {
  const auto a_scale = one_real(request, inputs.a_scale);
  const Tensor* const b_scale = request.constant(inputs.b_scale);
  if (!a_scale || b_scale == nullptr || b_scale->type() != ElementType::kFloat32)
    return refused("its scales are computed");
  const auto given = b_scale->values<float>();
  form.scales.assign(given.begin(), given.end());
  if (!spread(form.scales, columns)) return refused("its weights have scales along another axis");
  // In the order in which the operator's own function multiplies: the same bits.
  for (float& scale : form.scales) scale = *a_scale * scale / y_scale;
  return {};
}

// The limits of a result of bytes, from its zero point on, in steps of its scale.
bool take_activation(const PostOp& post, float y_scale, byte_product::Epilogue& epilogue) {
  if (post.op == "Relu") {
    epilogue.low = std::max(epilogue.low, 0.0F);
  } else if (post.op == "Clip" && post.alpha <= post.beta && y_scale > 0) {
    epilogue.low = std::max(epilogue.low, post.alpha / y_scale);
    epilogue.high = std::min(epilogue.high, post.beta / y_scale);
  } else {
    return false;
  }
  epilogue.clamped = true;
  return epilogue.low <= epilogue.high;
}

// What is added behind the product, as its node says: attributes "sum_scales" (of the product
// alone, and of what is added) and "sum_zeros".
Status take_sum(const KernelRequest& request, const PostOp& post, float y_scale, ByteForm& form) {
  const auto operand = static_cast<size_t>(post.operand);
  const std::vector<float> scales = request.node.attributes.reals("sum_scales");
  const std::vector<int64_t> zeros = request.node.attributes.integers("sum_zeros");
  if (form.addend || scales.size() != 2 || zeros.size() != 2 ||
      request.input_shape(operand) != request.output_shape() ||
      !byte_type(request.input_type(operand)) || request.constant(operand) != nullptr)
    return refused("what is added to it is no value of bytes of its shape");
  byte_product::Epilogue& epilogue = form.epilogue;
  const ByteRange range = range_of(request.output_type());
  epilogue.addend = {
      .is_signed = request.input_type(operand) == ElementType::kInt8,
      .low = static_cast<float>(range.low - zeros[0]),
      .high = static_cast<float>(range.high - zeros[0]),
      .own_scale = scales[0] / y_scale,
      .other_scale = scales[1] / y_scale,
      .shift = static_cast<float>(-zeros[1]) * (scales[1] / y_scale),
  };
  for (float& scale : form.scales) scale = scale * y_scale / scales[0];
  form.addend = operand;
  return {};
}

Status take_result(const KernelRequest& request, const ByteInputs& inputs, int64_t columns,
                   ByteForm& form) {
  const ElementType type = request.output_type();
  byte_product::Epilogue& epilogue = form.epilogue;
  if (inputs.y_scale == kNoInput) {
    epilogue.store = Store::kInt32;
    if (type != ElementType::kInt32 || !request.node.post_ops.empty())
      return refused("its result is none of 32-bit integers");
    return {};
  }
  const auto y_scale = one_real(request, inputs.y_scale);
  const auto y_zero = one_byte(request, inputs.y_zero);
  if (!y_scale || !y_zero || !byte_type(type) || request.input_type(inputs.y_zero) != type)
    return refused("the scale or zero point of its result is computed");
  TRY(take_scales(request, inputs, columns, *y_scale, form));
  const ByteRange range = range_of(type);
  epilogue.store = type == ElementType::kInt8 ? Store::kInt8 : Store::kUint8;
  epilogue.low = static_cast<float>(range.low - *y_zero);
  epilogue.high = static_cast<float>(range.high - *y_zero);
  epilogue.zero = *y_zero;
  for (const PostOp& post : request.node.post_ops) {
    if (post.op == "Add") {
      TRY(take_sum(request, post, *y_scale, form));
    } else if (!take_activation(post, *y_scale, epilogue)) {
      return refused("it is followed by an activation that bytes do not know");
    }
  }
  return {};
}

}  // namespace

std::optional<std::vector<int32_t>> integers_of(const KernelRequest& request, size_t input) {
  const Tensor* const constant = input == kNoInput ? nullptr : request.constant(input);
  if (constant == nullptr) return std::nullopt;
  const auto all = [](const auto& values) {
    return std::vector<int32_t>(values.begin(), values.end());
  };
  if (constant->type() == ElementType::kInt8) return all(constant->values<int8_t>());
  if (constant->type() == ElementType::kUint8) return all(constant->values<uint8_t>());
  if (constant->type() == ElementType::kInt32) return all(constant->values<int32_t>());
  return std::nullopt;
}

std::optional<float> one_real(const KernelRequest& request, size_t input) {
  const Tensor* const constant = input == kNoInput ? nullptr : request.constant(input);
  if (constant == nullptr || constant->type() != ElementType::kFloat32 || constant->count() != 1)
    return std::nullopt;
  return constant->values<float>()[0];
}

std::optional<int32_t> one_byte(const KernelRequest& request, size_t input) {
  if (!there(request, input) || !byte_type(request.input_type(input))) return std::nullopt;
  const auto values = integers_of(request, input);
  if (!values || values->size() != 1) return std::nullopt;
  return values->front();
}

Result<ByteForm> byte_form(const KernelRequest& request, const ByteInputs& inputs,
                           int64_t columns) {
  const ElementType a = request.input_type(inputs.a);
  const ElementType b = request.input_type(inputs.b);
  if (!byte_type(a) || !byte_type(b)) return refused("its operands are no bytes");
  ByteForm form{.signs = {.a = a == ElementType::kInt8, .b = b == ElementType::kInt8}};
  if (there(request, inputs.a_zero)) {
    const auto zero = one_byte(request, inputs.a_zero);
    if (!zero || request.input_type(inputs.a_zero) != a)
      return refused("the zero point of its left side is computed, or one of several");
    form.a_zero = *zero;
  }
  form.bias = {0};
  if (there(request, inputs.bias)) {
    auto bias = integers_of(request, inputs.bias);
    if (!bias || request.input_type(inputs.bias) != ElementType::kInt32)
      return refused("its bias is computed");
    form.bias = *std::move(bias);
  }
  if (!spread(form.bias, columns)) return refused("its bias has not one number for each column");
  TRY(take_zeros(request, inputs, columns, form));
  TRY(take_result(request, inputs, columns, form));
  return form;
}

void compensate(ByteForm& form, const int32_t* sums, int64_t depth) {
  const auto zero = static_cast<uint32_t>(form.a_zero);
  for (size_t n = 0; n < form.bias.size(); ++n) {
    auto bias = static_cast<uint32_t>(form.bias[n]);
    bias -= zero * static_cast<uint32_t>(sums[n]);
    if (!form.b_zeros.empty())
      bias += static_cast<uint32_t>(depth) * zero * static_cast<uint32_t>(form.b_zeros[n]);
    form.bias[n] = static_cast<int32_t>(bias);
  }
}

byte_product::Epilogue ByteForm::pointed() const {
  byte_product::Epilogue made = epilogue;
  made.bias = bias.data();
  if (!b_zeros.empty()) made.b_zeros = b_zeros.data();
  if (!scales.empty()) made.scales = scales.data();
  return made;
}

}  // namespace casemate::engine
