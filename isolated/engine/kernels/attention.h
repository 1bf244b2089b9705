// SPDX-License-Identifier: Apache-2.0
#pragma once
// The node that passes/fuse_attention.cc makes of a whole attention, and its kernel:
//
//   casemate:Attention(queries, keys, values, [mask], [past keys, past values]) -> result
//
// No operator set has it, so no file can. Each operand is read where it lies: an attribute of its
// name lists in elements where it begins, and the steps from item to item, head to head and token
// to token; the last dimension, of one head, is dense. Past keys and values come before the others.

#include <array>
#include <string_view>

namespace casemate::engine {

inline constexpr std::string_view kAttentionOp = "casemate:Attention";
// Inputs, in order; "mask" [offset, item, head, query, key] is broadcast. Behind them "result".
inline constexpr std::array<std::string_view, 6> kAttentionOperands = {
    "queries", "keys", "values", "mask", "past_keys", "past_values"};
// Attribute "sizes": what these are, in this order.
enum AttentionSize : size_t {
  kItems,
  kHeads,
  kQueries,
  kKeys,
  kPastKeys,
  kWidth,
  kValueWidth,
  kAttentionSizes,
};

}  // namespace casemate::engine
