// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/service.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace casemate::keys {
namespace {

// After accepting has failed, for want of descriptors or memory.
constexpr std::chrono::milliseconds kRest{100};

unsigned status_of(Code code) {
  switch (code) {
    case Code::kDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kInvalid:
      return 400;
    case Code::kTooLarge:
      return 413;
    case Code::kTimedOut:
      return 408;
    case Code::kUnsupported:
      return 411;
    default:
      return 503;
  }
}

HttpAnswer refusal_of(const Error& error) {
  const std::string line = printable(error.text) + "\n";
  const Bytes bytes = bytes_of(std::string_view(line));
  return {status_of(error.code), {bytes.begin(), bytes.end()}, std::string(kRefusalType)};
}

template <class T>
HttpAnswer bytes_answer(const T& value) {
  const Bytes bytes = bytes_of(value);
  return {200, {bytes.begin(), bytes.end()}};
}

// Whoever has no memory for what he does has none for saying so, either.
void tell(std::string_view what, std::string_view why) noexcept {
  try {
    log("{}: {}", what, printable(why, 120));
  } catch (const std::exception&) {
  }
}

// Who that is, as far as it costs somebody to be somebody else.
std::string peer_of(const sockaddr_storage& address) {
  const void* at = &address;
  if (address.ss_family == AF_INET)
    return std::string(text_of(bytes_of(static_cast<const sockaddr_in*>(at)->sin_addr)));
  if (address.ss_family != AF_INET6) return "";
  const in6_addr& six = static_cast<const sockaddr_in6*>(at)->sin6_addr;
  const std::string_view bytes = text_of(bytes_of(six));
  return std::string(IN6_IS_ADDR_V4MAPPED(&six) ? bytes.substr(12) : bytes.substr(0, 8));
}

}  // namespace

struct Service::Connection {
  enum class State { kReading, kDeciding, kAnswering, kDraining, kOver };

  Fd socket;
  std::string peer;
  uint64_t number = 0;
  client::Deadline whole;  // for the request
  client::Deadline until;  // for what it is doing now, but for kDeciding
  State state = State::kReading;
  bool begun = false;
  RequestReader reader{};
  std::vector<uint8_t> answer{};
  size_t sent = 0;

  [[nodiscard]] bool waits_for_us() const { return state == State::kDeciding; }

  void send_on() {
    while (sent < answer.size()) {
      const ssize_t size = ::send(socket.number(), answer.data() + sent, answer.size() - sent,
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size <= 0) {
        if (errno != EAGAIN && errno != EINTR) state = State::kOver;
        return;
      }
      sent += static_cast<size_t>(size);
    }
    // What still comes is dropped until the other side has closed: otherwise the kernel would take
    // the answer back from who has not read it yet.
    ::shutdown(socket.number(), SHUT_WR);
    state = State::kDraining;
  }
  void drain() {
    ByteArray<16 << 10> dropped;
    const ssize_t size = ::recv(socket.number(), dropped.data(), dropped.size(), MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) state = State::kOver;
  }
};

Service::Service(Fd listener, Keeper& keeper, Clock& clock)
    : listener_(std::move(listener)),
      keeper_(keeper),
      clock_(clock),
      bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      rest_(clock, Duration::zero()) {
  CHECK(bell_.valid(), "a process that serves keys starts with descriptors left");
  serving_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  deciding_ = std::jthread([this](const std::stop_token& stop) { decide(stop); });
}

Service::~Service() {
  serving_.request_stop();
  deciding_.request_stop();
  ring();
}

void Service::ring() { ::eventfd_write(bell_.number(), 1); }

void Service::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    try {
      take_decided();
      forget_over();
      wait();
    } catch (const std::exception& failure) {
      connections_.clear();
      tell("connections are dropped", failure.what());
    }
  }
}

void Service::forget_over() {
  std::erase_if(connections_, [](const auto& it) { return it->state == Connection::State::kOver; });
}

int Service::wait_ms() const {
  int least = rest_.passed() ? INT_MAX : rest_.left_ms();
  for (const auto& connection : connections_) {
    if (!connection->waits_for_us()) least = std::min(least, connection->until.left_ms());
  }
  return least == INT_MAX ? -1 : least;
}

// For whatever happens next, and sees to it.
void Service::wait() {
  std::vector<pollfd> items{{bell_.number(), POLLIN, 0},
                            {rest_.passed() ? listener_.number() : -1, POLLIN, 0}};
  for (const auto& connection : connections_) {
    const short events = connection->state == Connection::State::kAnswering ? POLLOUT : POLLIN;
    items.push_back({connection->waits_for_us() ? -1 : connection->socket.number(), events, 0});
  }
  if (::poll(items.data(), items.size(), wait_ms()) < 0) {
    if (errno == EINTR) return;
    std::this_thread::sleep_for(kRest);  // no memory; deadlines go on
    for (pollfd& item : items) item.revents = 0;
  }
  eventfd_t rung = 0;
  ::eventfd_read(bell_.number(), &rung);
  for (size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = *connections_[i];
    if (items[i + 2].revents != 0) go_on(connection);
    // Also of one that has always something to say.
    if (!connection.waits_for_us() && connection.until.passed()) give_up(connection);
  }
  forget_over();
  if (items[1].revents != 0) accept_some();
}

