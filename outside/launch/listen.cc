// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/format.h"
#include "outside/launch/address.h"

namespace casemate::launch {
namespace {

constexpr int kBacklog = 4096;

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

}  // namespace

Result<Fd> listen_on(const std::string& where) {
  const Address address = TRY(Address::parse(where));
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  AddressList list;
  const int failed = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(),
                                   &hints, &list.first);
  if (failed != 0) {
    return Error{Code::kInvalid,
                 formatted("'{}' is no address to listen on ({}); name one of this machine's",
                           where, ::gai_strerror(failed))};
  }
  Fd fd(::socket(list.first->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!fd.valid() || ::setsockopt(fd.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.number(), list.first->ai_addr, list.first->ai_addrlen) != 0 ||
      ::listen(fd.number(), kBacklog) != 0) {
    return errno_error(formatted("listening on {}", where));
  }
  return fd;
}

Result<std::string> address_of(const Fd& fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = static_cast<sockaddr*>(static_cast<void*>(&storage));
  char host[64] = {};
  char port[16] = {};
  if (::getsockname(fd.number(), address, &size) != 0 ||
      ::getnameinfo(address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return errno_error("asking for the listening address");
  }
  const bool six = storage.ss_family == AF_INET6;
  return formatted("{}{}{}:{}", six ? "[" : "", host, six ? "]" : "", port);
}

bool on_loopback(const Fd& fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  void* address = &storage;
  if (::getsockname(fd.number(), static_cast<sockaddr*>(address), &size) != 0) return false;
  if (storage.ss_family == AF_INET6) {
    const auto& six = static_cast<sockaddr_in6*>(address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&six);
  }
  const auto& four = static_cast<sockaddr_in*>(address)->sin_addr;
  return storage.ss_family == AF_INET && (ntohl(four.s_addr) >> 24) == 127;
}

}  // namespace casemate::launch
