// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/loop.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace casemate::gateway {

Result<std::unique_ptr<Loop>> Loop::make(const Clock& clock) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return errno_error("epoll_create1");
  return std::unique_ptr<Loop>(new Loop(clock, std::move(epoll)));
}

Status Loop::watch(int fd, uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = &watcher;
  if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, fd, &event) != 0) return errno_error("epoll_ctl");
  return {};
}

void Loop::forget(int fd, Watcher& watcher) {
  epoll_event unused{};
  ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, fd, &unused);
  // What this round still had in store for it.
  for (int i = 0; i < event_count_; ++i) {
    if (events_[static_cast<size_t>(i)].data.ptr == &watcher)
      events_[static_cast<size_t>(i)].data.ptr = nullptr;
  }
  std::ranges::replace(running_, &watcher, nullptr);
  std::ranges::replace(looked_at_, &watcher, nullptr);
  std::erase(turns_, &watcher);
}

void Loop::again(Watcher& watcher) {
  if (!std::ranges::contains(turns_, &watcher)) turns_.push_back(&watcher);
}

Loop::Timer::Timer(Loop& loop, std::function<void()> action)
    : loop_(loop), action_(std::move(action)) {
  loop_.timers_.push_back(this);
}
Loop::Timer::~Timer() { std::erase(loop_.timers_, this); }
void Loop::Timer::set(Instant due) { due_ = due; }
void Loop::Timer::clear() { due_ = kNever; }

int Loop::wait_ms(Duration wait_max) const {
  if (!turns_.empty()) return 0;
  Instant due = Timer::kNever;
  for (const Timer* timer : timers_) due = std::min(due, timer->due());
  const Duration wait = due == Timer::kNever ? wait_max : std::min(wait_max, due - clock_.now());
  using std::chrono::milliseconds;
  return static_cast<int>(std::chrono::ceil<milliseconds>(std::max(wait, Duration(0))).count());
}

// One who wants another look ends the round's: however many there are, sockets wait for one.
bool Loop::look() {
  bool again = false;
  for (size_t i = 0; i < looked_at_.size() && !again; ++i) {
    Watcher* const watcher = looked_at_[next_look_++ % looked_at_.size()];
    again = watcher != nullptr && watcher->look();
  }
  std::erase(looked_at_, nullptr);
  return again;
}

void Loop::run_turns() {
  std::swap(turns_, running_);
  for (size_t i = 0; i < running_.size(); ++i) {
    if (running_[i] != nullptr) running_[i]->ready(0);
  }
  running_.clear();
}

void Loop::run_timers() {
  // By index, and the end read again: an action may make or end timers.
  for (size_t i = 0; i < timers_.size(); ++i) {
    Timer* timer = timers_[i];
    if (timer->due_ > now_) continue;
    timer->clear();
    timer->action_();
  }
}

Status Loop::run_once(Duration wait_max) {
  const int wait = look() ? 0 : wait_ms(wait_max);
  event_count_ =
      ::epoll_wait(epoll_.number(), events_.data(), static_cast<int>(events_.size()), wait);
  if (event_count_ < 0) {
    event_count_ = 0;
    if (errno != EINTR) return errno_error("epoll_wait");
  }
  now_ = clock_.now();
  for (int i = 0; i < event_count_; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    if (event.data.ptr != nullptr) static_cast<Watcher*>(event.data.ptr)->ready(event.events);
  }
  event_count_ = 0;
  run_turns();
  run_timers();
  return {};
}

Status Loop::run() {
  stopping_ = false;
  while (!stopping_) TRY(run_once(std::chrono::minutes(1)));
  return {};
}

}  // namespace casemate::gateway