void Service::accept_some() {
  // Not as many as come: others have been waiting for longer.
  for (size_t i = 0; i < kConnections; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Fd socket(::accept4(listener_.number(), static_cast<sockaddr*>(static_cast<void*>(&address)),
                        &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) rest_ = in(kRest);
      return;
    }
    std::string peer = peer_of(address);
    const auto same =
        std::ranges::count_if(connections_, [&](const auto& it) { return it->peer == peer; });
    if (connections_.size() >= kConnections || static_cast<size_t>(same) >= kPerPeer) continue;
    connections_.push_back(std::make_unique<Connection>(
        Connection{std::move(socket), std::move(peer), ++next_, in(kPatience), in(kFirstByte)}));
  }
}

void Service::go_on(Connection& connection) {
  switch (connection.state) {
    case Connection::State::kReading:
      return read(connection);
    case Connection::State::kAnswering:
      return connection.send_on();
    case Connection::State::kDraining:
      return connection.drain();
    case Connection::State::kDeciding:
    case Connection::State::kOver:
      return;
  }
}

void Service::read(Connection& connection) {
  ByteArray<16 << 10> piece;
  const ssize_t size = ::recv(connection.socket.number(), piece.data(), piece.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    connection.state = Connection::State::kOver;
    return;
  }
  if (!connection.begun) connection.until = in(kHead);
  connection.begun = true;
  const auto whole = connection.reader.take(Bytes(piece).first(static_cast<size_t>(size)));
  if (!whole) return answer(connection, refusal_of(whole.error()));
  if (connection.reader.head_done()) connection.until = connection.whole;
  if (!*whole) return;
  connection.state = Connection::State::kDeciding;
  const std::lock_guard held(lock_);
  asked_.push_back({connection.number, connection.reader.request()});
  changed_.notify_one();
}

void Service::answer(Connection& connection, const HttpAnswer& said) {
  connection.answer = bytes_of_answer(said);
  connection.state = Connection::State::kAnswering;
  connection.until = in(kEnd);
  connection.send_on();
}

void Service::give_up(Connection& connection) {
  if (connection.state == Connection::State::kReading && connection.begun) {
    return answer(connection, refusal_of({Code::kTimedOut, "the request took too long to come"}));
  }
  connection.state = Connection::State::kOver;
}

void Service::take_decided() {
  std::vector<Decided> decided;
  uint64_t failed = 0;
  Text<128> why{};
  {
    const std::lock_guard held(lock_);
    decided.swap(decided_);
    failed = std::exchange(failed_, 0);
    why = failure_;
  }
  if (failed != 0) take_failed(failed, why);
  for (const Decided& it : decided) {
    for (const auto& connection : connections_) {
      if (connection->number == it.connection) answer(*connection, it.answer);
    }
  }
}

void Service::take_failed(uint64_t number, const Text<128>& why) {
  changed_.notify_one();
  tell("a request is not answered", why.view());
  for (const auto& connection : connections_) {
    if (connection->number == number)
      answer(*connection, refusal_of({Code::kUnavailable, "the key service cannot answer now"}));
  }
}

void Service::decide(const std::stop_token& stop) {
  std::unique_lock held(lock_);
  const auto may_go_on = [this] { return !asked_.empty() && failed_ == 0; };
  while (changed_.wait(held, stop, may_go_on) && !stop.stop_requested()) {
    const Asked next = std::move(asked_.front());
    asked_.pop_front();
    held.unlock();
    try {
      Decided decided{next.connection, decision_on(next.request)};
      held.lock();
      decided_.push_back(std::move(decided));
    } catch (const std::exception& failure) {
      if (!held.owns_lock()) held.lock();
      failed_ = next.connection;
      failure_ = Text<128>::from(failure.what());
    }
    ring();
  }
}

HttpAnswer Service::decision_on(const HttpRequest& request) {
  if (request.target == "/v1/nonce" && request.method == "GET")
    return bytes_answer(keeper_.challenge());
  if (request.target != "/v1/keys" || request.method != "POST")
    return refusal_of({Code::kNotFound, "the key service knows GET /v1/nonce and POST /v1/keys"});
  const auto wrapped = keeper_.release(request.body);
  return wrapped ? bytes_answer(*wrapped) : refusal_of(wrapped.error());
}

}  // namespace casemate::keys
