// SPDX-License-Identifier: Apache-2.0
#pragma once
// LoopThread: a Loop that runs on a thread of its own, so that a test can be its blocking client.
//
//   Owns     the loop and the thread.
//   Threads  run() may be called from any thread but the loop's; what it is given runs on the
//            loop's.
//   Trust    none needed.
//   Fails    by stopping the test.

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "isolated/gateway/http/loop.h"

namespace casemate::gateway {

class LoopThread final : private Watcher {
 public:
  explicit LoopThread(const Clock& clock = system_clock());
  ~LoopThread() { join(); }
  LoopThread(const LoopThread&) = delete;

  // Before start() the loop belongs to the caller.
  [[nodiscard]] Loop& loop() { return *loop_; }
  void start();
  // Runs `action` on the loop's thread and waits for its end. Before start(), and after join(), it
  // runs here.
  void run(const std::function<void()>& action);
  void join();

 private:
  void ready(uint32_t events) override;
  std::unique_ptr<Loop> loop_;
  Fd bell_;
  std::mutex mutex_;
  std::deque<std::function<void()>> actions_;
  std::thread thread_;
};

}  // namespace casemate::gateway
