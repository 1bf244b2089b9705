// SPDX-License-Identifier: Apache-2.0
#include "tests/opencl/lockstep/caller.h"

#include <utility>

#include "tests/opencl/lockstep/pieces.h"

namespace casemate::opencl::lockstep {

struct Sent {
  Region out;
};

Result<Caller> Caller::make(srpc::StreamEnd end) {
  return Caller(TRY(srpc::Caller::make(std::move(end))));
}

Caller::Caller(srpc::Caller caller)
    : caller_(std::move(caller)),
      size_(caller_.bulk_in().size() - kTagBytes),
      in_(std::make_unique<uint8_t[]>(size_)),
      out_(std::make_unique<uint8_t[]>(size_)) {}

Result<uint64_t> Caller::call(uint32_t call, Bytes args) {
  const Pieces pieces = pieces_of(call, args);
  ByteArray<srpc::kPayloadBytes> sealed;
  Tags tags;
  tags.message = there_.seal(args, sealed.data());
  if (pieces.in.size != 0) {
    tags.piece = there_.seal({in_.get() + pieces.in.offset, pieces.in.size},
                             caller_.bulk_in().data() + pieces.in.offset);
  }
  std::ranges::copy(bytes_of(tags), caller_.bulk_in().data() + size_);
  const uint64_t sequence = TRY(caller_.call(call, Bytes(sealed).first(args.size())));
  if (const Status taken = take_reply({pieces.out}); !taken) {
    failed_ = true;
    return taken.error();
  }
  return sequence;
}

Status Caller::take_reply(const Sent& sent) {
  while (true) {
    auto reply = caller_.next(std::chrono::seconds(1));
    if (!reply && reply.error().code == Code::kTimedOut) continue;
    if (!reply) return reply.error();
    const auto tags = load<Tags>(caller_.bulk_out().subspan(size_));
    const Bytes sealed = reply->value();
    ByteArray<srpc::kPayloadBytes> plain{};
    const bool good = back_.open(sealed, tags.message, plain.data()) &&
                      (sent.out.size == 0 ||
                       back_.open(caller_.bulk_out().subspan(sent.out.offset, sent.out.size),
                                  tags.piece, out_.get() + sent.out.offset));
    if (!good) return Error{Code::kInvalid, "a reply does not match its tag"};
    reply->payload = plain;
    replies_.push_back(*std::move(reply));
    return {};
  }
}

Result<srpc::Reply> Caller::next(Duration timeout) {
  if (replies_.empty()) return caller_.next(timeout);
  srpc::Reply reply = replies_.front();
  replies_.pop_front();
  return reply;
}

Result<std::optional<srpc::Reply>> Caller::poll() {
  if (replies_.empty()) return std::optional<srpc::Reply>();
  return std::optional(TRY(next({})));
}

uint32_t Caller::free_slots() const {
  return limits::kStreamSlots -
         std::min<uint32_t>(limits::kStreamSlots, static_cast<uint32_t>(replies_.size()));
}

}  // namespace casemate::opencl::lockstep
