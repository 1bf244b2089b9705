// SPDX-License-Identifier: Apache-2.0
#include "outside/log/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace casemate::log_events {
namespace {

// How long an end that has been asked for may be noticed late.
constexpr int kLookMs = 50;
constexpr size_t kRestMax = 1 << 20;
constexpr std::string_view kCut = " ...";

}  // namespace

Result<Pipe> Pipe::make() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("making a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Pump::Pump(Fd reading, std::function<void(std::string_view)> reader)
    : reading_(std::move(reading)), reader_(std::move(reader)), thread_([this] { run(); }) {}

Pump::~Pump() {
  stopping_ = true;
  thread_.join();
}

void Pump::run() {
  std::array<char, 4096> bytes;
  for (size_t rest = 0; rest < kRestMax;) {
    const bool last = stopping_;
    pollfd waiting{reading_.number(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, last ? 0 : kLookMs);
    if (ready <= 0) {
      if (last) break;
      continue;
    }
    const ssize_t got = ::read(reading_.number(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    take({bytes.data(), static_cast<size_t>(got)});
    if (last) rest += static_cast<size_t>(got);
  }
  if (!line_.empty()) end_line();
}

void Pump::take(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n') {
      end_line();
    } else if (line_.size() < kLineMax) {
      line_ += c;
    } else {
      too_long_ = true;
    }
  }
}

void Pump::end_line() {
  if (std::exchange(too_long_, false)) line_.replace(kLineMax - kCut.size(), kCut.size(), kCut);
  reader_(line_);
  line_.clear();
}

}  // namespace casemate::log_events
