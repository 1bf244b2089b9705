// SPDX-License-Identifier: Apache-2.0
// SAFETY: the message header points to locals that outlive the call; the control buffer is of the
// size and alignment that CMSG_SPACE gives for these descriptors.
#include <sys/socket.h>

#include <cstring>

#include "base/check.h"
#include "outside/cli/order.h"

namespace casemate::cli {

Result<std::array<Fd, 2>> OrderSocket::pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return errno_error("making a socket");
  return std::array{Fd(ends[0]), Fd(ends[1])};
}

Status OrderSocket::send(const Fd& socket, const program::Order& order,
                         std::span<const int> given) {
  CHECK(given.size() == program::Order::kFds, "the order's descriptors are of a fixed number");
  auto bytes = TRY(program::encode(order));
  alignas(cmsghdr) char room[CMSG_SPACE(program::Order::kFds * sizeof(int))] = {};
  iovec vector{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = room;
  header.msg_controllen = sizeof room;
  cmsghdr* c = CMSG_FIRSTHDR(&header);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(given.size_bytes());
  std::memcpy(CMSG_DATA(c), given.data(), given.size_bytes());
  if (::sendmsg(socket.number(), &header, MSG_NOSIGNAL) < 0)
    return errno_error("handing over the program's order");
  return {};
}

}  // namespace casemate::cli
