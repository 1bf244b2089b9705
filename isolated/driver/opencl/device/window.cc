// SPDX-License-Identifier: Apache-2.0
// Convolutions and pooling of one or two dimensions.
#include <algorithm>

#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {
namespace {

constexpr int64_t kReachMax = 1 << 30;
// Groups with fewer filters than this are not worth a product of their own.
constexpr int64_t kFewFilters = 8;
constexpr uint64_t kGroupProductsMax = 4096;

// Checked so that no kernel's sum of positions, taps and padding passes 32 bits.
Result<RecipeWindow> plane_window(const Lowering& l) {
  const Shape& in = l.in(0);
  const Shape& out = l.out();
  const uint32_t spatial = in.rank() < 2 ? 0 : in.rank() - 2;
  if (l.node.raw || spatial < 1 || spatial > 2 || out.rank() != in.rank())
    return l.refused("it is done for one or two dimensions whose windows are known");
  const auto kernel = l.node.attributes.integers("kernel_shape");
  const auto strides = l.node.attributes.integers("strides");
  const auto dilations = l.node.attributes.integers("dilations");
  const auto pads = l.node.attributes.integers("pads");
  if (kernel.size() != spatial || strides.size() != spatial || dilations.size() != spatial ||
      pads.size() != size_t{2} * spatial)
    return l.refused("its windows have another rank than its input");
  std::array<std::array<int32_t, 6>, 2> axes = {{{1, 1, 1, 1, 1, 0}, {1, 1, 1, 1, 1, 0}}};
  for (uint32_t i = 0; i < spatial; ++i) {
    const std::array<int64_t, 6> all = {in[i + 2],  out[i + 2],   kernel[i],
                                        strides[i], dilations[i], pads[i]};
    for (size_t k = 0; k < all.size(); ++k) {
      if (all[k] < (k == 5 ? 0 : 1) || all[k] > kReachMax)
        return l.refused("its windows pass what kernels count");
    }
    const int64_t last = (out[i + 2] - 1) * strides[i] + (kernel[i] - 1) * dilations[i];
    if (last > kReachMax) return l.refused("its windows pass what kernels count");
    for (size_t k = 0; k < all.size(); ++k) axes[i + 2 - spatial][k] = static_cast<int32_t>(all[k]);
  }
  const auto& [h, w] = axes;
  return RecipeWindow{h[0], w[0], h[1], w[1], h[2], w[2], h[3], w[3], h[4], w[4], h[5], w[5]};
}

struct Filters {
  int64_t images, channels, filters, groups, taps, positions, cells;
};

Result<Filters> filters_of(const Lowering& l, const RecipeWindow& w) {
  const Shape& weights = l.in(1);
  Filters f{.images = l.in(0)[0], .channels = l.in(0)[1], .filters = l.out()[1]};
  f.groups = l.node.attributes.integer("group", 1);
  f.taps = int64_t{w.kernel_height} * w.kernel_width;
  f.positions = int64_t{w.out_height} * w.out_width;
  f.cells = int64_t{w.in_height} * w.in_width;
  const bool divides = f.groups > 0 && f.channels % f.groups == 0 && f.filters % f.groups == 0;
  if (!divides || weights.rank() != l.in(0).rank() || weights[0] != f.filters ||
      weights[1] != f.channels / f.groups || l.out()[0] != f.images ||
      l.count(l.node.inputs[1]) != f.filters * (f.channels / f.groups) * f.taps)
    return l.refused("its weights do not fit");
  return f;
}

// A product for each image and group, of its weights by the unrolled image, or by the image itself.
Status convolve_by_products(Lowering& l, const RecipeWindow& w, const Filters& f) {
  const bool pointwise = f.taps == 1 && w.stride_height == 1 && w.stride_width == 1 &&
                         w.pad_top == 0 && w.pad_left == 0 && f.positions == f.cells;
  const auto unrolled = static_cast<uint64_t>(f.channels * f.taps * f.positions);
  if (unrolled > kKernelCount) return l.refused("unrolled it has more elements than kernels count");
  if (static_cast<uint64_t>(f.images * f.groups) > kGroupProductsMax)
    return l.refused("it is more products than a device is given at once");
  if (!pointwise) l.recipe.scratch_bytes = unrolled * sizeof(float);
  const auto filters = static_cast<uint64_t>(f.filters / f.groups);
  const auto depth = static_cast<uint64_t>(f.channels / f.groups * f.taps);
  const auto positions = static_cast<uint64_t>(f.positions);
  for (int64_t image = 0; image < f.images; ++image) {
    const int64_t first = image * f.channels * f.cells;
    if (!pointwise) {
      l.launch({.source = &kWindowSource,
                .kernel = "unroll",
                .items = {positions, static_cast<uint64_t>(f.channels * f.taps)},
                .arguments = {l.node.inputs[0], static_cast<int32_t>(first), RecipeScratch{},
                              int32_t{0}, w}});
    }
    for (int64_t g = 0; g < f.groups; ++g) {
      const auto group = static_cast<uint64_t>(g);
      RecipeProduct p{.m = filters, .n = positions, .k = depth};
      p.a = {l.node.inputs[1], group * filters * depth, depth};
      if (pointwise) {
        p.b = {l.node.inputs[0], static_cast<uint64_t>(first) + group * depth * positions,
               positions};
      } else {
        p.b = {RecipeScratch{}, group * depth * positions, positions};
      }
      p.c = {l.node.output(),
             static_cast<uint64_t>(image * f.filters * f.positions) + group * filters * positions,
             positions};
      l.recipe.steps.emplace_back(p);
    }
  }
  return {};
}

Status lower_convolution(Lowering& l) {
  TRY(l.floats());
  const RecipeWindow w = TRY(plane_window(l));
  const Filters f = TRY(filters_of(l, w));
  if (l.count(l.node.output()) == 0 || f.channels == 0)
    return l.refused("it is a convolution of nothing");
  const engine::ValueId bias = l.node.input(2);
  if (bias.present() && l.count(bias) != f.filters) return l.refused("its bias does not fit");
  if (f.groups > 1 && f.filters / f.groups < kFewFilters) {
    l.launch(
        {.source = &kWindowSource,
         .kernel = "grouped",
         .items = {static_cast<uint64_t>(f.positions), static_cast<uint64_t>(f.images * f.filters)},
         .arguments = {l.node.inputs[0], l.node.inputs[1], l.node.output(),
                       static_cast<int32_t>(f.channels / f.groups),
                       static_cast<int32_t>(f.filters / f.groups), static_cast<int32_t>(f.groups),
                       w}});
  } else {
    TRY(convolve_by_products(l, w, f));
  }
  return l.finish(bias, static_cast<int32_t>(f.positions), static_cast<int32_t>(f.filters));
}

Status lower_pool(Lowering& l) {
  TRY(l.floats());
  TRY(l.plain());
  const RecipeWindow w = TRY(plane_window(l));
  const int64_t planes = l.in(0)[0] * l.in(0)[1];
  if (l.out()[0] != l.in(0)[0] || l.out()[1] != l.in(0)[1] || l.node.outputs.size() > 1)
    return l.refused("its result has another shape");
  const bool means = l.node.op == "AveragePool";
  const bool padding = l.node.attributes.integer("count_include_pad", 0) != 0;
  l.launch({.source = &kWindowSource,
            .kernel = "pool",
            .items = {static_cast<uint64_t>(w.out_height) * static_cast<uint64_t>(w.out_width),
                      static_cast<uint64_t>(planes)},
            .arguments = {l.node.inputs[0], l.node.output(), int32_t{means}, int32_t{padding}, w}});
  return {};
}

}  // namespace

Lower find_window_recipe(std::string_view op) {
  if (op == "Conv") return lower_convolution;
  return op == "MaxPool" || op == "AveragePool" ? lower_pool : nullptr;
}

}  // namespace casemate::driver
