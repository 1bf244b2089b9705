// SPDX-License-Identifier: Apache-2.0
#pragma once
// Unpacking: weights brought back from the blocks in which oneDNN reads them, by plain loops: it
// works where no machine code may be generated. Included only by sources of this folder.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    descriptions are those that the weights were packed with.
//   Fails    cannot.

#include <oneapi/dnnl/dnnl.hpp>
#include <string>

#include "base/bytes.h"

namespace casemate::engine {

// Whether what was reordered from `plain` to `packed` holds the same 32-bit elements, each at a
// place that the descriptions tell.
bool unpackable(const dnnl::memory::desc& plain, const dnnl::memory::desc& packed);

// The bytes that were reordered from `plain`, dense in some order, to `packed`. Requires:
// unpackable().
std::string unpack(Bytes bytes, const dnnl::memory::desc& plain, const dnnl::memory::desc& packed);

// Whether its last blocks are filled up with zeros.
bool half_filled(const dnnl::memory::desc& packed);
// The way there, for such blocks: oneDNN 3.7 puts some elements of theirs in wrong places, those of
// 16 filters of 20 channels for example. Requires: unpackable(); `to` has the bytes of `packed`.
void pack_half_filled(Bytes bytes, const dnnl::memory::desc& plain,
                      const dnnl::memory::desc& packed, MutableBytes to);

}  // namespace casemate::engine
