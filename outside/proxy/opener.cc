// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/opener.h"

#include <sys/eventfd.h>

#include <utility>

namespace casemate::proxy {
namespace {

// Without an order, between looks at the policy, and at a verdict that is due and does not become
// better: a model that starts.
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

void Opener::withdraw(uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  std::erase_if(orders_, [&](const Order& order) { return order.ticket == ticket; });
}

Opener::News Opener::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ready_, {});
}

void Opener::ring() const {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(bell_.number(), &one, sizeof one);
}

// What was opened under a verdict that no longer holds, and has not been fetched, is opened anew.
// Requires: mutex_ is held.
void Opener::take_back() {
  std::vector<Opened> refused;
  for (Opened& opened : ready_.opened) {
    if (opened.channel) {
      orders_.push_back({opened.ticket, opened.protocol});
    } else {
      refused.push_back(std::move(opened));
    }
  }
  ready_ = {.revoked = true, .opened = std::move(refused)};
}

void Opener::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool ordered =
        news_.wait_for(lock, kLookPause, [&] { return stopping_ || !orders_.empty(); });
    if (stopping_) return;
    std::optional<Order> order;
    if (ordered) {
      order = orders_.front();
      orders_.pop_front();
    }
    lock.unlock();
    std::optional<Opened> opened;
    if (order) {
      opened.emplace(order->ticket, order->protocol, gate_.open(order->protocol));
    } else {
      gate_.look_after();
    }
    const bool revoked = gate_.revoked();
    const bool outrun = gate_.outrun();  // who waits needs not hear of it
    lock.lock();
    if (revoked) take_back();
    if (opened && outrun && !opened->channel) {
      orders_.push_front(*order);
      opened.reset();
    }
    if (opened) ready_.opened.push_back(*std::move(opened));
    if (revoked || opened) ring();
  }
}

}  // namespace casemate::proxy
