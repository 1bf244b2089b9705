// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "isolated/engine/kernels/node_case.h"
#include "isolated/engine/kernels/reference.h"

namespace casemate::engine {
namespace {

using Ints = std::vector<int64_t>;

struct PoolCase {
  const char* what;
  Shape input;
  Attributes attributes;
  Shape output;
};

const std::vector<PoolCase>& cases() {
  static const std::vector<PoolCase> all = {
      {"2x2 stride 2",
       {2, 16, 8, 8},
       {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
       {2, 16, 4, 4}},
      {"odd channels, a rest left over",
       {1, 5, 7, 9},
       {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
       {1, 5, 3, 4}},
      {"3x3 stride 2 padded",
       {1, 8, 9, 9},
       {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
       {1, 8, 5, 5}},
      {"pads that differ",
       {1, 3, 6, 5},
       {{"kernel_shape", Ints{3, 2}}, {"pads", Ints{2, 0, 1, 1}}},
       {1, 3, 7, 5}},
      {"rounded up",
       {1, 4, 6, 6},
       {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}},
       {1, 4, 3, 3}},
      {"dilated",
       {1, 4, 9, 9},
       {{"kernel_shape", Ints{3, 3}}, {"dilations", Ints{2, 2}}},
       {1, 4, 5, 5}},
      {"one dimension", {2, 3, 11}, {{"kernel_shape", Ints{4}}, {"strides", Ints{3}}}, {2, 3, 3}},
      {"three dimensions", {1, 2, 4, 5, 6}, {{"kernel_shape", Ints{2, 2, 3}}}, {1, 2, 3, 4, 4}},
  };
  return all;
}

void expect_pool(const char* op, ReferencePool kind, const PoolCase& given, Layout preferred) {
  const NodeCase made{.node = {.op = op, .attributes = given.attributes},
                      .inputs = {{noise(given.input, 1)}},
                      .output = given.output,
                      .preferred = preferred,
                      .given = preferred};
  const auto result = run_case(made);
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_TRUE(near(result->output,
                   reference_pool(made.inputs[0].tensor, kind, given.attributes, given.output)));
}

TEST(Pooling, agrees_with_its_definition_in_every_layout) {
  for (const PoolCase& given : cases()) {
    for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast, Layout::kBlocked16}) {
      SCOPED_TRACE(std::string(given.what) + ", " + std::string(name_of(layout)));
      expect_pool("MaxPool", ReferencePool::kMax, given, layout);
      expect_pool("AveragePool", ReferencePool::kMeanInside, given, layout);
    }
  }
}

TEST(Pooling, counts_the_padding_when_it_is_told_to) {
  for (PoolCase given : cases()) {
    SCOPED_TRACE(given.what);
    if (given.attributes.has("ceil_mode")) continue;
    given.attributes.set("count_include_pad", int64_t{1});
    expect_pool("AveragePool", ReferencePool::kMeanAll, given, Layout::kChannelsLast);
  }
}

TEST(Pooling, refuses_to_count_cells_beyond_the_padding) {
  const NodeCase made{.node = {.op = "AveragePool",
                               .attributes = {{"kernel_shape", Ints{3, 3}},
                                              {"strides", Ints{2, 2}},
                                              {"ceil_mode", int64_t{1}},
                                              {"count_include_pad", int64_t{1}}}},
                      .inputs = {{noise({1, 4, 6, 6}, 1)}},
                      .output = {1, 4, 3, 3}};
  EXPECT_EQ(run_case(made).error().code, Code::kUnsupported);
}

TEST(Pooling, global_forms_reduce_every_channel_to_one_number) {
  for (const Shape& shape : {Shape{2, 17, 7, 7}, Shape{1, 3, 5}, Shape{1, 2, 3, 4, 5}}) {
    Shape output = shape;
    Ints kernel;
    for (uint32_t i = 2; i < shape.rank(); ++i) {
      kernel.push_back(shape[i]);
      output[i] = 1;
    }
    const Attributes whole{{"kernel_shape", kernel}};
    for (const auto& [op, kind] : {std::pair{"GlobalAveragePool", ReferencePool::kMeanInside},
                                   std::pair{"GlobalMaxPool", ReferencePool::kMax}}) {
      const NodeCase made{.node = {.op = op}, .inputs = {{noise(shape, 1)}}, .output = output};
      const auto result = run_case(made);
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_TRUE(near(result->output, reference_pool(made.inputs[0].tensor, kind, whole, output)));
    }
  }
}

}  // namespace
}  // namespace casemate::engine
