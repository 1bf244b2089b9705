// SPDX-License-Identifier: Apache-2.0
// Each test is one way in which a hostile model might carry one client's item into another's
// answer.
#include "isolated/engine/graph/independence.h"

#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

using Ints = std::vector<int64_t>;

// A graph for batch sizes 1, 2 and 8 with an input [N,8].
struct Batch {
  Graph graph{Ints{1, 2, 8}};
  ValueId x = graph.add_input({"x", ElementType::kFloat32, shapes({8}, 1)});

  // [N*rows, inner...] for every variant.
  static std::vector<Shape> shapes(const Ints& inner, int64_t rows) {
    std::vector<Shape> list;
    for (const int64_t batch : {1, 2, 8}) {
      Ints dims = inner;
      dims.insert(dims.begin(), batch * rows);
      list.emplace_back(dims);
    }
    return list;
  }
  ValueId add(Node node, std::vector<Shape> result) {
    return graph.add_node(std::move(node), {{"v", ElementType::kFloat32, std::move(result)}});
  }
  ValueId weights(const Shape& shape) {
    return graph.add_constant("w", *Tensor::zeros(ElementType::kFloat32, shape));
  }
  bool independent(ValueId output) {
    graph.add_output(output);
    EXPECT_TRUE(graph.sound());
    return items_independent(graph);
  }
};

TEST(Independence, holds_for_what_works_row_by_row) {
  Batch b;
  const ValueId product = b.add({.op = "Gemm", .inputs = {b.x, b.weights({8, 4}), b.weights({4})}},
                                Batch::shapes({4}, 1));
  const ValueId relu = b.add({.op = "Relu", .inputs = {product}}, Batch::shapes({4}, 1));
  const ValueId soft =
      b.add({.op = "Softmax", .inputs = {relu}, .attributes = {{"axis", int64_t{1}}}},
            Batch::shapes({4}, 1));
  EXPECT_TRUE(b.independent(soft));
}

TEST(Independence, holds_through_a_reshape_that_keeps_items_in_one_piece) {
  Batch b;
  const ValueId tall = b.add({.op = "Reshape", .inputs = {b.x}}, Batch::shapes({4}, 2));
  const ValueId relu = b.add({.op = "Relu", .inputs = {tall}}, Batch::shapes({4}, 2));
  EXPECT_TRUE(b.independent(b.add({.op = "Reshape", .inputs = {relu}}, Batch::shapes({8}, 1))));
}

TEST(Independence, holds_for_an_output_with_several_rows_for_each_item) {
  Batch b;
  EXPECT_TRUE(b.independent(b.add({.op = "Reshape", .inputs = {b.x}}, Batch::shapes({4}, 2))));
}

TEST(Independence, fails_for_an_output_that_has_the_batch_elsewhere) {
  Batch turned;
  EXPECT_FALSE(turned.independent(
      turned.add({.op = "Transpose", .inputs = {turned.x}, .attributes = {{"perm", Ints{1, 0}}}},
                 {Shape{8, 1}, Shape{8, 2}, Shape{8, 8}})));
}

TEST(Independence, fails_for_a_softmax_or_reduction_over_the_batch) {
  Batch softmax;
  EXPECT_FALSE(softmax.independent(
      softmax.add({.op = "Softmax", .inputs = {softmax.x}, .attributes = {{"axis", int64_t{0}}}},
                  Batch::shapes({8}, 1))));
  Batch reduction;
  const ValueId sum =
      reduction.add({.op = "ReduceSum", .inputs = {reduction.x}, .attributes = {{"axes", Ints{0}}}},
                    {Shape{1, 8}, Shape{1, 8}, Shape{1, 8}});
  EXPECT_FALSE(reduction.independent(
      reduction.add({.op = "Add", .inputs = {reduction.x, sum}}, Batch::shapes({8}, 1))));
}

