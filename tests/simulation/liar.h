// SPDX-License-Identifier: Apache-2.0
#pragma once
// Liar: what a process that has been taken over does with one end of a stream: it writes whatever
// it likes wherever it may, most of it next to what would be right.
//
//   Owns     mappings of what that end may write.
//   Threads  the machine's.
//   Trust    none.
//   Fails    nothing can.

#include "base/fd.h"
#include "base/ids.h"
#include "base/mapping.h"
#include "wire/ring/ring.h"

namespace casemate::simulation {

class Liar final {
 public:
  // `ring` and `bulk` are what it may write; descriptors that are not valid are left alone.
  Liar(const Fd& ring, ring::Geometry geometry, Epoch epoch, const Fd& bulk);
  // One thing that it should not do, or does rightly for once.
  void lie();

 private:
  void write_record();
  void vanish();
  const Fd& ring_fd_;
  ring::Geometry geometry_;
  Epoch epoch_;
  GuardedMapping ring_;
  GuardedMapping bulk_;
  uint64_t index_ = 0;
};

}  // namespace casemate::simulation
