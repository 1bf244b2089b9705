// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: what exporters write for the layers of transformers, in small. See pass_graphs.h.

#include "isolated/engine/passes/pass_graphs.h"

namespace casemate::engine {

// Two items, three tokens, two heads of four.
struct TextDraft : Draft {
  static inline const Shape kTokens{2, 3, 8};
  static inline const Shape kHeads{2, 2, 3, 4};
  static inline const Shape kScores{2, 2, 3, 3};

  ValueId scalar(float value) {
    return graph.add_constant("scalar", Tensor::of<float>(Shape{}, {value}));
  }
  ValueId with(const std::string& op, ValueId x, float value) {
    return node(op, {x, scalar(value)}, graph.value(x).shapes[0]);
  }
  ValueId transposed(ValueId x, const Shape& shape, Ints order) {
    const ValueId y = node("Transpose", {x}, shape, {{"perm", std::move(order)}});
    return y;
  }
  ValueId projected(ValueId x) { return node("MatMul", {x, weights({8, 8})}, kTokens); }
  ValueId apart(ValueId x) { return node("Reshape", {x}, {2, 3, 2, 4}); }
  ValueId heads(ValueId x) { return transposed(apart(x), kHeads, {0, 2, 1, 3}); }
  ValueId together(ValueId x) {
    return node("Reshape", {transposed(x, {2, 3, 2, 4}, {0, 2, 1, 3})}, kTokens);
  }
  ValueId softmax(ValueId x) {
    return node("Softmax", {x}, graph.value(x).shapes[0],
                {{"axis", static_cast<int64_t>(graph.value(x).shapes[0].rank()) - 1}});
  }
  ValueId mean(ValueId x) {
    Shape shape = graph.value(x).shapes[0];
    const uint32_t last = shape.rank() - 1;
    shape[last] = 1;
    return node("ReduceMean", {x}, shape, {{"axes", Ints{last}}});
  }
  ValueId normalised(ValueId x, bool shifted) {
    const Shape shape = graph.value(x).shapes[0];
    const Shape columns{shape[shape.rank() - 1]};
    const ValueId deviation = node("Sub", {x, mean(x)}, shape);
    const ValueId variance = mean(with("Pow", deviation, 2));
    const ValueId root = same("Sqrt", with("Add", variance, 1e-5F));
    const ValueId y =
        node("Mul", {node("Div", {deviation, root}, shape), positive(columns)}, shape);
    return shifted ? add(y, weights(columns)) : y;
  }
  // There is no kernel for it: its operator's function runs it.
  ValueId erf(ValueId x) {
    const ValueId y = same("Erf", x);
    graph.nodes().back().raw = true;
    return y;
  }
  // x / 2 (1 + f(...)).
  ValueId gelu_tail(ValueId x, ValueId inner) {
    return with("Mul", node("Mul", {x, with("Add", inner, 1)}, graph.value(x).shapes[0]), 0.5F);
  }
  ValueId gelu_erf(ValueId x) { return gelu_tail(x, erf(with("Div", x, 1.41421356F))); }
  ValueId gelu_tanh(ValueId x, ValueId cube) {
    const ValueId bent = add(x, with("Mul", cube, 0.044715F));
    return gelu_tail(x, same("Tanh", with("Mul", bent, 0.79788456F)));
  }
};

inline const std::vector<PassGraph>& text_graphs() {
  static const std::vector<PassGraph> all = {
      {"attention as BERT has it",
       [] {
         TextDraft d;
         const ValueId x = d.input(TextDraft::kTokens);
         const ValueId q = d.heads(d.projected(x));
         const ValueId k = d.transposed(d.heads(d.projected(x)), {2, 2, 4, 3}, {0, 1, 3, 2});
         const ValueId v = d.heads(d.projected(x));
         const ValueId scores = d.with("Div", d.node("MatMul", {q, k}, TextDraft::kScores), 2);
         const ValueId shown = d.node("Add", {scores, d.input({2, 1, 1, 3})}, TextDraft::kScores);
         return d.finish({d.together(d.node("MatMul", {d.softmax(shown), v}, TextDraft::kHeads))});
       },
       "MatMul MatMul MatMul casemate:Attention Reshape"},
      {"attention whose queries and keys are scaled, and whose heads stay outside",
       [] {
         TextDraft d;
         const ValueId x = d.input(TextDraft::kTokens);
         const ValueId q = d.with("Mul", d.heads(x), 0.7F);
         const ValueId k = d.transposed(d.apart(d.same("Neg", x)), {2, 2, 4, 3}, {0, 2, 3, 1});
         const ValueId scores = d.node("MatMul", {q, d.with("Mul", k, 0.5F)}, TextDraft::kScores);
         return d.finish(
             {d.node("MatMul", {d.softmax(scores), d.heads(d.same("Abs", x))}, TextDraft::kHeads)});
       },
       "Neg Abs casemate:Attention"},
      {"attention without heads, with a mask that is added from the left",
       [] {
         TextDraft d;
         const ValueId q = d.input({2, 3, 4});
         const ValueId k = d.transposed(d.input({2, 5, 4}), {2, 4, 5}, {0, 2, 1});
         const ValueId shown =
             d.node("Add", {d.input({3, 5}), d.node("MatMul", {q, k}, {2, 3, 5})}, {2, 3, 5});
         return d.finish({d.node("MatMul", {d.softmax(shown), d.input({2, 5, 6})}, {2, 3, 6})});
       },
       "casemate:Attention"},
      {"attention as GPT-2 has it: one projection, and a cache",
       [] {
         TextDraft d;
         const ValueId x =
             d.node("MatMul", {d.input(TextDraft::kTokens), d.weights({8, 24})}, {2, 3, 24});
         const ValueId q = d.graph.add_node(
             {.op = "Split", .name = "split", .inputs = {x}, .attributes = {{"axis", int64_t{2}}}},
             {{"q", ElementType::kFloat32, {TextDraft::kTokens}},
              {"k", ElementType::kFloat32, {TextDraft::kTokens}},
              {"v", ElementType::kFloat32, {TextDraft::kTokens}}});
         d.graph.nodes().back().raw = true;
         const std::vector<ValueId> parts = d.graph.nodes().back().outputs;
         const auto cached = [&](ValueId now) {
           return d.node("Concat", {d.input({2, 2, 2, 4}), d.heads(now)}, {2, 2, 5, 4},
                         {{"axis", int64_t{-2}}});
         };
         const ValueId k = cached(parts[1]);
         const ValueId v = cached(parts[2]);
         const ValueId scores = d.node(
             "MatMul", {d.heads(q), d.transposed(k, {2, 2, 4, 5}, {0, 1, 3, 2})}, {2, 2, 3, 5});
         const ValueId shown =
             d.node("Add", {d.with("Mul", scores, 0.5F), d.input({1, 1, 3, 5})}, {2, 2, 3, 5});
         return d.finish(
             {d.together(d.node("MatMul", {d.softmax(shown), v}, TextDraft::kHeads)), k, v});
       },
       "MatMul casemate:Copy Concat casemate:Copy Concat casemate:Attention Reshape"},
      {"attention whose weights are a result stays as it is",
       [] {
         TextDraft d;
         const ValueId k = d.transposed(d.input({2, 5, 4}), {2, 4, 5}, {0, 2, 1});
         const ValueId weights = d.softmax(d.node("MatMul", {d.input({2, 3, 4}), k}, {2, 3, 5}));
         return d.finish({weights, d.node("MatMul", {weights, d.input({2, 5, 6})}, {2, 3, 6})});
       },
       "Transpose MatMul Softmax MatMul"},
      {"a cache that is still empty",
       [] {
         TextDraft d;
         const ValueId now = d.same("Abs", d.input({2, 3}));
         return d.finish({d.same(
             "Neg", d.node("Concat", {d.input({0, 3}), now}, {2, 3}, {{"axis", int64_t{0}}}))});
       },
       "Abs Neg"},
      {"a part of a value, transposed",
       [] {
         TextDraft d;
         const ValueId x = d.same("Abs", d.input({2, 6}));
         const ValueId part =
             d.node("Slice", {x}, {2, 3}, {{"starts", Ints{0, 3}}, {"steps", Ints{1, 1}}});
         return d.finish({d.transposed(part, {3, 2}, {1, 0})});
       },
       "Abs casemate:Copy"},
      {"Gelu by its error function",
       [] {
         TextDraft d;
         return d.finish({d.gelu_erf(d.input({3, 7}))});
       },
       "Gelu"},
      {"Gelu by tanh, behind a product with a bias",
       [] {
         TextDraft d;
         const ValueId x = d.add(d.projected(d.input(TextDraft::kTokens)), d.weights({8}));
         return d.finish({d.gelu_tanh(x, d.with("Pow", x, 3))});
       },
       "MatMul+Add+GeluTanh"},
      {"Gelu by tanh, its cube written as products",
       [] {
         TextDraft d;
         const ValueId x = d.input({3, 7});
         const ValueId square = d.node("Mul", {x, x}, {3, 7});
         return d.finish({d.gelu_tanh(x, d.node("Mul", {square, x}, {3, 7}))});
       },
       "Gelu"},
      {"what is nearly Gelu",
       [] {
         TextDraft d;
         const ValueId x = d.input({3, 7});
         return d.finish({d.gelu_tail(x, d.erf(d.with("Div", x, 1.5F)))});
       },
       "Div Erf Add Mul Mul"},
      {"layer normalization written out",
       [] {
         TextDraft d;
         return d.finish({d.same("Neg", d.normalised(d.input(TextDraft::kTokens), true))});
       },
       "LayerNormalization Neg"},
      {"layer normalization written out without a shift, its deviation an output, too",
       [] {
         TextDraft d;
         const ValueId y = d.normalised(d.input(TextDraft::kTokens), false);
         return d.finish({y, d.graph.nodes()[1].output()});
       },
       "ReduceMean Sub LayerNormalization"},
      {"a stack of rows flattened for a product, with what is added behind it",
       [] {
         TextDraft d;
         const ValueId x = d.same("Abs", d.input(TextDraft::kTokens));
         const ValueId gemm = d.node(
             "Gemm", {d.node("Reshape", {x}, {6, 8}), d.weights({8, 8}), d.weights({8})}, {6, 8});
         return d.finish({d.add(d.node("Reshape", {gemm}, TextDraft::kTokens), x)});
       },
       "Abs MatMul+Add+Add"},
  };
  return all;
}

inline std::vector<PassGraph> pass_graphs() {
  std::vector<PassGraph> all = image_graphs();
  all.insert(all.end(), pair_graphs().begin(), pair_graphs().end());
  all.insert(all.end(), text_graphs().begin(), text_graphs().end());
  return all;
}

}  // namespace casemate::engine
