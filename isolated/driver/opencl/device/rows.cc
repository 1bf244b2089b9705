// SPDX-License-Identifier: Apache-2.0
// Operators that reduce or normalise rows.
#include <algorithm>
#include <map>

#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {
namespace {

// A shape around neighbouring axes [first, last).
struct RowExtents {
  uint64_t outer = 1;
  uint64_t extent = 1;
  uint64_t inner = 1;
};

RowExtents extents_around(const Shape& shape, int64_t first, int64_t last) {
  RowExtents e;
  for (int64_t i = 0; i < shape.rank(); ++i) {
    const auto extent = static_cast<uint64_t>(shape[static_cast<size_t>(i)]);
    (i < first ? e.outer : i < last ? e.extent : e.inner) *= extent;
  }
  return e;
}

void launch_rows(Lowering& l, const std::string& kernel, const std::string& defines,
                 const RowExtents& e) {
  const uint64_t rows = e.outer * e.inner;
  l.launch({.source = &kRowSource,
            .defines = defines,
            .kernel = e.inner == 1 ? kernel + "_near" : kernel,
            .items = {rows, 1},
            .arguments = {l.node.inputs[0], l.node.output(), static_cast<int32_t>(rows),
                          static_cast<int32_t>(e.extent), static_cast<int32_t>(e.inner)}});
}

Status lower_softmax(Lowering& l) {
  TRY(l.floats());
  TRY(l.plain());
  const int64_t axis = l.node.attributes.integer("axis", -1);
  if (l.node.raw || axis < 0 || axis >= l.in(0).rank() || l.in(0) != l.out())
    return l.refused("its axis is not known");
  if (l.count(l.node.output()) == 0) return {};
  launch_rows(l, "softmax",
              l.node.op == "Softmax" ? "#define LOGARITHM 0\n" : "#define LOGARITHM 1\n",
              extents_around(l.in(0), axis, axis + 1));
  return {};
}

std::string reduction_defines(std::string_view op, uint64_t extent) {
  if (op.ends_with("Max") || op == "GlobalMaxPool")
    return "#define JOIN(a, b) fmax(a, b)\n#define START -INFINITY\n#define SCALE(v) v\n";
  if (op.ends_with("Min"))
    return "#define JOIN(a, b) fmin(a, b)\n#define START INFINITY\n#define SCALE(v) v\n";
  return formatted("#define JOIN(a, b) ((a) + (b))\n#define START 0.0f\n#define SCALE(v) {}\n",
                   op == "ReduceSum" ? "(v)" : formatted("((v) / {}.0f)", extent));
}

Status reduce_axes(Lowering& l, int64_t first, int64_t last) {
  const RowExtents e = extents_around(l.in(0), first, last);
  if (e.extent == 0 || e.outer * e.inner != static_cast<uint64_t>(l.count(l.node.output())))
    return l.refused("its result has another shape, or it is of nothing");
  launch_rows(l, "reduce", reduction_defines(l.node.op, e.extent), e);
  return {};
}

Status lower_reduction(Lowering& l) {
  TRY(l.floats());
  TRY(l.plain());
  std::vector<int64_t> axes = l.node.attributes.integers("axes");
  if (l.node.raw || axes.empty()) return l.refused("its axes are not known");
  std::ranges::sort(axes);
  const auto [again, end] = std::ranges::unique(axes);
  const int64_t rank = l.in(0).rank();
  const bool next = axes.back() - axes.front() + 1 == static_cast<int64_t>(axes.size());
  if (again != end || axes.front() < 0 || axes.back() >= rank || !next)
    return l.refused("its axes are not neighbours");
  return reduce_axes(l, axes.front(), axes.back() + 1);
}

Status lower_global_pool(Lowering& l) {
  TRY(l.floats());
  TRY(l.plain());
  if (l.in(0).rank() < 3) return l.refused("its input is no image");
  return reduce_axes(l, 2, l.in(0).rank());
}

Status lower_layer_normalization(Lowering& l) {
  TRY(l.floats());
  TRY(l.plain());
  int64_t axis = l.node.attributes.integer("axis", -1);
  if (axis < 0) axis += l.in(0).rank();
  if (axis < 0 || axis >= l.in(0).rank() || l.in(0) != l.out())
    return l.refused("its axis is not known");
  for (size_t i = 1; i < l.node.outputs.size(); ++i) {
    if (l.node.outputs[i].present()) return l.refused("its statistics are results, too");
  }
  const RowExtents e = extents_around(l.in(0), axis, l.in(0).rank());
  const engine::ValueId scale = l.node.input(1);
  const engine::ValueId shift = l.node.input(2);
  const auto row = [&](engine::ValueId id) {
    return static_cast<uint64_t>(l.count(id)) == e.extent;
  };
  if (!scale.present() || !row(scale) || (shift.present() && !row(shift)) || e.extent == 0)
    return l.refused("its scale or bias is not one row");
  l.launch({.source = &kRowSource,
            .defines = "#define NORMALISE\n",
            .kernel = "layer_normalization",
            .items = {e.outer, 1},
            .arguments = {l.node.inputs[0], scale, shift.present() ? shift : scale, l.node.output(),
                          static_cast<int32_t>(e.outer), static_cast<int32_t>(e.extent),
                          int32_t{shift.present()}, l.node.attributes.real("epsilon", 1e-5F)}});
  return {};
}

Status lower_batch_normalization(Lowering& l) {
  TRY(l.floats());
  TRY(l.plain());
  if (l.node.raw || l.node.inputs.size() != 5 || l.in(0).rank() < 2 || l.in(0) != l.out())
    return l.refused("its statistics are not constant");
  const RowExtents e = extents_around(l.in(0), 1, 2);
  for (size_t i = 1; i < 5; ++i) {
    if (static_cast<uint64_t>(l.count(l.node.inputs[i])) != e.extent)
      return l.refused("its statistics do not fit");
  }
  const int32_t count = l.count(l.node.output());
  l.launch(
      {.source = &kRowSource,
       .defines = "#define NORMALISE\n",
       .kernel = "batch_normalization",
       .items = {static_cast<uint64_t>(count), 1},
       .arguments = {l.node.inputs[0], l.node.inputs[1], l.node.inputs[2], l.node.inputs[3],
                     l.node.inputs[4], l.node.output(), count, static_cast<int32_t>(e.inner),
                     static_cast<int32_t>(e.extent), l.node.attributes.real("epsilon", 1e-5F)}});
  return {};
}

Status lower_response_normalization(Lowering& l) {
  TRY(l.floats());
  TRY(l.plain());
  const int64_t size = l.node.attributes.integer("size", 1);
  if (l.in(0).rank() < 2 || l.in(0) != l.out() || size < 1 || size > 1 << 30)
    return l.refused("its size is none");
  const RowExtents e = extents_around(l.in(0), 1, 2);
  const int32_t count = l.count(l.node.output());
  const auto& attributes = l.node.attributes;
  l.launch({.source = &kRowSource,
            .defines = "#define NORMALISE\n",
            .kernel = "response_normalization",
            .items = {static_cast<uint64_t>(count), 1},
            .arguments = {l.node.inputs[0], l.node.output(), count, static_cast<int32_t>(e.inner),
                          static_cast<int32_t>(e.extent), static_cast<int32_t>(size),
                          attributes.real("alpha", 1e-4F), attributes.real("beta", 0.75F),
                          attributes.real("bias", 1.0F)}});
  return {};
}

}  // namespace

Lower find_row_recipe(std::string_view op) {
  static const std::map<std::string_view, Lower> kForms = {
      {"BatchNormalization", lower_batch_normalization},
      {"GlobalAveragePool", lower_global_pool},
      {"GlobalMaxPool", lower_global_pool},
      {"LRN", lower_response_normalization},
      {"LayerNormalization", lower_layer_normalization},
      {"LogSoftmax", lower_softmax},
      {"ReduceMax", lower_reduction},
      {"ReduceMean", lower_reduction},
      {"ReduceMin", lower_reduction},
      {"ReduceSum", lower_reduction},
      {"Softmax", lower_softmax},
  };
  const auto found = kForms.find(op);
  return found == kForms.end() ? nullptr : found->second;
}

}  // namespace casemate::driver
