// SPDX-License-Identifier: Apache-2.0
// Products of rows of bytes by constant matrices: QLinearMatMul, MatMulInteger, and what passes
// make: casemate:QLinearGemm, with the operands of QLinearMatMul and a bias, and
// casemate:DynamicGemm, whose left side is quantised by what it holds and whose result is real.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/byte_rows.h"
#include "isolated/engine/kernels/epilogue.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

struct Sizes {
  int64_t rows, depth, columns;
  bool transposed;  // the constant is [columns, depth]
};

// A of any rank as rows, B as one matrix.
Result<Sizes> sizes_of(const KernelRequest& request, size_t b) {
  const Shape& left = request.input_shape(0);
  const Shape& right = request.input_shape(b);
  const bool transposed = request.node.attributes.integer("transB", 0) != 0;
  if (left.rank() == 0 || right.rank() != 2 || request.constant(b) == nullptr ||
      request.constant(0) != nullptr || request.node.attributes.integer("transA", 0) != 0)
    return Error{Code::kUnsupported, "its right side is no constant matrix"};
  const Sizes sizes{.rows = 0,
                    .depth = right[transposed ? 1 : 0],
                    .columns = right[transposed ? 0 : 1],
                    .transposed = transposed};
  const auto count = static_cast<int64_t>(TRY(left.element_count()));
  const auto made = static_cast<int64_t>(TRY(request.output_shape().element_count()));
  if (count == 0 || made == 0 || sizes.depth != left[left.rank() - 1] ||
      made != count / sizes.depth * sizes.columns)
    return Error{Code::kUnsupported, "its sides do not fit, or there is nothing to do"};
  Sizes whole = sizes;
  whole.rows = count / sizes.depth;
  return whole;
}

Result<PackedBytes> pack_matrix(const KernelRequest& request, size_t b, const Sizes& sizes,
                                byte_product::Signs signs) {
  const auto rows = byte_product::plain_rows(sizes.depth, sizes.transposed ? 1 : sizes.columns);
  return pack_bytes(request, b, rows, 1, sizes.columns, sizes.transposed ? sizes.depth : 1, signs);
}

KernelResult make_product(const KernelRequest& request, const ByteInputs& inputs) {
  const Sizes sizes = TRY(sizes_of(request, inputs.b));
  ByteForm form = TRY(byte_form(request, inputs, sizes.columns));
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[0] = Layout::kRowMajor;
  if (form.addend) {
    needs.inputs[*form.addend] = Layout::kRowMajor;
    needs.may_overwrite = {*form.addend};
  }
  const RowProduct product{.rows = sizes.rows,
                           .depth = sizes.depth,
                           .b = TRY(pack_matrix(request, inputs.b, sizes, form.signs)),
                           .epilogue = {},
                           .activation = Activate::kNone,
                           .result_bytes = size_of(request.output_type())};
  return make_byte_rows(std::move(needs), product, std::move(form));
}

KernelResult make_quantized(const KernelRequest& request) {
  return make_product(request, kQuantizedInputs);
}
KernelResult make_integer(const KernelRequest& request) {
  return make_product(request, kIntegerInputs);
}

// casemate:DynamicGemm(a, b, a_scale, a_zero, b_scale, [b_zero])
constexpr ByteInputs kDynamicInputs = {0, 2, 3, 1, 4, 5, kNoInput, kNoInput, kNoInput};
constexpr size_t kDynamicCount = 6;

class DynamicGemm final : public Kernel {
 public:
  DynamicGemm(KernelNeeds needs, const RowProduct& product, byte_product::Signs signs,
              std::vector<float> scales, std::vector<int32_t> b_zeros, std::optional<size_t> addend)
      : Kernel(std::move(needs)),
        product_(product),
        signs_(signs),
        scales_(std::move(scales)),
        b_zeros_(std::move(b_zeros)),
        addend_(addend),
        threads_(thread_count()) {}

  Status run(const KernelArguments& arguments) const override {
    const size_t columns = scales_.size();
    auto* const scales = elements<float>(arguments.scratch);
    auto* const bias = elements<int32_t>(arguments.scratch) + columns;
    const float scale =
        *elements<float>(static_cast<const uint8_t*>(arguments.inputs[kDynamicInputs.a_scale]));
    const uint8_t byte = *arguments.inputs[kDynamicInputs.a_zero];
    const auto zero =
        static_cast<uint32_t>(signs_.a ? int32_t{static_cast<int8_t>(byte)} : int32_t{byte});
    const int32_t* const sums = product_.b.sums(0, byte_product::instruction_set());
    for (size_t n = 0; n < columns; ++n) {
      scales[n] = scale * scales_[n];
      uint32_t shift = 0U - zero * static_cast<uint32_t>(sums[n]);
      if (!b_zeros_.empty())
        shift += static_cast<uint32_t>(product_.depth) * zero * static_cast<uint32_t>(b_zeros_[n]);
      bias[n] = static_cast<int32_t>(shift);
    }
    RowProduct product = product_;
    product.epilogue.scales = scales;
    product.epilogue.bias = bias;
    if (!b_zeros_.empty()) product.epilogue.b_zeros = b_zeros_.data();
    if (addend_)
      product.epilogue.floats =
          elements<float>(static_cast<const uint8_t*>(arguments.inputs[*addend_]));
    multiply_all(product, arguments.inputs[0], signs_.a, arguments.outputs[0], threads_);
    return {};
  }

