// SPDX-License-Identifier: Apache-2.0
#pragma once
// Passes: rewrites of a graph that change its speed and nothing else. One file each, in one list,
// in the order in which they run.
//
//   Owns     nothing.
//   Threads  one; starts none.
//   Trust    the graph is sound() and comes from a file that may be an attacker's: no pass may
//            compute more than kFoldedBytesMax, or rely on what was not checked.
//   Fails    with kInvalid when a pass left an unsound graph, which is a bug of ours but not worth
//            a process.

#include <span>
#include <string_view>

#include "isolated/engine/graph/graph.h"
#include "isolated/engine/passes/derivations.h"

namespace casemate::engine {

using Rewrite = void (*)(Graph& graph, Derivations& derivations);

struct Pass {
  std::string_view name;
  Rewrite run;
  // Instead of it where no code is generated; nullptr: the same.
  Rewrite for_own_loops = nullptr;
};

// All passes, in order.
std::span<const Pass> passes();

// What may be fused into a node: all that generated code can do, or what our own loops do.
enum class Fusion : uint8_t { kAll, kOwnLoops };

// Runs them all and drops what is dead.
Status optimize(Graph& graph, Derivations& derivations, Fusion fusion = Fusion::kAll);

// What constant folding may add to a graph, all results together: 256 MiB. Real models fold shapes
// and a few weights; a hostile one may ask to expand one number to terabytes.
inline constexpr uint64_t kFoldedBytesMax = 256ull << 20;

// Identity, and Cast, Reshape, Transpose and Concat that change nothing, are passed by; a Reshape
// of a Reshape is one.
void remove_identities(Graph& graph);
// Conv, Gemm and MatMul between DequantizeLinear and QuantizeLinear become products of integers.
void fuse_quantised_products(Graph& graph);
// What else lies between them works on the bytes: sums, pooling, movement, tables.
void fuse_quantised_values(Graph& graph);
// A sum of bytes is done by the product that makes one of them.
void fuse_quantised_sums(Graph& graph);
// MatMulInteger, and the Cast and the Mul that make it real again, become one product.
void fuse_dynamic_quantisation(Graph& graph);
// Gelu written out with Erf or Tanh becomes one node.
void fuse_gelu(Graph& graph);
// Layer normalization written out with means, differences and a root becomes one node.
void fuse_layer_normalization(Graph& graph);
// MatMul of a matrix by a constant one, and an Add of a row after it, become Gemm.
void turn_matmul_into_gemm(Graph& graph);
// Gemm between two Reshapes that flatten and restore its rows becomes MatMul without them.
void unflatten_products(Graph& graph);
// Conv followed by BatchNormalization: the normalization goes into weights and bias.
void fold_batch_normalization(Graph& graph, Derivations& derivations);
// BatchNormalization of an image that stands before convolutions: a depth-wise Conv of single
// pixels, which takes an activation and can be one with the Conv that reads it.
void turn_normalization_into_convolution(Graph& graph, Derivations& derivations);
// Concat of channels whose first inputs are all that an earlier one has: it reads that one.
void chain_concatenations(Graph& graph);
// Conv followed by Add, Sub, Mul or Div with one constant per channel: ditto.
void fold_channel_arithmetic(Graph& graph, Derivations& derivations);
// Pad with zeros before Conv: the convolution pads.
void fold_padding(Graph& graph);
// Gemm of a flattened image reads the image itself.
void absorb_flattening(Graph& graph);
// A depth-wise Conv and the Conv of single pixels that reads it alone become one node; their
// activations and sums are fused before.
void fuse_separable_convolutions(Graph& graph);
// The products and the Softmax of attention, with what brings heads apart and together, become one
// node.
void fuse_attention(Graph& graph);
// A Transpose of a part of a value reads it from the whole, so that nothing else copies it.
void copy_once(Graph& graph);
// Activations, and sums with another value (residuals), are done by the Conv, Gemm, MatMul or Add
// whose result they work on.
void fuse_post_operations(Graph& graph);
// The same as far as our own convolutions and products by constants go: one sum with a value, for
// products one with a row before it, then one of the activations that they know.
void fuse_into_own_loops(Graph& graph);

}  // namespace casemate::engine
