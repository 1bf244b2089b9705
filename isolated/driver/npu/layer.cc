// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/layer.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/driver/npu/layout.h"

namespace casemate::npu {
namespace {

Status check_zeros(const Quantised& quantised, size_t several, std::string_view what) {
  const size_t count = quantised.zeros.size();
  if (count > 1 && count != several) {
    return Error{Code::kInvalid, formatted("{} zero points of {}; there can be one{}", count, what,
                                           several > 1 ? formatted(" or {}", several) : "")};
  }
  const int32_t least = quantised.number == Number::kUint8 ? 0 : -128;
  for (const int32_t zero : quantised.zeros) {
    if (zero < least || zero > least + 255)
      return Error{Code::kInvalid,
                   formatted("a zero point of {}, {}, is none of their values", what, zero)};
  }
  return {};
}

Status check_count(size_t count, int64_t wanted, std::string_view what) {
  if (count == static_cast<size_t>(wanted)) return {};
  return Error{Code::kInvalid, formatted("{} of {} values; the layer has {}", what, count, wanted)};
}

}  // namespace

Result<Layer> Layer::make(const LayerShape& shape, Bytes weights, std::span<const int32_t> bias,
                          const CompileOptions& options) {
  Layer layer;
  layer.shape_ = shape;
  Convolution& c = layer.shape_.convolution;
  c.planes = 1;
  c.bias = false;
  TRY(c.check());
  TRY(check_zeros(shape.input, 1, "the input"));
  TRY(check_zeros(shape.weights, static_cast<size_t>(c.outputs), "the weights"));
  TRY(check_count(weights.size(), c.outputs * c.inputs * c.height.kernel * c.width.kernel,
                  "weights"));
  if (!bias.empty()) TRY(check_count(bias.size(), c.outputs, "a bias"));

  const int32_t moved = shape.input.number == Number::kUint8 ? 128 : 0;
  const int32_t zero = shape.input.zeros.empty() ? 0 : shape.input.zeros[0];
  c.pad_value = static_cast<int8_t>(zero - moved);
  const std::vector<int32_t> values = centred(c, shape.order, shape.weights, weights);
  c.planes = planes_of(values);
  const std::vector<int32_t> folded = folded_bias(c, shape.order, values, bias);
  c.bias = std::ranges::any_of(folded, [](int32_t number) { return number != 0; });
  layer.program_ = TRY(compile(c, options));
  layer.weights_ = packed_weights(c, shape.order, values);
  layer.bias_ = packed_bias(c, folded);
  return layer;
}

Status Layer::place(Machine& machine) const {
  const Placement& to = program_.placement;
  TRY(machine.write(to.weights, weights_));
  TRY(machine.write(to.bias, bias_));
  TRY(machine.write(to.micro_ops, program_.micro_ops));
  return machine.write(to.instructions, program_.instructions);
}

Result<Report> Layer::run(Machine& machine, Bytes input, std::span<int32_t> result,
                          uint64_t cycles_max) const {
  const Convolution& c = shape_.convolution;
  TRY(check_count(input.size(), c.batch * c.inputs * c.pixels(), "an input"));
  TRY(check_count(result.size(), c.batch * c.outputs * c.positions(), "a result"));
  const Placement& at = program_.placement;
  TRY(machine.write(at.input, packed_input(c, shape_.order, shape_.input.number, input)));
  Report report = TRY(machine.run({.instructions = at.instructions,
                                   .instruction_count = program_.instruction_count(),
                                   .cycles_max = cycles_max}));
  if (report.fault) return report;
  std::vector<uint8_t> packed(static_cast<size_t>(c.output_bytes()));
  TRY(machine.read(at.result, packed));
  unpack(c, shape_.order, packed, result);
  return report;
}

}  // namespace casemate::npu
