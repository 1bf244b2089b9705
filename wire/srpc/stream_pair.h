// SPDX-License-Identifier: Apache-2.0
#pragma once
// StreamPair: both ends of a stream over fresh memfds, as the monitor makes them: each end can
// write only what is its own. The monitor uses it to connect enclaves; tests and benchmarks use it
// to be both ends.
//
//   Owns     the monitor's own writable descriptors, until it revokes the stream.
//   Threads  none of its own.
//   Trust    the ends may go to hostile processes; the shape is not in the shared memory.
//   Fails    make returns kPlatform when the kernel refuses a memfd, kInvalid for an impossible
//            shape.

#include "base/fd.h"
#include "wire/ring/ring.h"
#include "wire/srpc/srpc.h"

namespace casemate::srpc {

struct StreamShape {
  uint32_t slots = 16;
  uint64_t bulk_in_bytes = 0;
  uint64_t bulk_out_bytes = 0;
  bool caller_bell = false;  // the caller waits in an event loop
};

class StreamPair final {
 public:
  static Result<StreamPair> make(StreamId id, Epoch epoch, const StreamShape& shape);

  // Descriptors for that end. May be called again after a restart of that end within the same
  // epoch.
  [[nodiscard]] Result<StreamEnd> caller_end() const;
  [[nodiscard]] Result<StreamEnd> callee_end() const;
  // Proceed-trap: poisons both rings, wakes both sleepers, and takes every page away. Idempotent.
  // A caller in an event loop hears of it from the monitor.
  void revoke();
  // Requests published and not completed, and the callee's progress: what the hang detector
  // compares.
  struct Load {
    uint64_t requested = 0;
    uint64_t completed = 0;
    uint64_t progress = 0;
    bool operator==(const Load&) const = default;
  };
  [[nodiscard]] Load load() const;
  // True once either end has closed the stream, or made its memory vanish.
  [[nodiscard]] bool closed() const;
  [[nodiscard]] bool revoked() const { return revoked_; }

 private:
  StreamId id_;
  Epoch epoch_;
  StreamShape shape_;
  Fd requests_;
  Fd replies_;
  Fd bulk_in_;
  Fd bulk_out_;
  Fd bell_;
  GuardedMapping requests_memory_;
  GuardedMapping replies_memory_;
  bool revoked_ = false;
};

}  // namespace casemate::srpc
