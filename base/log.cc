// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <array>

#include "base/format.h"

namespace casemate {
namespace {

std::array<char, 32> process_name = {"casemate"};

}  // namespace

void log_as(std::string_view name) {
  process_name = {};
  name.copy(process_name.data(), process_name.size() - 1);
}

std::string printable(std::string_view text, size_t length_max) {
  std::string line(text.substr(0, length_max));
  for (char& c : line) {
    if (c < ' ' || c > '~') c = '?';
  }
  return line;
}

void log_line(std::string_view text) {
  const std::string line = formatted("{}: {}\n", process_name.data(), printable(text, 2000));
  // A reader that has stopped costs lines, and holds nobody up. A pipe that has room at all has it
  // for one line.
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return;
  // One write, so that lines of different processes do not mix.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace casemate
