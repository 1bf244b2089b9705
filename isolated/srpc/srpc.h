// SPDX-License-Identifier: Apache-2.0
#pragma once
// sRPC: calls from one enclave to another on a stream. Calls are written in order and run in order;
// the caller goes on at once and waits only where it needs a value (Cronus, MICRO 2022). Requests
// and replies are two rings (wire/ring); bulk tensors lie in two further grants, one per direction,
// which the reading side cannot write. What a record is made of stands in wire/srpc.
//
//     caller --requests--> callee      requested = index of the request ring
//     caller <--replies--- callee      completed = index of the reply ring
//     caller ---bulk in--> callee      completed <= requested <= completed + slots
//     caller <--bulk out-- callee      offsets are agreed by call arguments; the callee checks them
//
// A posted call has no reply that anybody takes; if it fails, its code sticks and the next sync()
// returns it.
//
//   Owns     descriptors and mappings of its end.
//   Threads  one thread per end.
//   Trust    the peer may write anything at any time into what it owns. Sequence, epoch, index and
//            length are checked on private copies; the first lie closes the stream: the end that
//            was lied to writes poison as its own index, and the other end and the monitor know.
//   Fails    kPartitionFailed, for ever after, once the peer died or lied; kUnavailable when all
//            slots are in flight; kTimedOut when the time is over (the stream stays sound).

#include <optional>

#include "base/limits.h"
#include "isolated/srpc/meeting.h"
#include "isolated/srpc/spinning.h"
#include "wire/ring/ring.h"
#include "wire/srpc/srpc.h"

namespace casemate::srpc {

// How an end waits: first spins for `spin`, then sleeps. No wait is longer than `nap` without
// looking whether the memory is still there, so that a peer that meddles with a wake-up costs
// latency and nothing else.
struct Waiting {
  Duration spin = std::chrono::microseconds(50);
  Duration nap = std::chrono::milliseconds(50);
  bool meet =
      false;  // a callee sleeps on its caller's core while its calls are short; see meeting.h
  bool look = false;  // a caller waits with look() alone, and spins where that is quicker
};

// What a caller's look() found.
enum class Look : uint8_t {
  kReply,     // poll() has news
  kSpinning,  // none yet, but it will soon: look again, and at everything else between
  kAsleep,    // none yet; the bell will ring
};

class Caller final {
 public:
  static Result<Caller> make(StreamEnd end, Waiting waiting = {});

  // Starts a call and returns its sequence number. Requires: args.size() <= kPayloadBytes.
  Result<uint64_t> call(uint32_t call, Bytes args);
  // Starts a call whose reply nobody takes.
  Status post(uint32_t call, Bytes args);
  // The next reply in order, when it comes within `timeout`. Its code may be an error of the call
  // itself.
  Result<Reply> next(Duration timeout);
  // The next reply in order if it is there already.
  Result<std::optional<Reply>> poll();
  // Waits until everything is completed; returns the first error of a posted call since the last
  // sync.
  Status sync(Duration timeout);
  // Asks for the bell at the next reply. False if a reply is there already: poll again first.
  bool arm();
  void disarm();
  // Looks for a reply for some microseconds. Requires: Waiting::look, and a bell.
  Look look();
  // Ends the stream, where what a reply holds is a lie.
  void close() { static_cast<void>(fail("this side has closed it")); }

  [[nodiscard]] uint32_t free_slots() const;
  [[nodiscard]] uint64_t in_flight() const { return requested_ - taken_; }
  [[nodiscard]] MutableBytes bulk_in() const { return bulk_in_.bytes(); }
  [[nodiscard]] Bytes bulk_out() const { return bulk_out_.bytes(); }
  [[nodiscard]] int bell() const { return end_.bell.number(); }
  [[nodiscard]] Epoch epoch() const { return end_.epoch; }
  [[nodiscard]] bool failed() const;

 private:
  Result<uint64_t> submit(uint32_t call, Bytes args, bool posted);
  void announce_core();
  Status refresh();
  void begin();
  void end(bool posted);
  Result<std::optional<Reply>> take();
  bool wait_for_progress(Instant deadline);
  Status fail(std::string_view why);

  StreamEnd end_;
  Waiting waiting_;
  int core_ = -1;  // as announced
  bool armed_ = false;
  Spinning spinning_;
  Instant begun_{};     // the call in flight that is alone
  bool alone_ = false;  // it was, from its start
  ring::ProducerEnd requests_;
  ring::ConsumerEnd replies_;
  GuardedMapping bulk_in_;
  GuardedMapping bulk_out_;
  uint64_t requested_ = 0;
  uint64_t completed_ = 0;  // as last seen and checked
  uint64_t taken_ = 0;
  uint64_t posted_ = 0;  // bit (sequence mod 64): nobody takes this reply
  Code posted_error_ = Code::kOk;
  bool failed_ = false;
};

class Callee final {
 public:
  static Result<Callee> make(StreamEnd end, Waiting waiting = {});

  // The next call in order, when it comes within `timeout`: a private, checked copy.
  Result<Request> next(Duration timeout);
  // Completes the oldest call taken and not yet answered. Requires: value.size() <= kPayloadBytes.
  Status reply(Code code, Bytes value = {});
  // The same where nobody waits: its caller sees it with a later one, at the latest when half of
  // the slots are such, or when next() finds nothing to do. That is one wake-up for many.
  Status reply_later(Code code, Bytes value = {});
  // Count up during long work, so that it is not taken for a hang.
  [[nodiscard]] std::atomic<uint64_t>& progress() { return replies_.progress(); }

  [[nodiscard]] Bytes bulk_in() const { return bulk_in_.bytes(); }
  [[nodiscard]] MutableBytes bulk_out() const { return bulk_out_.bytes(); }
  [[nodiscard]] Epoch epoch() const { return end_.epoch; }
  [[nodiscard]] bool failed() const;

 private:
  Status refresh();
  bool wait_for_call(Instant deadline);
  void write_reply(Code code, Bytes value);
  void publish();
  void ring_bell() const;
  Status fail(std::string_view why);

  StreamEnd end_;
  Waiting waiting_;
  Meeting meeting_;
  ring::ConsumerEnd requests_;
  ring::ProducerEnd replies_;
  GuardedMapping bulk_in_;
  GuardedMapping bulk_out_;
  uint64_t requested_ = 0;  // as last seen and checked
  uint64_t taken_ = 0;
  uint64_t completed_ = 0;
  uint64_t published_ = 0;  // what of that the caller can see
  bool failed_ = false;
};

}  // namespace casemate::srpc
