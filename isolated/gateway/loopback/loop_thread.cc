// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/loopback/loop_thread.h"

#include <signal.h>
#include <sys/eventfd.h>

#include <future>

#include "base/check.h"

namespace casemate::gateway {

LoopThread::LoopThread(const Clock& clock) : bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  auto loop = Loop::make(clock);
  CHECK(loop.has_value(), "a test has descriptors");
  loop_ = *std::move(loop);
  CHECK(loop_->watch(bell_.number(), EPOLLIN, *this).has_value(), "an eventfd can be watched");
}

void LoopThread::start() {
  thread_ = std::thread([this] {
    // As in a real gateway, where a SIGPIPE would be the end.
    sigset_t pipe{};
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_UNBLOCK, &pipe, nullptr);
    CHECK(loop_->run().has_value(), "epoll works");
  });
}

void LoopThread::ready(uint32_t) {
  std::deque<std::function<void()>> actions;
  {
    const std::lock_guard lock(mutex_);
    actions.swap(actions_);
  }
  for (const auto& action : actions) action();
}

void LoopThread::run(const std::function<void()>& action) {
  if (!thread_.joinable()) return action();
  std::promise<void> done;
  {
    const std::lock_guard lock(mutex_);
    actions_.push_back([&] {
      action();
      done.set_value();
    });
  }
  const uint64_t one = 1;
  CHECK(::write(bell_.number(), &one, sizeof one) == sizeof one, "an eventfd takes writes");
  done.get_future().wait();
}

void LoopThread::join() {
  if (!thread_.joinable()) return;
  run([this] { loop_->stop(); });
  thread_.join();
}

}  // namespace casemate::gateway
