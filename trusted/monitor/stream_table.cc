// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/stream_table.h"

namespace casemate::monitor {

StreamTable::StreamTable(const allow::Revoke&, const SystemDescription& description,
                         std::vector<bool> event_loop_callers,
                         const std::vector<RestartPolicy>& lives)
    : description_(description), event_loop_callers_(std::move(event_loop_callers)) {
  for (const RestartPolicy& policy : lives) streams_.emplace_back(Lifecycle(policy));
}

Result<StreamTable::Ends> StreamTable::connect(size_t i, Instant now) {
  revoke(i);
  const StreamDescription& d = description_.streams[i];
  Stream& stream = streams_[i];
  const srpc::StreamShape shape{d.slots, d.bulk_in_bytes, d.bulk_out_bytes,
                                event_loop_callers_[d.caller]};
  auto pair = TRY(srpc::StreamPair::make({static_cast<uint32_t>(i)}, {++stream.epoch}, shape));
  Ends ends{TRY(pair.caller_end()), TRY(pair.callee_end())};
  stream.pair.emplace(std::move(pair));
  stream.last = {};
  stream.changed = now;
  stream.life.starting(now);
  stream.life.running(now);
  return ends;
}

bool StreamTable::revoke(size_t i) {
  Stream& stream = streams_[i];
  stream.reconnect_at.reset();
  if (!stream.pair) return false;
  // Poison and nonsense are not counted as calls.
  if (!stream.pair->closed()) stream.completed_before += stream.pair->load().completed;
  stream.pair->revoke();
  stream.pair.reset();
  return true;
}

std::vector<size_t> StreamTable::closed() const {
  std::vector<size_t> result;
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i].pair && streams_[i].pair->closed()) result.push_back(i);
  }
  return result;
}

std::optional<Instant> StreamTable::fail(size_t i, Instant now) {
  revoke(i);
  return streams_[i].reconnect_at = streams_[i].life.failed(now);
}

std::vector<size_t> StreamTable::stalled(Instant now, Duration patience) {
  std::vector<size_t> result;
  for (size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    if (!stream.pair) continue;
    const auto load = stream.pair->load();
    const bool moved =
        load.completed != stream.last.completed || load.progress != stream.last.progress;
    // A stream that was idle starts its clock when work arrives, not when it last finished some.
    const bool was_idle = stream.last.requested == stream.last.completed;
    if (moved || was_idle) stream.changed = now;
    stream.last = load;
    if (load.requested != load.completed && now - stream.changed >= patience) result.push_back(i);
  }
  return result;
}

uint64_t StreamTable::completed(size_t i) const {
  const Stream& stream = streams_[i];
  return stream.completed_before +
         (stream.pair && !stream.pair->closed() ? stream.pair->load().completed : 0);
}

}  // namespace casemate::monitor