 private:
  RowProduct product_;
  byte_product::Signs signs_;
  std::vector<float> scales_;
  std::vector<int32_t> b_zeros_;
  std::optional<size_t> addend_;
  int threads_;
};

// One number for each column; none where they are computed, or of another count.
std::optional<std::vector<float>> column_scales(const KernelRequest& request, int64_t columns) {
  const Tensor* const scale = request.constant(kDynamicInputs.b_scale);
  if (scale == nullptr || scale->type() != ElementType::kFloat32) return std::nullopt;
  const auto values = scale->values<float>();
  std::vector<float> made(values.begin(), values.end());
  if (made.size() == 1) made.resize(static_cast<size_t>(columns), made.front());
  if (made.size() != static_cast<size_t>(columns)) return std::nullopt;
  return made;
}

std::optional<std::vector<int32_t>> column_zeros(const KernelRequest& request, int64_t columns,
                                                 int32_t shift) {
  std::vector<int32_t> zeros = {0};
  if (request.node.input(kDynamicInputs.b_zero).present()) {
    auto given = integers_of(request, kDynamicInputs.b_zero);
    if (!given || request.input_type(kDynamicInputs.b_zero) != request.input_type(1))
      return std::nullopt;
    zeros = *std::move(given);
  }
  if (zeros.size() == 1) zeros.resize(static_cast<size_t>(columns), zeros.front());
  if (zeros.size() != static_cast<size_t>(columns)) return std::nullopt;
  for (int32_t& zero : zeros) zero += shift;
  if (std::ranges::all_of(zeros, [](int32_t zero) { return zero == 0; })) zeros.clear();
  return zeros;
}

Status check_dynamic(const KernelRequest& request) {
  const Node& node = request.node;
  const bool given = node.inputs.size() >= kDynamicCount - 1 && byte_type(request.input_type(0)) &&
                     byte_type(request.input_type(1)) && request.constant(2) == nullptr &&
                     request.constant(3) == nullptr &&
                     request.input_type(2) == ElementType::kFloat32 &&
                     request.input_type(3) == request.input_type(0) &&
                     request.input_shape(2).element_count().value_or(0) == 1 &&
                     request.input_shape(3).element_count().value_or(0) == 1 &&
                     request.output_type() == ElementType::kFloat32;
  if (given) return {};
  return Error{Code::kUnsupported, "its left side is not quantised by one scale"};
}

KernelResult make_dynamic(const KernelRequest& request) {
  TRY(check_dynamic(request));
  const Sizes sizes = TRY(sizes_of(request, 1));
  const auto form = epilogue_of(request);
  if (!form || form->epilogue.leaky)
    return Error{Code::kUnsupported, "what follows it is none of what bytes are finished with"};
  const byte_product::Signs signs{.a = request.input_type(0) == ElementType::kInt8,
                                  .b = request.input_type(1) == ElementType::kInt8};
  auto scales = column_scales(request, sizes.columns);
  auto zeros = column_zeros(request, sizes.columns, signs.shift());
  if (!scales || !zeros)
    return Error{Code::kUnsupported,
                 "the scales of its weights are computed, or along another axis"};
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  needs.inputs.resize(request.node.inputs.size());
  for (const size_t read : {0, 2, 3}) needs.inputs[read] = Layout::kRowMajor;
  byte_product::Epilogue epilogue{.store = byte_product::Store::kFloat,
                                  .low = form->epilogue.low,
                                  .high = form->epilogue.high,
                                  .clamped = form->epilogue.clamped,
                                  .floats_stride = sizes.columns};
  if (form->row)
    epilogue.shift =
        elements<float>(TRY(request.packer.pack(*request.constant(*form->row))).data());
  if (form->addend) {
    needs.inputs[*form->addend] = Layout::kRowMajor;
    needs.may_overwrite = {*form->addend};
  }
  needs.scratch_bytes = static_cast<uint64_t>(sizes.columns) * 8;
  const byte_product::InstructionSet& set = byte_product::instruction_set();
  needs.implementation = formatted("bytes rows {}", set.name);
  const RowProduct product{.rows = sizes.rows,
                           .depth = sizes.depth,
                           .b = TRY(pack_matrix(request, 1, sizes, signs)),
                           .epilogue = epilogue,
                           .activation = form->activation,
                           .result_bytes = sizeof(float)};
  return std::make_unique<DynamicGemm>(std::move(needs), product, signs, *std::move(scales),
                                       *std::move(zeros), form->addend);
}

}  // namespace

void register_byte_product(Registry& registry) {
  for (const ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
    registry.add_mixed("QLinearMatMul", type, Device::kCpu, make_quantized);
    registry.add_mixed("casemate:QLinearGemm", type, Device::kCpu, make_quantized);
    registry.add_mixed("MatMulInteger", type, Device::kCpu, make_integer);
    registry.add_mixed("casemate:DynamicGemm", type, Device::kCpu, make_dynamic);
  }
}

}  // namespace casemate::engine
