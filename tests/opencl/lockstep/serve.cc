// SPDX-License-Identifier: Apache-2.0
#include "tests/opencl/lockstep/serve.h"

#include <cstddef>

#include "tests/opencl/lockstep/envelope.h"
#include "tests/opencl/lockstep/pieces.h"

namespace casemate::opencl::lockstep {
namespace {

class Server final {
 public:
  Server(srpc::Callee& callee, cl_device_id device, const SessionLimits& limits)
      : callee_(callee),
        size_(callee.bulk_in().size() - kTagBytes),
        in_(std::make_unique<uint8_t[]>(size_)),
        out_(std::make_unique<uint8_t[]>(size_)),
        session_(device, {in_.get(), size_}, {out_.get(), size_}, limits) {}

  // False when the stream has ended.
  bool answer(const srpc::Request& request) {
    const auto tags = load<Tags>(callee_.bulk_in().subspan(size_));
    ByteArray<srpc::kPayloadBytes> plain{};
    const Bytes args = Bytes(plain).first(request.args().size());
    if (!there_.open(request.args(), tags.message, plain.data())) return false;
    const Pieces pieces = pieces_of(request.call, args);
    if (!within(pieces.in, size_) || !within(pieces.out, size_)) return false;
    if (pieces.in.size != 0 &&
        !there_.open(callee_.bulk_in().subspan(pieces.in.offset, pieces.in.size), tags.piece,
                     in_.get() + pieces.in.offset))
      return false;
    // The answer takes the data along.
    if (static_cast<Call>(request.call & ~kPosted) == Call::kReadBuffer)
      plain[offsetof(ReadBuffer, blocking)] = 1;
    const Answer answer = session_.handle(request.call & ~kPosted, args);
    // Boxes have no such field: what is on their queue is waited for.
    if (pieces.out.size != 0 && args.size() >= sizeof(Command))
      session_.handle(static_cast<uint32_t>(Call::kFinish),
                      bytes_of(Finish{load<Command>(args).queue}));
    return reply(answer, pieces);
  }

 private:
  bool reply(const Answer& answer, const Pieces& pieces) {
    ByteArray<srpc::kPayloadBytes> value{};
    std::ranges::copy(bytes_of(answer.outcome), value.begin());
    std::ranges::copy(Bytes(answer.value).first(answer.value_size),
                      value.begin() + sizeof(Outcome));
    const size_t size = sizeof(Outcome) + answer.value_size;
    ByteArray<srpc::kPayloadBytes> sealed;
    Tags tags;
    tags.message = back_.seal(Bytes(value).first(size), sealed.data());
    if (pieces.out.size != 0) {
      tags.piece = back_.seal({out_.get() + pieces.out.offset, pieces.out.size},
                              callee_.bulk_out().data() + pieces.out.offset);
    }
    std::ranges::copy(bytes_of(tags), callee_.bulk_out().data() + size_);
    return static_cast<bool>(callee_.reply(answer.code, Bytes(sealed).first(size)));
  }

  srpc::Callee& callee_;
  Envelope there_{1};
  Envelope back_{2};
  uint64_t size_;
  std::unique_ptr<uint8_t[]> in_;
  std::unique_ptr<uint8_t[]> out_;
  Session session_;
};

}  // namespace

void serve(srpc::Callee& callee, cl_device_id device, const SessionLimits& limits) {
  Server server(callee, device, limits);
  while (true) {
    const auto request = callee.next(std::chrono::seconds(1));
    if (!request && request.error().code == Code::kTimedOut) continue;
    if (!request || !server.answer(*request)) return;
  }
}

}  // namespace casemate::opencl::lockstep
