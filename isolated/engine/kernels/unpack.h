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

// The other way, with zeros where `packed` has room for more. oneDNN's own generated loops lose
// elements at the ends of blocks of two dimensions on some processors (3.7.2, AMD's Zen 5).
// Requires: unpackable(), and memory of the sizes that the descriptions tell.
void pack(Bytes bytes, const dnnl::memory::desc& plain, const dnnl::memory::desc& packed,
          MutableBytes to);

}  // namespace casemate::engine
