// SPDX-License-Identifier: Apache-2.0
#include "wire/control/control.h"

#include <poll.h>

#include <cerrno>

#include "base/format.h"
#include "base/memory_file.h"

namespace casemate::control {
namespace {

// Which of the five descriptors of a stream are attached, as bits in `flags`: requests, replies,
// bulk in, bulk out, bell.
constexpr uint32_t kAllFds = 0x1F;

bool sound(const Message& m) {
  return m.type >= static_cast<uint32_t>(Type::kManifest) &&
         m.type <= static_cast<uint32_t>(Type::kUnlock) && m.name.canonical() &&
         m.reason.canonical() && m.quote_size <= kQuoteBytes && m.claims_size <= kClaimsBytes;
}

}  // namespace

Message make(Type type, EnclaveId enclave) {
  Message message;
  message.type = static_cast<uint32_t>(type);
  message.enclave = enclave.number;
  return message;
}

Result<Received> Socket::receive(int timeout_ms) const {
  while (true) {
    std::optional<Received> received = TRY(poll());
    if (received) {
      if (!sound(received->message)) return Error{Code::kInvalid, "a control message is malformed"};
      return std::move(*received);
    }
    pollfd waiting{fd_.number(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, timeout_ms);
    if (ready == 0) return Error{Code::kTimedOut, "no control message in time"};
    if (ready < 0 && errno != EINTR) return errno_error("waiting for a control message");
  }
}

Status Outbox::send(const Socket& socket, const Message& message, std::vector<Fd> fds) {
  if (waiting_.size() >= kWaitingMax)
    return Error{Code::kUnavailable, "the control socket is full: its reader has stopped"};
  waiting_.push_back({message, std::move(fds)});
  return flush(socket);
}

Status Outbox::flush(const Socket& socket) {
  for (; !waiting_.empty(); waiting_.pop_front()) {
    std::vector<int> fds;
    for (const Fd& fd : waiting_.front().fds) fds.push_back(fd.number());
    const Status sent = socket.send(waiting_.front().message, fds);
    if (!sent && sent.error().code == Code::kUnavailable) return {};
    TRY(sent);
  }
  return {};
}

StreamMessage connect_message(srpc::StreamEnd end, Role role, EnclaveId enclave) {
  StreamMessage result{make(Type::kConnect, enclave), {}};
  result.message.stream = end.id.number;
  result.message.epoch = end.epoch.number;
  result.message.role = static_cast<uint32_t>(role);
  result.message.slots = end.slots;
  result.message.bulk_in_bytes = end.bulk_in_bytes;
  result.message.bulk_out_bytes = end.bulk_out_bytes;
  uint32_t bit = 1;
  for (Fd* fd : {&end.requests, &end.replies, &end.bulk_in, &end.bulk_out, &end.bell}) {
    if (fd->valid()) {
      result.message.flags |= bit;
      result.fds.push_back(std::move(*fd));
    }
    bit <<= 1;
  }
  return result;
}

Result<srpc::StreamEnd> stream_end_of(Received& received) {
  const Message& m = received.message;
  const auto attached = static_cast<size_t>(__builtin_popcount(m.flags & kAllFds));
  const bool complete = (m.flags & 3) == 3 && (m.bulk_in_bytes == 0 || (m.flags & 4) != 0) &&
                        (m.bulk_out_bytes == 0 || (m.flags & 8) != 0);
  if ((m.flags & ~kAllFds) != 0 || attached != received.fds.size() || !complete) {
    return Error{Code::kInvalid, formatted("stream {} came without its descriptors", m.stream)};
  }
  srpc::StreamEnd end;
  end.id = {m.stream};
  end.epoch = {m.epoch};
  end.slots = m.slots;
  end.bulk_in_bytes = m.bulk_in_bytes;
  end.bulk_out_bytes = m.bulk_out_bytes;
  size_t next = 0;
  uint32_t bit = 1;
  for (Fd* fd : {&end.requests, &end.replies, &end.bulk_in, &end.bulk_out, &end.bell}) {
    if ((m.flags & bit) != 0) *fd = std::move(received.fds[next++]);
    bit <<= 1;
  }
  return end;
}

Result<Fd> attach_evidence(Message& message, Bytes quote, Bytes claims) {
  Fd fd = TRY(make_memory_file("evidence"));
  std::vector<uint8_t> both(quote.begin(), quote.end());
  both.insert(both.end(), claims.begin(), claims.end());
  // Not write(): whoever gets the descriptor reads from the place that it is at.
  if (::pwrite(fd.number(), both.data(), both.size(), 0) != static_cast<ssize_t>(both.size()))
    return errno_error("writing evidence into memory");
  message.quote_size = static_cast<uint32_t>(quote.size());
  message.claims_size = static_cast<uint32_t>(claims.size());
  return fd;
}

Result<AttachedEvidence> attached_evidence(const Received& received) {
  const Message& m = received.message;
  if (m.quote_size == 0 || m.quote_size > kQuoteBytes || m.claims_size > kClaimsBytes ||
      received.fds.size() != 1)
    return Error{Code::kInvalid, "evidence came without its memory file or with a wrong size"};
  std::vector<uint8_t> both(size_t{m.quote_size} + m.claims_size);
  for (size_t done = 0; done < both.size();) {
    const ssize_t got = ::read(received.fds[0].number(), both.data() + done, both.size() - done);
    if (got <= 0) return Error{Code::kInvalid, "evidence is shorter than the message says"};
    done += static_cast<size_t>(got);
  }
  const auto middle = both.begin() + m.quote_size;
  return AttachedEvidence{{both.begin(), middle}, {middle, both.end()}};
}

}  // namespace casemate::control
