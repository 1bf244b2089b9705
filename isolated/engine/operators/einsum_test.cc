// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/expect_near.h"

namespace casemate::engine {
namespace {

Result<std::vector<Datum>> einsum(const std::string& equation, std::vector<Datum> operands) {
  return run_node({"Einsum", {{"equation", equation}}, std::move(operands)});
}

TEST(Einsum, one_operand_is_transposed_summed_or_its_diagonal) {
  const Tensor x = counting({2, 2});
  expect_near(einsum("ij->ji", {x}), {0, 2, 1, 3});
  expect_near(einsum("ij->i", {x}), {1, 5});
  expect_near(einsum("ii->i", {x}), {0, 3});
  expect_near(einsum("ii", {x}), {3});
  expect_near(einsum("ij->", {x}), {6});
  expect_near(einsum("ba", {x}), {0, 2, 1, 3});  // in the order of the alphabet
}

TEST(Einsum, two_operands_multiply_as_matrices_vectors_or_one_by_one) {
  const Tensor a = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  const Tensor v = Tensor::of<float>({2}, {1, 2});
  expect_near(einsum("ij,jk->ik", {a, a}), {7, 10, 15, 22});
  expect_near(einsum("ij,jk", {a, a}), {7, 10, 15, 22});
  expect_near(einsum(" i j , j -> i ", {a, v}), {5, 11});
  expect_near(einsum("i,i->i", {v, v}), {1, 4});
  expect_near(einsum("i,i", {v, v}), {5});
  expect_near(einsum("i,j->ij", {v, v}), {1, 2, 2, 4});
  expect_near(einsum("i,j->", {v, v}), {9});
  expect_near(einsum("ij,ik->jk", {a, a}), {10, 14, 14, 20});
}

TEST(Einsum, an_ellipsis_stands_for_dimensions_that_are_broadcast) {
  const Tensor batch = counting({3, 2, 2});
  const Tensor a = Tensor::of<float>({2, 1}, {1, 10});
  const auto y = einsum("...ij,jk->...ik", {batch, a});
  EXPECT_EQ(shape_made(y), (Shape{3, 2, 1}));
  expect_near(y, {10, 32, 54, 76, 98, 120});
  expect_near(einsum("...ii->...i", {batch}), {0, 3, 4, 7, 8, 11});
  const auto spread = einsum("...i,...i", {counting({2, 1, 2}), counting({3, 2})});
  EXPECT_EQ(shape_made(spread), (Shape{2, 3}));
  expect_near(spread, {1, 3, 5, 3, 13, 23});
  expect_near(einsum("...->", {batch}), {66});
}

TEST(Einsum, any_number_of_operands_is_multiplied) {
  const Tensor a = counting({2, 3});
  const Tensor b = counting({3, 2});
  const Tensor v = Tensor::of<float>({2}, {1, 2});
  // a b = [[10, 13], [28, 40]]
  expect_near(einsum("ij,jk,k->i", {a, b, v}), {36, 108});
  expect_near(einsum("i,ij,jk,k", {v, a, b, v}), {252});
  expect_near(einsum("a,b,c->abc", {v, v, v}), {1, 2, 2, 4, 2, 4, 4, 8});
  expect_near(einsum("i,i,i", {v, v, v}), {9});
}

TEST(Einsum, extents_of_one_are_broadcast) {
  const Tensor one = Tensor::of<float>({1, 2}, {1, 2});
  const Tensor two = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  expect_near(einsum("ij,ij->ij", {one, two}), {1, 4, 3, 8});
  expect_near(einsum("ij,ij->j", {one, two}), {4, 12});
  expect_near(einsum("ij,ij->", {two, one}), {16});
}

TEST(Einsum, small_integers_wrap) {
  const Tensor x = Tensor::of<int8_t>({2}, {100, 100});
  EXPECT_EQ(values_of<int8_t>(einsum("i->", {x})), (std::vector<int8_t>{-56}));
  EXPECT_EQ(values_of<uint64_t>(einsum("i,i", {counting<uint64_t>({3}), counting<uint64_t>({3})})),
            (std::vector<uint64_t>{5}));
  expect_near<Float16>(einsum("i,i", {counting<Float16>({3}), counting<Float16>({3})}), {5});
}

TEST(Einsum, sums_over_nothing_are_zero) {
  const Tensor none = Tensor::of<float>({1 << 30, 0}, {});
  expect_near(einsum("ij,ik,l->l", {none, none, counting({2})}), {0, 0});
  EXPECT_EQ(shape_made(einsum("ij->j", {none})), (Shape{0}));
}

TEST(Einsum, products_in_between_are_bounded) {
  const Tensor x = counting({4096});
  EXPECT_EQ(error_of(einsum("a,b,c,d,a,b,c,d->", {x, x, x, x, x, x, x, x})),
            "more than a test may have");
}

TEST(Einsum, equations_that_mean_nothing_are_refused) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(error_of(einsum("ij,jk", {x})), "its equation \"ij,jk\" has 2 terms for 1 operands");
  EXPECT_EQ(error_of(einsum("ijk", {x})),
            "its equation \"ijk\" has the term \"ijk\" for an operand of 2 dimensions");
  EXPECT_EQ(error_of(einsum("i", {x})),
            "its equation \"i\" has the term \"i\" for an operand of 2 dimensions");
  EXPECT_EQ(error_of(einsum("ii", {x})),
            "its equation \"ii\" gives one label to dimensions of 2 and 3 elements");
  EXPECT_EQ(error_of(einsum("ij,ij", {x, counting({2, 2})})),
            "its equation \"ij,ij\" gives one label to dimensions of 3 and 2 elements");
  for (const char* bad : {"i1", "i..j", "i-j", "ij->i->j", "ij->i,j", "......", "ij-", "i\xff"}) {
    EXPECT_TRUE(error_of(einsum(bad, {x})).contains("its equation")) << bad;
  }
  EXPECT_EQ(error_of(einsum("ij->ii", {x})),
            "its equation \"ij->ii\" names a dimension of the result twice");
  EXPECT_EQ(error_of(einsum("ij->k", {x})),
            "its equation \"ij->k\" names a dimension of the result that no operand has");
  EXPECT_EQ(error_of(einsum("", {x})),
            "its equation \"\" has the term \"\" for an operand of 2 dimensions");
  EXPECT_EQ(error_of(einsum("abcde,fghij->abcdefghij",
                            {counting({1, 1, 1, 1, 1}), counting({1, 1, 1, 1, 1})})),
            "its equation \"abcde,fghij->abcdefghij\" has a result of more than 8 dimensions");
}

}  // namespace
}  // namespace casemate::engine
