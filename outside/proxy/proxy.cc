// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "outside/proxy/tunnel.h"

namespace casemate::proxy {
namespace {

// What is watched, by number: a tunnel's client has an even one, its server the odd one behind it.
constexpr uint64_t kListener = 0;
constexpr uint64_t kStop = 1;
constexpr uint64_t kOpened = 2;
constexpr uint64_t kFirst = 16;

constexpr size_t kBuffer = 64 << 10;
constexpr int kAcceptsPerTurn = 32;
constexpr int kAcceptPauseMs = 100;
constexpr uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

uint64_t client_of(uint64_t number) { return number & ~1ull; }
uint64_t server_of(uint64_t number) { return number | 1; }
size_t index_of(client::Protocol protocol) { return protocol == client::Protocol::kHttp2 ? 1 : 0; }

}  // namespace

Proxy::Proxy(Fd listener, const ProxyLimits& limits)
    : listener_(std::move(listener)), limits_(limits) {}

Result<std::unique_ptr<Proxy>> Proxy::make(Fd listener, GateOptions options, Gate::Tell tell,
                                           const ProxyLimits& limits) {
  std::unique_ptr<Proxy> proxy(new Proxy(std::move(listener), limits));
  proxy->next_number_ = kFirst;
  proxy->buffer_.resize(kBuffer);
  proxy->epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  proxy->stop_bell_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!proxy->epoll_.valid() || !proxy->stop_bell_.valid()) return errno_error("epoll_create1");
  proxy->opener_ = TRY(Opener::make(std::move(options), std::move(tell)));
  TRY(proxy->watch(proxy->listener_.number(), kListener, EPOLLIN | EPOLLET));
  TRY(proxy->watch(proxy->stop_bell_.number(), kStop, EPOLLIN));
  TRY(proxy->watch(proxy->opener_->bell(), kOpened, EPOLLIN | EPOLLET));
  proxy->order_spare(client::Protocol::kHttp1);
  return proxy;
}

Proxy::~Proxy() = default;

void Proxy::stop() {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_bell_.number(), &one, sizeof one);
}

Status Proxy::watch(int fd, uint64_t number, uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = number;
  if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, fd, &event) != 0) return errno_error("epoll_ctl");
  return {};
}

void Proxy::accept_some() {
  accept_in_ms_ = 0;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Fd client(::accept4(listener_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client.valid()) {
      if (errno == EAGAIN) return accept_in_ms_.reset();
      // Without descriptors the queue stays full and says so no second time.
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        accept_in_ms_ = kAcceptPauseMs;
        return;
      }
      continue;
    }
    if (tunnels_.size() >= limits_.connections) continue;  // closes it
    const int on = 1;
    ::setsockopt(client.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const uint64_t number = std::exchange(next_number_, next_number_ + 2);
    auto tunnel = std::make_unique<Tunnel>(*this, number, std::move(client));
    if (!watch(tunnel->client(), number, kEvents)) continue;
    tunnels_.emplace(number, std::move(tunnel));
  }
}

void Proxy::order_spare(client::Protocol protocol) {
  Spare& spare = spares_[index_of(protocol)];
  if (spare.upstream != nullptr || std::exchange(spare.ordered, true)) return;
  opener_->ask(0, protocol);
}

// Watched while it waits: a server that has ended it has perhaps been started anew.
void Proxy::keep_spare(client::Protocol protocol, std::unique_ptr<Upstream> upstream) {
  Spare& spare = spares_[index_of(protocol)];
  spare.number = std::exchange(next_number_, next_number_ + 2);
  if (watch(upstream->socket(), server_of(spare.number), kEvents))
    spare.upstream = std::move(upstream);
}

void Proxy::spare_event(uint64_t number, uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
  for (const auto protocol : {client::Protocol::kHttp1, client::Protocol::kHttp2}) {
    Spare& spare = spares_[index_of(protocol)];
    if (spare.upstream == nullptr || server_of(spare.number) != number) continue;
    spare.upstream.reset();
    order_spare(protocol);
  }
}

