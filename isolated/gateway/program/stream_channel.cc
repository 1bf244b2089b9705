// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/program/stream_channel.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::gateway {
namespace {

// What a client may know of a model's failure: the code crossed the wall alone.
std::string sentence_of(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "the model refuses these inputs: compare their names, types and shapes with its "
             "metadata";
    case Code::kTooLarge:
      return "the model's results do not fit in the memory for one call: send a smaller batch";
    case Code::kUnsupported:
      return "the model cannot be run on inputs of these shapes";
    default:
      return formatted("the model failed on this request ({})", name_of(code));
  }
}

// Memory that vanishes reads as zeros: whatever was read before one looked may be made of those.
Error gone() { return {Code::kPartitionFailed, "the model's enclave is gone"}; }

}  // namespace

StreamChannel::StreamChannel(srpc::Caller caller, uint32_t regions)
    : caller_(std::move(caller)), regions_(regions) {
  for (uint32_t i = regions; i > 0; --i) free_.push_back(i - 1);
}

Result<std::unique_ptr<StreamChannel>> StreamChannel::make(srpc::StreamEnd end, uint32_t regions) {
  if (regions == 0 || regions > end.slots || !end.bell.valid()) {
    return Error{Code::kInvalid, "a stream came without regions or a bell"};
  }
  auto caller = TRY(srpc::Caller::make(std::move(end), {.look = true}));
  std::unique_ptr<StreamChannel> channel(new StreamChannel(std::move(caller), regions));
  const infer::InferArgs args = channel->args_of(0);
  (void)TRY(channel->caller_.call(static_cast<uint32_t>(infer::Call::kDescribe), bytes_of(args)));
  return channel;
}

Result<std::unique_ptr<ModelDescription>> StreamChannel::take_description() {
  const auto reply = TRY(caller_.poll());
  if (!reply) return std::unique_ptr<ModelDescription>();
  const infer::InferArgs args = args_of(0);
  if (reply->code != 0 || args.out_bytes < sizeof(ModelDescription)) {
    return Error{code_from(reply->code), "the model's enclave does not describe itself"};
  }
  auto description = std::make_unique<ModelDescription>(
      load<ModelDescription>(caller_.bulk_out().subspan(args.out_offset)));
  if (caller_.failed()) return gone();
  if (!description->sound())
    return Error{Code::kInvalid, "the model's enclave describes itself wrongly"};
  return description;
}

infer::InferArgs StreamChannel::args_of(uint32_t region) const {
  const auto part = [&](uint64_t total) {
    return total / regions_ / infer::kAlignment * infer::kAlignment;
  };
  const uint64_t in = part(caller_.bulk_in().size());
  const uint64_t out = part(caller_.bulk_out().size());
  return {region * in, in, region * out, out};
}

Status StreamChannel::start(uint64_t ticket, std::span<const TensorView> inputs) {
  if (free_.empty()) return Error{Code::kUnavailable, "all regions are in use"};
  const uint32_t region = free_.back();
  const infer::InferArgs args = args_of(region);
  TRY(infer::write_tensors(inputs, caller_.bulk_in().subspan(args.in_offset, args.in_bytes)));
  (void)TRY(caller_.call(static_cast<uint32_t>(infer::Call::kInfer), bytes_of(args)));
  free_.pop_back();
  in_flight_.push_back({ticket, region});
  return {};
}

Channel::Completion StreamChannel::complete(uint64_t ticket, uint32_t region,
                                            const srpc::Reply& reply) const {
  Completion completion;
  completion.ticket = ticket;
  const Code code = code_from(reply.code);
  if (code != Code::kOk) {
    completion.status = Error{code, sentence_of(code)};
    return completion;
  }
  if (reply.length == sizeof(infer::InferValue))
    completion.compute_ns = load<infer::InferValue>(reply.value()).compute_ns;
  const infer::InferArgs args = args_of(region);
  auto outputs = infer::read_tensors(caller_.bulk_out().subspan(args.out_offset, args.out_bytes));
  if (caller_.failed()) {
    completion.status = gone();
  } else if (outputs) {
    completion.outputs = std::move(*outputs);
  } else {
    completion.status =
        Error{Code::kPlatform, "the model's enclave answered with malformed tensors"};
  }
  return completion;
}

void StreamChannel::poll(std::vector<Completion>& completions) {
  while (!in_flight_.empty()) {
    const auto reply = caller_.poll();
    if (!reply || !*reply) return;  // failed() tells which
    const Call call = in_flight_.front();
    in_flight_.pop_front();
    completed_.push_back(call);
    completions.push_back(complete(call.ticket, call.region, **reply));
  }
  // Nothing is in flight, but the stream may have failed meanwhile: look, so that failed() knows.
  static_cast<void>(caller_.poll());
}

Channel::Look StreamChannel::look() {
  switch (caller_.look()) {
    case srpc::Look::kReply:
      return Look::kNews;
    case srpc::Look::kSpinning:
      return Look::kSoon;
    case srpc::Look::kAsleep:
      return Look::kRings;
  }
  return Look::kRings;
}

void StreamChannel::release(uint64_t ticket) {
  const auto found = std::ranges::find(completed_, ticket, &Call::ticket);
  if (found == completed_.end()) return;
  free_.push_back(found->region);
  completed_.erase(found);
}

}  // namespace casemate::gateway
