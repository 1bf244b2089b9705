// SPDX-License-Identifier: Apache-2.0
#include "wire/srpc/stream_pair.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/format.h"
#include "base/memory_file.h"

namespace casemate::srpc {
namespace {

Result<Fd> make_memory(const char* name, uint64_t size) {
  Fd fd = TRY(make_memory_file(name));
  if (::ftruncate(fd.number(), static_cast<off_t>(size)) != 0)
    return errno_error("making shared memory for a stream");
  // No further seals: nobody who holds a descriptor can take the monitor's power to shrink it. And
  // nobody can put back what was taken: a write() beyond its end would make a memfd grow.
  if (::fcntl(fd.number(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return errno_error("sealing shared memory");
  return fd;
}

Result<Fd> duplicate(const Fd& fd) {
  if (!fd.valid()) return Fd();
  Fd copy(::fcntl(fd.number(), F_DUPFD_CLOEXEC, 3));
  if (!copy.valid()) return errno_error("duplicating a descriptor");
  return copy;
}

// A second description of the same memory that cannot be mapped writable.
Result<Fd> read_only(const Fd& fd) {
  if (!fd.valid()) return Fd();
  const std::string path = formatted("/proc/self/fd/{}", fd.number());
  Fd copy(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!copy.valid()) return errno_error("reopening shared memory read-only");
  return copy;
}

}  // namespace

Result<StreamPair> StreamPair::make(StreamId id, Epoch epoch, const StreamShape& shape) {
  StreamPair pair;
  pair.id_ = id;
  pair.epoch_ = epoch;
  pair.shape_ = shape;
  const ring::Geometry geometry{shape.slots, sizeof(Request)};
  pair.requests_ = TRY(make_memory("requests", geometry.size()));
  pair.replies_ = TRY(make_memory("replies", geometry.size()));
  if (shape.bulk_in_bytes != 0) pair.bulk_in_ = TRY(make_memory("bulk-in", shape.bulk_in_bytes));
  if (shape.bulk_out_bytes != 0)
    pair.bulk_out_ = TRY(make_memory("bulk-out", shape.bulk_out_bytes));
  if (shape.caller_bell) {
    pair.bell_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!pair.bell_.valid()) return errno_error("making a bell");
  }
  pair.requests_memory_ = TRY(GuardedMapping::make(pair.requests_.number(), geometry.size(), true));
  pair.replies_memory_ = TRY(GuardedMapping::make(pair.replies_.number(), geometry.size(), true));
  return pair;
}

Result<StreamEnd> StreamPair::caller_end() const {
  return StreamEnd{id_,
                   epoch_,
                   shape_.slots,
                   shape_.bulk_in_bytes,
                   shape_.bulk_out_bytes,
                   TRY(duplicate(requests_)),
                   TRY(read_only(replies_)),
                   TRY(duplicate(bulk_in_)),
                   TRY(read_only(bulk_out_)),
                   TRY(duplicate(bell_))};
}

Result<StreamEnd> StreamPair::callee_end() const {
  return StreamEnd{id_,
                   epoch_,
                   shape_.slots,
                   shape_.bulk_in_bytes,
                   shape_.bulk_out_bytes,
                   TRY(read_only(requests_)),
                   TRY(duplicate(replies_)),
                   TRY(read_only(bulk_in_)),
                   TRY(duplicate(bulk_out_)),
                   TRY(duplicate(bell_))};
}

void StreamPair::revoke() {
  if (revoked_) return;
  revoked_ = true;
  // Bulk memory first: who learns from a poisoned ring that the other side has failed must find
  // nothing of it any more.
  const auto shrink = [](const Fd& fd) {
    if (fd.valid()) [[maybe_unused]]
      const int shrunk = ::ftruncate(fd.number(), 0);
  };
  shrink(bulk_in_);
  shrink(bulk_out_);
  ring::poison(requests_memory_.bytes());
  ring::poison(replies_memory_.bytes());
  shrink(requests_);
  shrink(replies_);
  // Not the bell: whoever holds it may have filled it, and a write would wait for a reader.
}

bool StreamPair::closed() const {
  if (revoked_ || requests_memory_.failed() || replies_memory_.failed()) return true;
  const Load now = load();
  return now.requested == ring::kPoison || now.completed == ring::kPoison;
}

StreamPair::Load StreamPair::load() const {
  if (revoked_) return {};
  const ring::Pulse requests = ring::pulse(requests_memory_.bytes());
  const ring::Pulse replies = ring::pulse(replies_memory_.bytes());
  return {requests.index, replies.index, replies.progress};
}

}  // namespace casemate::srpc
