// SPDX-License-Identifier: Apache-2.0
#include "isolated/srpc/srpc.h"

#include <sched.h>
#include <unistd.h>

#include "base/check.h"
#include "base/format.h"

namespace casemate::srpc {
namespace {

constexpr uint32_t kRecordBytes = 256;
// Looking at the clock costs more than looking at the ring.
constexpr int kSpinsPerClock = 64;
// So little that everything else is looked at as often as need be.
constexpr int kSpinsPerLook = 128;

Status check_shape(const StreamEnd& end) {
  if (end.slots == 0 || end.slots > limits::kStreamSlots) {
    return Error{Code::kInvalid,
                 formatted("a stream has 1 to {} slots, not {}", limits::kStreamSlots, end.slots)};
  }
  return {};
}

Result<GuardedMapping> map_bulk(const Fd& fd, uint64_t size, bool writable) {
  if (size == 0) return GuardedMapping();
  return GuardedMapping::make(fd.number(), size, writable);
}

// Spins until `ring` moves on from `seen`; false when it has not by `deadline`.
bool spin_for_change(const ring::ConsumerEnd& ring, uint64_t seen, Instant deadline) {
  while (system_clock().now() < deadline) {
    for (int i = 0; i < kSpinsPerClock; ++i) {
      if (!ring.unchanged(seen)) return true;
      __builtin_ia32_pause();
    }
  }
  return false;
}

// Naps with the sleeping flag up until `ring` moves on from `seen`; false when it has not by
// `deadline`.
bool sleep_for_change(const ring::ConsumerEnd& ring, ring::ProducerEnd& own, uint64_t seen,
                      Duration nap, Instant deadline) {
  Instant now = system_clock().now();
  own.announce_sleep(true);
  bool changed = !ring.index().equals(seen);
  while (!changed && now < deadline && !ring.failed() && !own.failed()) {
    ring.sleep(seen, std::min<Duration>(nap, deadline - now));
    changed = !ring.unchanged(seen);
    // Looks at our own memory, too: what the monitor took of the peer's, the peer may have put
    // back.
    if (!changed) own.announce_sleep(true);
    now = system_clock().now();
  }
  own.announce_sleep(false);
  return changed;
}

// Spins for a few microseconds; true when `ring` has moved on from `seen`.
bool glance(const ring::ConsumerEnd& ring, uint64_t seen) {
  for (int i = 0; i < kSpinsPerLook; ++i) {
    if (!ring.unchanged(seen)) return true;
    __builtin_ia32_pause();
  }
  return false;
}

int cores_allowed() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace

Result<Caller> Caller::make(StreamEnd end, Waiting waiting) {
  TRY(check_shape(end));
  Caller caller;
  const ring::Geometry geometry{end.slots, kRecordBytes};
  caller.requests_ = TRY(ring::ProducerEnd::make(end.requests.number(), geometry));
  caller.replies_ = TRY(ring::ConsumerEnd::make(end.replies.number(), geometry));
  caller.bulk_in_ = TRY(map_bulk(end.bulk_in, end.bulk_in_bytes, true));
  caller.bulk_out_ = TRY(map_bulk(end.bulk_out, end.bulk_out_bytes, false));
  caller.end_ = std::move(end);
  caller.waiting_ = waiting;
  // With one core for both, who spins keeps the other from working.
  if (cores_allowed() < 2) caller.waiting_.look = false;
  static_cast<void>(waiting.look && caller.arm());
  return caller;
}

// Where memory has vanished the monitor has revoked the stream, and there is nobody to tell.
Status Caller::fail(std::string_view why) {
  if (!failed()) requests_.close();
  failed_ = true;
  return Error{Code::kPartitionFailed, formatted("stream {}: {}", end_.id.number, why)};
}

bool Caller::failed() const {
  return failed_ || requests_.failed() || replies_.failed() || bulk_in_.failed() ||
         bulk_out_.failed();
}

uint32_t Caller::free_slots() const {
  return end_.slots - static_cast<uint32_t>(requested_ - taken_);
}

Result<uint64_t> Caller::submit(uint32_t call, Bytes args, bool posted) {
  CHECK(args.size() <= kPayloadBytes, "larger arguments travel in bulk");
  if (failed()) return fail("the other side is gone").error();
  if (free_slots() == 0) {
    return Error{Code::kUnavailable,
                 formatted("stream {}: all {} slots are in flight", end_.id.number, end_.slots)};
  }
  if (waiting_.look) begin();
  Request request;
  request.sequence = requested_;
  request.epoch = end_.epoch.number;
  request.call = call;
  request.length = static_cast<uint32_t>(args.size());
  std::ranges::copy(args, request.payload.begin());
  requests_.write(requested_,
                  bytes_of(request).first(sizeof(Request) - kPayloadBytes + args.size()));
  announce_core();
  const uint64_t bit = uint64_t{1} << (requested_ % limits::kStreamSlots);
  posted_ = posted ? posted_ | bit : posted_ & ~bit;
  requests_.publish(++requested_);
  if (replies_.peer_sleeps()) requests_.wake();
  return request.sequence;
}

Result<uint64_t> Caller::call(uint32_t call, Bytes args) { return submit(call, args, false); }

Status Caller::post(uint32_t call, Bytes args) {
  if (free_slots() == 0) {
    // Posted calls hold their slots only until they complete: make room by taking what is done.
    TRY(refresh());
    while (taken_ < completed_ && TRY(take())) {
      return fail("a posted call met a reply that somebody has yet to take");
    }
  }
  (void)TRY(submit(call, args, true));
  return {};
}

Status Caller::refresh() {
  const auto index =
      replies_.index().check([&](uint64_t v) { return v >= completed_ && v <= requested_; });
  if (failed()) return fail("the other side is gone");
  if (!index) return fail("the other side's completed index is impossible");
  completed_ = *index;
  return {};
}

// The next reply that somebody waits for, passing over those of posted calls.
Result<std::optional<Reply>> Caller::take() {
  while (taken_ < completed_) {
    Reply reply;
    replies_.read(taken_, mutable_bytes_of(reply));
    if (failed()) return fail("the other side is gone").error();
    if (reply.sequence != taken_ || reply.epoch != end_.epoch.number ||
        reply.length > kPayloadBytes) {
      return fail("a reply is out of sequence, of another epoch or too long").error();
    }
    const bool posted = (posted_ >> (taken_ % limits::kStreamSlots) & 1) != 0;
    ++taken_;
    if (alone_) end(posted);
    if (!posted) return std::optional(reply);
    if (posted_error_ == Code::kOk) posted_error_ = code_from(reply.code);
  }
  return std::optional<Reply>();
}

Result<std::optional<Reply>> Caller::poll() {
  TRY(refresh());
  return take();
}

// A callee may work on the core of a caller that sleeps, and had better not on that of one that
// spins.
void Caller::announce_core() {
  const bool sleeps = armed_ || waiting_.spin.count() == 0;
  const int here = ::sched_getcpu();
  const int core = sleeps || here < 0 ? here : spinning_on(here);
  if (core != core_) requests_.announce_core(core_ = core);
}

bool Caller::wait_for_progress(Instant deadline) {
  const Instant spin_until = std::min(deadline, system_clock().now() + waiting_.spin);
  return spin_for_change(replies_, completed_, spin_until) ||
         sleep_for_change(replies_, requests_, completed_, waiting_.nap, deadline);
}

Result<Reply> Caller::next(Duration timeout) {
  const Instant deadline = system_clock().now() + timeout;
  while (true) {
    const std::optional<Reply> reply = TRY(poll());
    if (reply) return *reply;
    if (taken_ == requested_)
      return Error{Code::kInvalid, "no call is in flight whose reply could come"};
    if (!wait_for_progress(deadline) && !failed()) {
      return Error{Code::kTimedOut, formatted("stream {}: no reply in time", end_.id.number)};
    }
  }
}

Status Caller::sync(Duration timeout) {
  const Instant deadline = system_clock().now() + timeout;
  TRY(refresh());
  while (completed_ < requested_) {
    if (!wait_for_progress(deadline) && !failed()) {
      return Error{Code::kTimedOut,
                   formatted("stream {}: calls did not complete in time", end_.id.number)};
    }
    TRY(refresh());
  }
  if (TRY(take())) return fail("sync() met a reply that somebody has yet to take");
  const Code code = std::exchange(posted_error_, Code::kOk);
  if (code != Code::kOk)
    return Error{code, formatted("stream {}: a posted call failed", end_.id.number)};
  return {};
}

bool Caller::arm() {
  armed_ = true;
  requests_.announce_sleep(true);
  return replies_.index().equals(completed_) && !failed();
}

void Caller::disarm() {
  armed_ = false;
  requests_.announce_sleep(false);
}

// A call starts. With others in flight it is not known which of them takes how long.
void Caller::begin() {
  alone_ = in_flight() == 0;
  if (!alone_) return;
  if (spinning_.spins() && armed_) disarm();
  if (!spinning_.spins() && !armed_) static_cast<void>(arm());
  begun_ = system_clock().now();
}

void Caller::end(bool posted) {
  alone_ = false;
  if (!posted) spinning_.ended(system_clock().now() - begun_);
}

Look Caller::look() {
  if (!replies_.index().equals(completed_) || failed()) return Look::kReply;
  if (!armed_ && alone_ && system_clock().now() - begun_ < spinning_.patience())
    return glance(replies_, completed_) ? Look::kReply : Look::kSpinning;
  return armed_ || arm() ? Look::kAsleep : Look::kReply;
}

Result<Callee> Callee::make(StreamEnd end, Waiting waiting) {
  TRY(check_shape(end));
  Callee callee;
  const ring::Geometry geometry{end.slots, kRecordBytes};
  callee.requests_ = TRY(ring::ConsumerEnd::make(end.requests.number(), geometry));
  callee.replies_ = TRY(ring::ProducerEnd::make(end.replies.number(), geometry));
  callee.bulk_in_ = TRY(map_bulk(end.bulk_in, end.bulk_in_bytes, false));
  callee.bulk_out_ = TRY(map_bulk(end.bulk_out, end.bulk_out_bytes, true));
  callee.end_ = std::move(end);
  callee.waiting_ = waiting;
  if (waiting.meet) callee.meeting_ = Meeting::of_this_thread();
  return callee;
}

Status Callee::fail(std::string_view why) {
  if (!failed()) {
    replies_.close();
    ring_bell();
  }
  failed_ = true;
  return Error{Code::kPartitionFailed, formatted("stream {}: {}", end_.id.number, why)};
}

bool Callee::failed() const {
  return failed_ || requests_.failed() || replies_.failed() || bulk_in_.failed() ||
         bulk_out_.failed();
}

void Callee::ring_bell() const {
  const uint64_t one = 1;
  if (end_.bell.valid()) {
    [[maybe_unused]] const auto written = ::write(end_.bell.number(), &one, sizeof one);
  }
}

Status Callee::refresh() {
  const auto index = requests_.index().check(
      [&](uint64_t v) { return v >= requested_ && v - completed_ <= end_.slots; });
  if (failed()) return fail("the other side is gone");
  if (!index) return fail("the other side's requested index is impossible");
  requested_ = *index;
  return {};
}

bool Callee::wait_for_call(Instant deadline) {
  const Instant now = system_clock().now();
  if (waiting_.meet) meeting_.before_wait(requests_.peer_core());
  const Duration spin = waiting_.meet ? meeting_.spin(waiting_.spin) : waiting_.spin;
  if (!meeting_.met() && spin_for_change(requests_, requested_, std::min(deadline, now + spin)))
    return true;
  if (waiting_.meet) meeting_.before_sleep(requests_.peer_core(), now);
  return sleep_for_change(requests_, replies_, requested_, waiting_.nap, deadline);
}

Result<Request> Callee::next(Duration timeout) {
  TRY(refresh());
  if (taken_ == requested_) {
    publish();
    if (!wait_for_call(system_clock().now() + timeout) && !failed()) {
      return Error{Code::kTimedOut, formatted("stream {}: no call in time", end_.id.number)};
    }
    TRY(refresh());
    // It moved on and back again in between.
    if (taken_ == requested_)
      return fail("the other side's requested index runs backwards").error();
  }
  Request request;
  requests_.read(taken_, mutable_bytes_of(request));
  if (failed()) return fail("the other side is gone").error();
  if (request.sequence != taken_ || request.epoch != end_.epoch.number ||
      request.length > kPayloadBytes) {
    return fail("a request is out of sequence, of another epoch or malformed").error();
  }
  ++taken_;
  if (waiting_.meet) meeting_.begin(requested_ - taken_, system_clock().now());
  return request;
}

void Callee::write_reply(Code code, Bytes value) {
  CHECK(value.size() <= kPayloadBytes, "larger values travel in bulk");
  CHECK(completed_ < taken_, "only a call that was taken can be answered");
  if (waiting_.meet) meeting_.end(system_clock().now());
  Reply reply;
  reply.sequence = completed_;
  reply.epoch = end_.epoch.number;
  reply.code = static_cast<uint32_t>(code);
  reply.length = static_cast<uint32_t>(value.size());
  std::ranges::copy(value, reply.payload.begin());
  replies_.write(completed_, bytes_of(reply).first(sizeof(Reply) - kPayloadBytes + value.size()));
  ++completed_;
}

void Callee::publish() {
  if (published_ == completed_) return;
  published_ = completed_;
  replies_.publish(published_);
  if (requests_.peer_sleeps()) {
    end_.bell.valid() ? ring_bell() : replies_.wake();
  }
}

Status Callee::reply(Code code, Bytes value) {
  write_reply(code, value);
  publish();
  if (failed()) return fail("the other side is gone");
  return {};
}

Status Callee::reply_later(Code code, Bytes value) {
  write_reply(code, value);
  if (completed_ - published_ >= end_.slots / 2) publish();
  if (failed()) return fail("the other side is gone");
  return {};
}

}  // namespace casemate::srpc
