// SPDX-License-Identifier: Apache-2.0
#pragma once
// Layout: how the elements of a tensor lie in memory while a model runs. What enters and leaves a
// model is always row-major; in between, a convolution is faster when the channels of one pixel lie
// together. Only tensors [N,C,spatial...] know another layout than kRowMajor.

#include <string_view>

#include "wire/abi/tensor.h"

namespace casemate::engine {

enum class Layout : uint8_t {
  kRowMajor,      // [N,C,H,W]
  kChannelsLast,  // [N,H,W,C]
  kBlocked8,      // [N,C/8,H,W,8], the last block padded with zeros
  kBlocked16,     // [N,C/16,H,W,16], ditto
};

// "row-major", "channels-last", ...
std::string_view name_of(Layout layout);

// True when a tensor of this shape can have the layout: any can be row-major, others need
// rank 3..5.
bool layout_fits(const Shape& shape, Layout layout);

// Bytes of such a tensor, with the padding of blocked layouts. Requires: layout_fits. Fails as
// tensor_bytes().
Result<uint64_t> layout_bytes(ElementType type, const Shape& shape, Layout layout);

// True when both layouts put every element of this shape in the same place, as row-major and
// channels-last do for one channel or one pixel: then no reordering is needed.
bool same_placement(const Shape& shape, Layout a, Layout b);

}  // namespace casemate::engine
