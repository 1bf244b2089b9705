// SPDX-License-Identifier: Apache-2.0
#pragma once
// StreamChannel: a gateway channel over an sRPC stream to a model's enclave. The stream's bulk
// memory is cut into equal regions; each call owns one of each direction from start() to release().
//
//   Owns     the caller's end of the stream.
//   Threads  one, the gateway's loop.
//   Trust    the enclave may answer anything: shapes and places of outputs are checked on a private
//            copy of their table.
//   Fails    as Channel says.

#include <deque>
#include <memory>
#include <optional>

#include "isolated/gateway/serving/channel.h"
#include "isolated/infer/infer.h"
#include "isolated/srpc/srpc.h"
#include "wire/abi/model.h"

namespace casemate::gateway {

class StreamChannel final : public Channel {
 public:
  // Takes the stream and asks the model to describe itself.
  static Result<std::unique_ptr<StreamChannel>> make(srpc::StreamEnd end, uint32_t regions);

  // The description once it has come. Fails when the enclave died or described itself wrongly.
  Result<std::unique_ptr<ModelDescription>> take_description();

  [[nodiscard]] uint32_t slots() const override { return regions_; }
  Status start(uint64_t ticket, std::span<const TensorView> inputs) override;
  void poll(std::vector<Completion>& completions) override;
  Look look() override;
  void release(uint64_t ticket) override;
  [[nodiscard]] int bell() const override { return caller_.bell(); }
  [[nodiscard]] bool failed() const override { return caller_.failed(); }

 private:
  StreamChannel(srpc::Caller caller, uint32_t regions);
  [[nodiscard]] infer::InferArgs args_of(uint32_t region) const;
  Completion complete(uint64_t ticket, uint32_t region, const srpc::Reply& reply) const;

  struct Call {
    uint64_t ticket = 0;
    uint32_t region = 0;
  };
  srpc::Caller caller_;
  uint32_t regions_;
  std::vector<uint32_t> free_;   // last in, first out: the pages of few regions stay warm
  std::deque<Call> in_flight_;   // in the order of start
  std::vector<Call> completed_;  // until released
};

}  // namespace casemate::gateway
