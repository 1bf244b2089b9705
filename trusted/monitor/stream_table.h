// SPDX-License-Identifier: Apache-2.0
#pragma once
// StreamTable: every stream of the system: connected when both ends run, revoked the moment one
// does not, and connected again, later each time, when one of them has closed it.
//
//   Owns     the shared memory of all streams.
//   Threads  one.
//   Trust    reads indices that hostile enclaves write, only to compare them with what they were.
//   Fails    connect returns kPlatform when memory cannot be had.

#include <optional>
#include <vector>

#include "base/clock.h"
#include "trusted/allow/allow.h"
#include "trusted/monitor/lifecycle.h"
#include "wire/abi/system.h"
#include "wire/control/control.h"
#include "wire/srpc/stream_pair.h"

namespace casemate::monitor {

class StreamTable final {
 public:
  // `lives`: one for each stream, which counts how often it was closed.
  StreamTable(const allow::Revoke&, const SystemDescription& description,
              std::vector<bool> event_loop_callers, const std::vector<RestartPolicy>& lives);

  [[nodiscard]] size_t size() const { return streams_.size(); }
  [[nodiscard]] uint32_t caller(size_t i) const { return description_.streams[i].caller; }
  [[nodiscard]] uint32_t callee(size_t i) const { return description_.streams[i].callee; }
  [[nodiscard]] bool connected(size_t i) const { return streams_[i].pair.has_value(); }

  // Makes fresh memory for stream `i` and the messages for its two ends.
  struct Ends {
    srpc::StreamEnd caller;
    srpc::StreamEnd callee;
  };
  Result<Ends> connect(size_t i, Instant now);
  // Proceed: poisons, wakes, shrinks to zero. True if the stream was connected.
  bool revoke(size_t i);
  // Streams that one of their ends has closed because the other lied, or says so: who of them is
  // the liar cannot be known.
  [[nodiscard]] std::vector<size_t> closed() const;
  // Revokes a closed stream. When it may be connected again; nothing: it was closed too often in a
  // row.
  std::optional<Instant> fail(size_t i, Instant now);
  // When the stream is to be connected again without a start of either end.
  [[nodiscard]] const std::optional<Instant>& reconnect_at(size_t i) const {
    return streams_[i].reconnect_at;
  }
  // Streams whose callee has had work and shown no progress for `patience`.
  [[nodiscard]] std::vector<size_t> stalled(Instant now, Duration patience);
  // Calls completed on stream `i` in all its lives.
  [[nodiscard]] uint64_t completed(size_t i) const;

 private:
  struct Stream {
    Lifecycle life;
    std::optional<Instant> reconnect_at;
    std::optional<srpc::StreamPair> pair;
    uint32_t epoch = 0;
    srpc::StreamPair::Load last;
    Instant changed{};
    uint64_t completed_before = 0;
  };
  const SystemDescription& description_;
  std::vector<bool> event_loop_callers_;
  std::vector<Stream> streams_;
};

}  // namespace casemate::monitor
