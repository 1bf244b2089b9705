// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pump: reads lines from a pipe and hands them on, one at a time, until its writers have gone.
//
//   Owns     the reading end, and a thread.
//   Threads  the reader is called from the pump's own.
//   Trust    writers may be hostile: a line is cut at kLineMax and what is behind it dropped.
//   Fails    make() with kPlatform.

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "base/fd.h"
#include "base/result.h"

namespace casemate::log_events {

// Two ends of a pipe that are closed on execve.
struct Pipe {
  Fd reading;
  Fd writing;
  static Result<Pipe> make();
};

class Pump final {
 public:
  static constexpr size_t kLineMax = 2048;

  Pump(Fd reading, std::function<void(std::string_view line)> reader);
  // Hands on what has been written by now, within bounds: a writer may live and never stop.
  ~Pump();
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

 private:
  void run();
  void take(std::string_view bytes);
  void end_line();

  Fd reading_;
  std::function<void(std::string_view)> reader_;
  std::string line_;
  bool too_long_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace casemate::log_events
