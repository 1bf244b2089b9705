// SPDX-License-Identifier: Apache-2.0
// SAFETY: descriptors travel in control-message buffers that the kernel fills; CMSG_DATA hands them
// out as raw bytes. Every descriptor that arrived is put into an Fd before anything else is looked
// at, so none leaks on an error path, and the buffer has room for exactly Message::kFds of them:
// the kernel closes what does not fit.
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "wire/control/control.h"

namespace casemate::control {
namespace {

struct FdBuffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * Message::kFds)> bytes{};
};

std::vector<Fd> take_fds(msghdr& header) {
  std::vector<Fd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

Result<std::array<Fd, 2>> Socket::pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return errno_error("making a control socket");
  }
  return std::array<Fd, 2>{Fd(ends[0]), Fd(ends[1])};
}

Status Socket::send(const Message& message, std::span<const int> fds) const {
  CHECK(fds.size() <= Message::kFds, "a message carries at most kFds descriptors");
  iovec vector{const_cast<Message*>(&message), sizeof message};
  FdBuffer buffer;
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = buffer.bytes.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(c), fds.data(), sizeof(int) * fds.size());
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(fd_.number(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent == static_cast<ssize_t>(sizeof message)) return {};
  if (errno == EAGAIN)
    return Error{Code::kUnavailable, "the control socket is full: its reader has stopped"};
  if (errno == EPIPE || errno == ECONNRESET)
    return Error{Code::kPartitionFailed, "the control socket's other side is gone"};
  return errno_error("sending a control message");
}

Result<std::optional<Received>> Socket::poll() const {
  Received received;
  iovec vector{&received.message, sizeof received.message};
  FdBuffer buffer;
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = buffer.bytes.data();
  header.msg_controllen = buffer.bytes.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(fd_.number(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::optional<Received>();
  if (size < 0 && errno != ECONNRESET) return errno_error("receiving a control message");
  received.fds = take_fds(header);
  if (size <= 0) return Error{Code::kPartitionFailed, "the control socket's other side is gone"};
  if (size != static_cast<ssize_t>(sizeof received.message) ||
      (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return Error{Code::kInvalid, "a control message has the wrong size"};
  }
  return std::optional(std::move(received));
}

}  // namespace casemate::control
