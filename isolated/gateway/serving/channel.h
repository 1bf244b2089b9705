// SPDX-License-Identifier: Apache-2.0
#pragma once
// Channel: one stream to one enclave of a model, at one epoch of its partition. A channel that has
// failed stays failed; a restarted enclave comes back as another channel.
//
//   Owns     the stream, and on it every call from start() to release().
//   Threads  one, the gateway's loop.
//   Trust    the enclave behind it may lie in everything: the outputs are checked by the caller, a
//            ticket that was never started must not be reported.
//   Fails    start() with kUnavailable when no slot or memory is free now, kTooLarge when the
//            inputs never fit, kPartitionFailed when the other side is gone.

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "isolated/gateway/http/message.h"
#include "wire/abi/tensor.h"

namespace casemate::gateway {

class Channel : public Origin {
 public:
  struct Completion {
    uint64_t ticket = 0;
    // On success `outputs` are in the description's order, and valid until release(ticket), unless
    // failed() is true after they were read.
    Status status;
    std::vector<TensorView> outputs;
    uint64_t compute_ns = 0;
  };

  virtual ~Channel() = default;
  // Calls that may be in flight at once.
  [[nodiscard]] virtual uint32_t slots() const = 0;
  // Starts a call with copies of `inputs`. Requires: `ticket` was never used on this channel.
  virtual Status start(uint64_t ticket, std::span<const TensorView> inputs) = 0;
  // Adds every call that has completed since the last time, each once.
  virtual void poll(std::vector<Completion>& completions) = 0;
  enum class Look : uint8_t {
    kNews,   // poll() or failed() has some
    kSoon,   // not yet: look again
    kRings,  // not yet: the bell will ring
  };
  // Looks for some microseconds, where that is quicker than to wait for the bell. Who waits for a
  // call must look until it is told that the bell rings.
  virtual Look look() { return Look::kRings; }
  // Gives the slot and the memory of a completed call back.
  virtual void release(uint64_t ticket) = 0;
  // A descriptor that becomes readable when poll() or failed() has news. It is watched
  // edge-triggered, so an eventfd need never be read: each write is an edge.
  [[nodiscard]] virtual int bell() const = 0;
  // The other side died or broke the protocol. Calls without a completion will never have one, and
  // what was read of outputs may be zeros.
  [[nodiscard]] bool failed() const override = 0;
};

}  // namespace casemate::gateway