std::unique_ptr<Upstream> Proxy::take_spare(client::Protocol protocol, uint64_t tunnel) {
  std::unique_ptr<Upstream> taken = std::move(spares_[index_of(protocol)].upstream);
  if (taken == nullptr) return nullptr;
  order_spare(protocol);
  // It has waited: one on which a server that should be silent has spoken is on its way out.
  char byte = 0;
  const ssize_t got = ::recv(taken->socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  const bool silent = got < 0 && errno == EAGAIN;
  if (!silent && (got <= 0 || protocol == client::Protocol::kHttp1)) return nullptr;
  epoll_event event{};
  event.events = kEvents;
  event.data.u64 = server_of(tunnel);
  if (::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, taken->socket(), &event) != 0) return nullptr;
  return taken;
}

void Proxy::hear_opener() {
  Opener::News news = opener_->take();
  if (news.revoked) {
    // Whoever is connected is connected to somebody that would not be let through now.
    for (Spare& spare : spares_) spare.upstream.reset();
    std::erase_if(tunnels_, [](const auto& entry) { return entry.second->connected(); });
  }
  for (Opener::Opened& opened : news.opened) {
    auto upstream = opened.channel ? Upstream::make(*std::move(opened.channel)) : nullptr;
    if (opened.ticket == 0) {
      spares_[index_of(opened.protocol)].ordered = false;
      if (upstream != nullptr) keep_spare(opened.protocol, std::move(upstream));
      continue;
    }
    const auto found = tunnels_.find(opened.ticket);
    if (found == tunnels_.end() || !found->second->waiting()) continue;
    Tunnel& tunnel = *found->second;
    if (upstream != nullptr && watch(upstream->socket(), server_of(opened.ticket), kEvents)) {
      tunnel.connect(std::move(upstream));
      order_spare(opened.protocol);
    } else {
      tunnel.refuse(opened.channel ? Refusal{{Code::kPlatform, "no memory or descriptor is left"},
                                             std::nullopt}
                                   : opened.channel.error());
    }
    turn(opened.ticket);
  }
}

void Proxy::turn(uint64_t number) {
  const auto found = tunnels_.find(number);
  if (found == tunnels_.end()) return;
  bool alive = false;
  // The seam: whatever throws (memory) ends this tunnel alone.
  try {
    alive = found->second->drive();
  } catch (const std::exception&) {
  }
  if (!alive) tunnels_.erase(found);
}

int Proxy::wait_ms() const {
  if (!again_.empty()) return 0;
  Instant next = Instant::max();
  for (const auto& [number, tunnel] : tunnels_) next = std::min(next, tunnel->due());
  int wait = -1;
  if (next != Instant::max()) {
    const Duration left = std::max(next - system_clock().now(), Duration::zero());
    wait = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
  }
  if (accept_in_ms_) wait = wait < 0 ? *accept_in_ms_ : std::min(wait, *accept_in_ms_);
  return wait;
}

void Proxy::expire() {
  const Instant now = system_clock().now();
  std::erase_if(tunnels_, [&](const auto& entry) { return entry.second->due() <= now; });
}

void Proxy::happened(uint64_t number, uint32_t events) {
  const auto found = tunnels_.find(client_of(number));
  if (found == tunnels_.end()) return spare_event(number, events);
  if (number == client_of(number)) {
    found->second->client_ready((events & EPOLLRDHUP) != 0, (events & (EPOLLHUP | EPOLLERR)) != 0);
  } else {
    found->second->server_ready();
  }
  turn(client_of(number));
}

Status Proxy::run() {
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count =
        ::epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()), wait_ms());
    if (count < 0 && errno != EINTR) return errno_error("epoll_wait");
    const std::vector<uint64_t> turns = std::exchange(again_, {});
    for (int i = 0; i < count; ++i) {
      const uint64_t number = events[static_cast<size_t>(i)].data.u64;
      if (number == kStop) return {};
      if (number == kListener) {
        accept_in_ms_ = 0;
        continue;
      }
      if (number == kOpened) {
        hear_opener();
        continue;
      }
      happened(number, events[static_cast<size_t>(i)].events);
    }
    for (const uint64_t number : turns) turn(number);
    if (accept_in_ms_) accept_some();
    expire();
  }
}

}  // namespace casemate::proxy
