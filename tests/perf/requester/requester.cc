// SPDX-License-Identifier: Apache-2.0
#include "tests/perf/requester/requester.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"

namespace casemate::perf {
namespace {

constexpr int kListener = 4;
constexpr const char* kInputs = "/model/model.onnx";  // where an enclave's file always lies
constexpr auto kPatience = std::chrono::seconds(120);

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Takes the latest stream to the model, which gets another each time it starts; waits for the
// first.
Status take_stream(const control::Socket& control, std::optional<srpc::Caller>& stream) {
  while (true) {
    std::optional<control::Received> received = TRY(control.poll());
    if (!received && stream) return {};
    if (!received) received = TRY(control.receive(-1));
    if (received->type() == control::Type::kConnect)
      stream.emplace(
          TRY(srpc::Caller::make(TRY(control::stream_end_of(*received)), {.look = true})));
  }
}

// Sleeps until the bell rings, or looks whether it has.
void sleep_until(int bell, bool sleeps) {
  pollfd waiting{bell, POLLIN, 0};
  if (::poll(&waiting, 1, sleeps ? 1000 : 0) != 1) return;
  uint64_t rung = 0;
  [[maybe_unused]] const auto size = ::read(bell, &rung, sizeof rung);
}

// Waits as the gateway's event loop does: it looks where that is quicker, and at its descriptors
// between; otherwise it sleeps.
Result<srpc::Reply> wait(srpc::Caller& stream) {
  const Instant begin = system_clock().now();
  while (true) {
    if (const auto reply = TRY(stream.poll())) return *reply;
    if (system_clock().now() - begin > kPatience)
      return Error{Code::kTimedOut, "the model's enclave does not answer"};
    const srpc::Look found = stream.look();
    if (found != srpc::Look::kReply) sleep_until(stream.bell(), found == srpc::Look::kAsleep);
  }
}

Fd client_of_listener() {
  while (true) {
    Fd client(::accept4(kListener, nullptr, nullptr, 0));
    if (client.valid()) return client;
    ::poll(nullptr, 0, 10);
  }
}

ResultAnswer piece_of(Bytes result, uint64_t offset) {
  ResultAnswer answer;
  const Bytes rest = result.subspan(std::min<uint64_t>(offset, result.size()));
  const Bytes piece = rest.first(std::min(rest.size(), ResultAnswer::kPiece));
  answer.size = static_cast<uint32_t>(piece.size());
  std::ranges::copy(piece, answer.bytes.begin());
  return answer;
}

template <class Answer>
void send(int client, const Answer& answer) {
  ::sendto(client, &answer, sizeof answer, MSG_NOSIGNAL, nullptr, 0);
}

}  // namespace

Status Requester::start(const control::Message&) {
  auto read = read_tensors(kInputs);
  if (!read) return Error{Code::kInvalid, "the inputs cannot be read"};
  inputs_ = *std::move(read);
  for (const FileTensor& input : inputs_) {
    const auto* data = static_cast<const uint8_t*>(static_cast<const void*>(input.data.data()));
    const auto type = element_type_from(static_cast<uint32_t>(input.type));
    if (!type) return Error{Code::kInvalid, "an input has a type that is not served"};
    views_.push_back({*type, Shape(input.dims), Bytes(data, input.data.size())});
  }
  return {};
}

// Into the stream's memory, where the model reads them.
Status Requester::place_inputs(srpc::Caller& stream) const {
  return infer::write_tensors(views_, stream.bulk_in());
}

// One call as the gateway makes it. Inputs and results stay where they lie.
Status Requester::call(srpc::Caller& stream) {
  const infer::InferArgs args{0, stream.bulk_in().size(), 0, stream.bulk_out().size()};
  (void)TRY(stream.call(static_cast<uint32_t>(infer::Call::kInfer), bytes_of(args)));
  const srpc::Reply reply = TRY(wait(stream));
  if (reply.code != 0) return Error{code_from(reply.code), "the model's enclave refused"};
  (void)TRY(infer::read_tensors(stream.bulk_out()));
  return {};
}

Result<RunsAnswer> Requester::ask_for_loading(srpc::Caller& stream) {
  const infer::InferArgs args{0, 0, 0, stream.bulk_out().size()};
  (void)TRY(stream.call(static_cast<uint32_t>(infer::Call::kDescribe), bytes_of(args)));
  const srpc::Reply reply = TRY(wait(stream));
  if (reply.code != 0 || reply.length != sizeof(infer::InferValue))
    return Error{Code::kPlatform, "the model's enclave does not describe itself"};
  const Duration took(load<infer::InferValue>(reply.value()).compute_ns);
  return RunsAnswer{0, 1, milliseconds(took), milliseconds(took)};
}

Result<RunsAnswer> Requester::time_runs(srpc::Caller& stream,
                                        const RequesterQuestion& question) const {
  std::vector<double> times;
  TRY(place_inputs(stream));
  const Instant begin = system_clock().now();
  while (times.size() < 2 || milliseconds(system_clock().now() - begin) < 1e3 * question.seconds) {
    const Instant start = system_clock().now();
    if (question.copies != 0) TRY(place_inputs(stream));
    TRY(call(stream));
    times.push_back(milliseconds(system_clock().now() - start));
  }
  std::ranges::sort(times);
  return RunsAnswer{0, static_cast<uint32_t>(times.size()), times[times.size() / 2], times.front()};
}

Status Requester::run(control::Socket control, const control::Message&) {
  std::optional<srpc::Caller> stream;
  const Fd client = client_of_listener();
  RequesterQuestion question;
  while (::recvfrom(client.number(), &question, sizeof question, 0, nullptr, nullptr) ==
         sizeof question) {
    TRY(take_stream(control, stream));
    if (question.wanted == static_cast<uint32_t>(Wanted::kResult)) {
      send(client.number(), piece_of(stream->bulk_out(), question.offset));
      continue;
    }
    const bool loading = question.wanted == static_cast<uint32_t>(Wanted::kLoading);
    const auto timed = loading ? ask_for_loading(*stream) : time_runs(*stream, question);
    send(client.number(),
         timed ? *timed : RunsAnswer{static_cast<uint32_t>(timed.error().code), 0, 0, 0});
  }
  return {};
}

}  // namespace casemate::perf
