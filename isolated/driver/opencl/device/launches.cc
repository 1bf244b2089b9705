// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/device/launches.h"

#include <clblast.h>

namespace casemate::driver {
namespace {

template <class... Visits>
struct Overloaded : Visits... {
  using Visits::operator()...;
};

cl_mem memory_of(const RecipeArgument& argument, const Bound& bound) {
  if (const auto* value = std::get_if<engine::ValueId>(&argument))
    return bound.values[value->index];
  return bound.scratch;
}

clblast::Transpose turned(bool transposes) {
  return transposes ? clblast::Transpose::kYes : clblast::Transpose::kNo;
}

uint64_t offset_of(const RecipeMatrix& matrix) {
  const auto* scratch = std::get_if<RecipeScratch>(&matrix.place);
  return matrix.offset + (scratch == nullptr ? 0 : static_cast<uint64_t>(scratch->offset));
}

Status set_argument(cl_kernel kernel, cl_uint index, const RecipeArgument& argument,
                    const Bound& bound) {
  const auto number = [&](const auto& value) {
    return clSetKernelArg(kernel, index, sizeof value, &value);
  };
  const cl_int status =
      std::visit(Overloaded{[&](engine::ValueId id) { return number(bound.values[id.index]); },
                            [&](RecipeScratch) { return number(bound.scratch); },
                            [&](RecipeFlag) { return number(bound.flag); },
                            [&](const auto& value) { return number(value); }},
                 argument);
  return opencl_did("giving a kernel its arguments", status);
}

}  // namespace

Status enqueue(cl_command_queue lane, cl_kernel kernel, const RecipeLaunch& launch,
               const Bound& bound) {
  for (cl_uint i = 0; i < launch.arguments.size(); ++i)
    TRY(set_argument(kernel, i, launch.arguments[i], bound));
  const std::array<size_t, 2> items = {
      (launch.items[0] + kGroupItems - 1) / kGroupItems * kGroupItems, launch.items[1]};
  const std::array<size_t, 2> group = {kGroupItems, 1};
  return opencl_did("running a kernel",
                    clEnqueueNDRangeKernel(lane, kernel, 2, nullptr, items.data(), group.data(), 0,
                                           nullptr, nullptr));
}

Status enqueue(cl_command_queue lane, const RecipeProduct& p, const Bound& bound) {
  const auto status = clblast::Gemm<float>(
      clblast::Layout::kRowMajor, turned(p.transposes_a), turned(p.transposes_b), p.m, p.n, p.k,
      1.0F, memory_of(p.a.place, bound), offset_of(p.a), p.a.pitch, memory_of(p.b.place, bound),
      offset_of(p.b), p.b.pitch, p.adds ? 1.0F : 0.0F, memory_of(p.c.place, bound), offset_of(p.c),
      p.c.pitch, &lane, nullptr, bound.product_scratch);
  return opencl_did("multiplying matrices", static_cast<cl_int>(status));
}

Status enqueue(cl_command_queue lane, const RecipeCopy& copy, const Bound& bound) {
  if (copy.bytes == 0) return {};
  return opencl_did("copying", clEnqueueCopyBuffer(lane, bound.values[copy.from.index],
                                                   bound.values[copy.to.index], 0, 0, copy.bytes, 0,
                                                   nullptr, nullptr));
}

Result<uint64_t> scratch_bytes_of(cl_command_queue lane, const RecipeProduct& p) {
  size_t bytes = 0;
  const auto status = clblast::GemmTempBufferSize<float>(
      clblast::Layout::kRowMajor, turned(p.transposes_a), turned(p.transposes_b), p.m, p.n, p.k,
      offset_of(p.a), p.a.pitch, offset_of(p.b), p.b.pitch, offset_of(p.c), p.c.pitch, &lane,
      bytes);
  TRY(opencl_did("asking how products are made", static_cast<cl_int>(status)));
  return bytes;
}

}  // namespace casemate::driver
