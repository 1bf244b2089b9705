// SPDX-License-Identifier: Apache-2.0
#pragma once
// Caller: srpc::Caller as systems have it that reach an accelerator by encrypted messages: each
// call is encrypted with its data, and answered before the next.
//
//   Owns     the stream's end, and plain copies of both of its bulk memories.
//   Threads  one at a time.
//   Trust    none: it is here to be measured.
//   Fails    as srpc::Caller; for ever after once a reply does not match its tag.

#include <deque>
#include <memory>

#include "isolated/srpc/srpc.h"
#include "tests/opencl/lockstep/envelope.h"

namespace casemate::opencl::lockstep {

class Caller final {
 public:
  static Result<Caller> make(srpc::StreamEnd end);

  Result<uint64_t> call(uint32_t call, Bytes args);
  Result<srpc::Reply> next(Duration timeout);
  Result<std::optional<srpc::Reply>> poll();
  [[nodiscard]] uint32_t free_slots() const;
  [[nodiscard]] uint64_t in_flight() const { return replies_.size(); }
  [[nodiscard]] MutableBytes bulk_in() const { return {in_.get(), size_}; }
  [[nodiscard]] Bytes bulk_out() const { return {out_.get(), size_}; }
  [[nodiscard]] bool failed() const { return failed_ || caller_.failed(); }
  void close() { caller_.close(); }

 private:
  explicit Caller(srpc::Caller caller);
  Status take_reply(const struct Sent& sent);

  srpc::Caller caller_;
  Envelope there_{1};
  Envelope back_{2};
  uint64_t size_;
  std::unique_ptr<uint8_t[]> in_;
  std::unique_ptr<uint8_t[]> out_;
  std::deque<srpc::Reply> replies_;
  bool failed_ = false;
};

}  // namespace casemate::opencl::lockstep
