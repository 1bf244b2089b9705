// SPDX-License-Identifier: Apache-2.0
#pragma once
// Link: the program's end of the stream. Calls are posted and forgotten, or asked and waited for;
// either way in order. What is wrong with a posted command is kept for whoever next waits for its
// queue. Incoming bulk memory is used round and round, and a piece is free again when the reply to
// its call has come; outgoing memory belongs to reads that are not delivered yet.
//
//   Owns     the stream's end.
//   Threads  one at a time: the driver's lock is held by whoever calls.
//   Trust    replies are the device partition's: what its call cannot be answered with (replies.h)
//            ends the stream, as its end does; the rest is data.
//   Fails    CL_OUT_OF_RESOURCES, for ever after, once the partition is gone or has lied. No wait
//            outlives the stream; how long a silent partition has it, its monitor says.

#include <CL/cl.h>

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "isolated/driver/opencl/icd/replies.h"
#include "isolated/driver/opencl/icd/transport.h"
#include "isolated/driver/opencl/protocol/protocol.h"

namespace casemate::opencl {

class Link final {
 public:
  explicit Link(Transport caller);

  // A number that no object has had.
  uint32_t number() { return next_number_++; }

  // Posts a call; `queue` is the queue that its error is to be kept for, or 0.
  template <class T>
  cl_int post(const T& call, uint32_t queue = 0) {
    const uint32_t posted = static_cast<uint32_t>(T::kCall) | kPosted;
    const auto sent = send(posted, bytes_of(call), queue, awaited(call));
    return sent ? CL_SUCCESS : CL_OUT_OF_RESOURCES;
  }
  // Makes a call and waits for OpenCL's answer.
  template <class T>
  cl_int ask(const T& call, std::vector<uint8_t>* value = nullptr) {
    const auto sent = start(call);
    return sent ? wait(*sent, value) : CL_OUT_OF_RESOURCES;
  }
  // The same in two steps, so that several are on their way. Waits come in the order of starts.
  template <class T>
  std::optional<uint64_t> start(const T& call) {
    return send(static_cast<uint32_t>(T::kCall), bytes_of(call), 0, awaited(call));
  }
  // `value` becomes what the reply holds; or as long as what lies in the region that was asked for,
  // or, with CL_OUT_OF_HOST_MEMORY, would need.
  cl_int wait(uint64_t sequence, std::vector<uint8_t>* value = nullptr);

  // Room for data that goes with the next call. Waits until there is some, and until no more than
  // `window` bytes are on their way; nothing where there never will be.
  std::optional<Region> place(uint64_t size, uint64_t window = UINT64_MAX);
  [[nodiscard]] uint8_t* incoming(const Region& region) const {
    return caller_.bulk_in().data() + region.offset;
  }
  [[nodiscard]] uint64_t in_size() const { return caller_.bulk_in().size(); }

  // Room for an answer; nothing where it is full.
  std::optional<Region> take_room(uint64_t size);
  void free_room(const Region& region);
  [[nodiscard]] const uint8_t* outgoing(const Region& region) const {
    return caller_.bulk_out().data() + region.offset;
  }
  [[nodiscard]] uint64_t out_size() const { return caller_.bulk_out().size(); }

  // The first error of a queue's commands since it was last asked for.
  cl_int queue_error(uint32_t queue);
  [[nodiscard]] bool failed() const { return caller_.failed(); }
  // Ends the stream since the device's partition does `what` no device does.
  void end(std::string_view what);

 private:
  struct InFlight {
    uint64_t sequence = 0;
    uint32_t queue = 0;
    uint64_t in_end = 0;
    Awaited awaited;
  };
  std::optional<uint64_t> send(uint32_t call, Bytes args, uint32_t queue, const Awaited& awaited);
  // The next reply, whoever asked for it.
  std::optional<srpc::Reply> take();
  // Where the next `need` incoming bytes go, counted for ever. Requires: need <= in_size().
  uint64_t next_place(uint64_t need);
  // Of the oldest call in flight. False: there is none, or this is no reply to it.
  bool note(const srpc::Reply& reply);

  Transport caller_;
  uint32_t next_number_ = 1;
  std::deque<InFlight> in_flight_;
  uint64_t in_begin_ = 0;  // incoming bytes in use, counted for ever
  uint64_t in_end_ = 0;
  uint64_t in_touched_ = 0;       // the place beyond which none has been used yet
  std::vector<Region> out_used_;  // sorted
  std::map<uint32_t, cl_int> queue_errors_;
};

}  // namespace casemate::opencl