TEST(Independence, fails_for_a_transposition_that_moves_the_batch) {
  Batch b;
  const std::vector<Shape> turned = {Shape{8, 1}, Shape{8, 2}, Shape{8, 8}};
  const ValueId away =
      b.add({.op = "Transpose", .inputs = {b.x}, .attributes = {{"perm", Ints{1, 0}}}}, turned);
  const ValueId soft = b.add({.op = "Relu", .inputs = {away}}, turned);
  EXPECT_FALSE(b.independent(
      b.add({.op = "Transpose", .inputs = {soft}, .attributes = {{"perm", Ints{1, 0}}}},
            Batch::shapes({8}, 1))));
}

TEST(Independence, fails_for_a_reshape_into_a_fixed_number_of_rows) {
  // [N,8] to [8,N]: with 8 items it looks like a batch again, but rows hold parts of several items.
  Batch b;
  const std::vector<Shape> mixed = {Shape{8, 1}, Shape{8, 2}, Shape{8, 8}};
  const ValueId wide = b.add({.op = "Reshape", .inputs = {b.x}}, mixed);
  const ValueId soft =
      b.add({.op = "Softmax", .inputs = {wide}, .attributes = {{"axis", int64_t{1}}}}, mixed);
  EXPECT_FALSE(b.independent(b.add({.op = "Reshape", .inputs = {soft}}, Batch::shapes({8}, 1))));
}

TEST(Independence, fails_for_products_that_sum_over_the_batch) {
  Batch gram;
  const std::vector<Shape> square = {Shape{1, 1}, Shape{2, 2}, Shape{8, 8}};
  EXPECT_FALSE(gram.independent(gram.add(
      {.op = "Gemm", .inputs = {gram.x, gram.x}, .attributes = {{"transB", int64_t{1}}}}, square)));
  Batch left;
  EXPECT_FALSE(left.independent(
      left.add({.op = "MatMul", .inputs = {left.weights({8, 8}), left.x}}, Batch::shapes({8}, 1))));
}

TEST(Independence, fails_for_slices_joins_and_pads_along_the_batch) {
  Batch slice;
  EXPECT_FALSE(
      slice.independent(slice.add({.op = "Slice",
                                   .inputs = {slice.x},
                                   .attributes = {{"starts", Ints{7, 0}}, {"steps", Ints{-1, 1}}}},
                                  Batch::shapes({8}, 1))));
  Batch join;
  const ValueId both =
      join.add({.op = "Concat", .inputs = {join.x, join.x}, .attributes = {{"axis", int64_t{0}}}},
               Batch::shapes({8}, 2));
  EXPECT_FALSE(
      join.independent(join.add({.op = "Reshape", .inputs = {both}}, Batch::shapes({16}, 1))));
}

TEST(Independence, fails_for_an_output_without_a_batch_and_an_operator_it_does_not_know) {
  Batch fixed;
  EXPECT_FALSE(fixed.independent(fixed.weights({1, 8})));
  Batch unknown;
  EXPECT_FALSE(unknown.independent(
      unknown.add({.op = "Roll", .inputs = {unknown.x}}, Batch::shapes({8}, 1))));
}

TEST(Independence, fails_for_what_an_older_form_of_a_node_may_mean) {
  const auto raw = [](Node node) {
    node.raw = true;
    Batch b;
    node.inputs = {b.x};
    return b.independent(b.add(std::move(node), Batch::shapes({8}, 1)));
  };
  EXPECT_TRUE(raw({.op = "Relu"})) << "otherwise this proves nothing";
  // Statistics over the batch; an axis counted from the end; a list that stands in an input.
  EXPECT_FALSE(raw({.op = "BatchNormalization", .attributes = {{"training_mode", int64_t{1}}}}));
  EXPECT_FALSE(raw({.op = "ReduceSum", .attributes = {{"axes", Ints{-2}}}}));
  EXPECT_FALSE(raw({.op = "Pad"}));
  EXPECT_FALSE(raw({.op = "MaxPool"}));
}

TEST(Independence, fails_for_a_constant_with_a_row_of_its_own_for_each_item) {
  // A [2,8] constant would meet items by their number in the batch: not wrong, but not the same
  // alone.
  Graph graph{Ints{1, 2}};
  const std::vector<Shape> shapes = {Shape{1, 8}, Shape{2, 8}};
  const ValueId x = graph.add_input({"x", ElementType::kFloat32, shapes});
  const ValueId rows = graph.add_constant("rows", *Tensor::zeros(ElementType::kFloat32, {2, 8}));
  graph.add_output(
      graph.add_node({.op = "Add", .inputs = {x, rows}}, {{"y", ElementType::kFloat32, shapes}}));
  EXPECT_FALSE(items_independent(graph));
}

