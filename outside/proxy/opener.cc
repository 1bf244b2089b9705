// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/opener.h"

#include <sys/eventfd.h>

#include <utility>

namespace casemate::proxy {
namespace {

// Between looks at a verdict that is due and does not become better: a model that starts.
constexpr auto kLookPause = std::chrono::seconds(2);

}  // namespace

Result<std::unique_ptr<Opener>> Opener::make(GateOptions options, Gate::Tell tell) {
  Fd bell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!bell.valid()) return errno_error("eventfd");
  std::unique_ptr<Opener> made(new Opener(std::move(options), std::move(tell), std::move(bell)));
  made->thread_ = std::thread([opener = made.get()] { opener->run(); });
  return made;
}

Opener::~Opener() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    orders_.clear();
  }
  news_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Opener::ask(uint64_t ticket, client::Protocol protocol) {
  {
    const std::lock_guard lock(mutex_);
    orders_.push_back({ticket, protocol});
  }
  news_.notify_one();
}

std::vector<Opener::Opened> Opener::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(opened_, {});
}

void Opener::ring() const {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(bell_.number(), &one, sizeof one);
}

void Opener::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool ordered =
        news_.wait_for(lock, kLookPause, [&] { return stopping_ || !orders_.empty(); });
    if (stopping_) return;
    if (!ordered) {
      lock.unlock();
      if (gate_.due() && gate_.look_again()) {
        revoked_ = true;
        ring();
      }
      lock.lock();
      continue;
    }
    const Order order = orders_.front();
    orders_.pop_front();
    lock.unlock();
    Opened opened{order.ticket, order.protocol, gate_.open(order.protocol)};
    lock.lock();
    opened_.push_back(std::move(opened));
    ring();
  }
}

}  // namespace casemate::proxy
