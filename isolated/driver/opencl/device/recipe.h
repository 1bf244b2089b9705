// SPDX-License-Identifier: Apache-2.0
#pragma once
// Recipe: what a device is to do for one node, in order, as numbers that were checked: kernels and
// what they are given, products, copies. Nothing of OpenCL is in it, so that whether a node can be
// done is known without a device.
//
//   Owns     numbers and text.
//   Threads  values; recipe_of() is a pure function.
//   Trust    the graph was shaped by the engine, and all extents and offsets are checked again:
//            what a recipe says stays inside of its operands.
//   Fails    with kUnsupported, the node and the reason.

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "isolated/engine/graph/graph.h"

namespace casemate::driver {

// The text of some kernels, and its name.
struct KernelSource {
  const char* name;
  const char* text;
};

// Steps through up to four operands, in elements: rows of columns, of which the last dimension is
// the columns. Kernels have the same struct.
struct RecipeGrid {
  static constexpr size_t kOperands = 4;
  int32_t rank = 0;  // of the rows
  int32_t columns = 1;
  std::array<int32_t, limits::kRank> extent{};
  std::array<std::array<int32_t, limits::kRank>, kOperands> step{};
  std::array<int32_t, kOperands> column_step{};
  std::array<int32_t, kOperands> first{};
};

// A window over planes. Kernels have the same struct.
struct RecipeWindow {
  int32_t in_height = 1, in_width = 1;
  int32_t out_height = 1, out_width = 1;
  int32_t kernel_height = 1, kernel_width = 1;
  int32_t stride_height = 1, stride_width = 1;
  int32_t dilation_height = 1, dilation_width = 1;
  int32_t pad_top = 0, pad_left = 0;
};

// The recipe's own memory, from this element on.
struct RecipeScratch {
  int32_t offset = 0;
};
// A word that a kernel sets when an index of the data points nowhere.
struct RecipeFlag {};

using RecipeArgument = std::variant<engine::ValueId, RecipeScratch, RecipeFlag, int32_t, float,
                                    RecipeGrid, RecipeWindow>;

struct RecipeLaunch {
  const KernelSource* source = nullptr;
  std::string defines = {};  // in front of the source
  std::string kernel = {};
  std::array<uint64_t, 2> items = {1, 1};
  std::vector<RecipeArgument> arguments = {};
};

// An operand of a product: floats from an offset on, with rows so far apart.
struct RecipeMatrix {
  RecipeArgument place;
  uint64_t offset = 0;
  uint64_t pitch = 0;
};

// c = a' b', or c + a' b'; a' is m x k, b' is k x n, row-major.
struct RecipeProduct {
  uint64_t m = 0, n = 0, k = 0;
  bool transposes_a = false, transposes_b = false;
  RecipeMatrix a, b, c;
  bool adds = false;
};

struct RecipeCopy {
  engine::ValueId from, to;
  uint64_t bytes = 0;
};

using RecipeStep = std::variant<RecipeLaunch, RecipeProduct, RecipeCopy>;

struct Recipe {
  std::vector<RecipeStep> steps;
  uint64_t scratch_bytes = 0;
  uint64_t operations = 0;  // about
  bool checks = false;      // it has a flag
  bool same_bytes = false;  // its output is its first input, under another shape
};

// Requires: one variant.
Result<Recipe> recipe_of(const engine::Graph& graph, const engine::Node& node);

}  // namespace casemate::driver