// A value [N,4,3,3] told in bytes by one scale, or by those along an axis.
struct QuantisedBatch : Batch {
  ValueId image = graph.add_input({"image", ElementType::kFloat32, shapes({4, 3, 3}, 1)});

  ValueId scales(int64_t count) {
    return graph.add_constant(
        "s", *Tensor::zeros(ElementType::kFloat32, count == 0 ? Shape{} : Shape{count}));
  }
  ValueId bytes(const Shape& shape) {
    return graph.add_constant("b", *Tensor::zeros(ElementType::kInt8, shape));
  }
  ValueId make(const char* op, std::vector<ValueId> inputs, Attributes attributes = {},
               bool raw = true) {
    return add({.op = op,
                .name = op,
                .inputs = std::move(inputs),
                .attributes = std::move(attributes),
                .raw = raw},
               shapes({4, 3, 3}, 1));
  }
  bool image_independent(ValueId output) {
    graph.add_output(add({.op = "Relu", .inputs = {x}}, shapes({8}, 1)));
    return independent(output);
  }
};

TEST(Independence, holds_for_quantisation_by_one_scale_or_those_of_channels) {
  QuantisedBatch one;
  EXPECT_TRUE(one.image_independent(
      one.make("DequantizeLinear",
               {one.make("QuantizeLinear", {one.image, one.scales(0)}), one.scales(0)})));
  QuantisedBatch each;
  EXPECT_TRUE(each.image_independent(each.make("QuantizeLinear", {each.image, each.scales(4)})));
}

TEST(Independence, fails_for_scales_along_the_batch) {
  QuantisedBatch b;
  EXPECT_FALSE(b.image_independent(
      b.make("QuantizeLinear", {b.image, b.scales(8)}, {{"axis", int64_t{0}}})));
  QuantisedBatch last;
  EXPECT_FALSE(last.image_independent(
      last.make("DequantizeLinear", {last.image, last.scales(8)}, {{"axis", int64_t{-4}}})));
}

TEST(Independence, fails_where_all_items_decide_on_one_scale) {
  QuantisedBatch b;
  EXPECT_FALSE(b.image_independent(b.make("DynamicQuantizeLinear", {b.image})));
}

TEST(Independence, holds_for_convolutions_of_bytes_and_fails_where_a_batch_scales_them) {
  QuantisedBatch b;
  const std::vector<ValueId> rest = {b.scales(0), b.bytes({}), b.bytes({4, 4, 1, 1}),
                                     b.scales(4), b.bytes({}), b.scales(0),
                                     b.bytes({})};
  std::vector<ValueId> inputs = {b.image};
  inputs.insert(inputs.end(), rest.begin(), rest.end());
  EXPECT_TRUE(b.image_independent(b.make("QLinearConv", inputs, {}, false)));
  QuantisedBatch mixed;
  std::vector<ValueId> wrong = {mixed.image, mixed.image};
  EXPECT_FALSE(mixed.image_independent(mixed.make("QLinearConv", wrong, {}, false)));
}

TEST(Independence, holds_for_products_of_bytes_by_a_shared_matrix_alone) {
  const auto product = [](int64_t zeros) {
    Batch b;
    const ValueId matrix = b.graph.add_constant("m", *Tensor::zeros(ElementType::kInt8, {8, 4}));
    const Shape shape = zeros == 0 ? Shape{} : Shape{zeros};
    const ValueId zero = b.graph.add_constant("z", *Tensor::zeros(ElementType::kUint8, shape));
    return b.independent(
        b.add({.op = "MatMulInteger", .name = "p", .inputs = {b.x, matrix, zero}, .raw = true},
              Batch::shapes({4}, 1)));
  };
  EXPECT_TRUE(product(0));
  EXPECT_FALSE(product(8));  // one for each row, and rows are items
}

}  // namespace
}  // namespace casemate::engine
