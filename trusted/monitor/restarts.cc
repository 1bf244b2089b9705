// SPDX-License-Identifier: Apache-2.0
// How what has ended did so, and the one line that is written of each restart:
//   partition NAME: running again after 4.3 ms, epoch 2: WHY
//   enclave NAME: running again after 1.2 ms, epoch 1, start 3: WHY
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "base/log.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {
namespace {

// Of all processes at once: two trees of every partition, and a template of each for every enclave.
constexpr size_t kEndsKept = 2 * (limits::kPartitions + limits::kEnclaves);

std::string manner_of(int status, bool out_of_memory) {
  if (WIFEXITED(status)) return formatted(": exit code {}", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* const known = ::sigabbrev_np(signal);
  std::string text = known ? formatted(": SIG{}", known) : formatted(": signal {}", signal);
  if (signal == SIGSYS) text += ", by its system-call filter";
  if (signal == SIGKILL) {
    text += out_of_memory ? ", by the kernel: its memory limit is used up"
                          : ", not by monitor or operator: see the kernel's log";
  }
  return text;
}

}  // namespace

// Also what was handed to us by a dying process in between. The first process of a PID namespace
// ends last: only when all others in it, which are our children, were waited for.
void Monitor::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, __WALL | WNOHANG)) > 0;)
    ended_.emplace_front(pid, status);
  ended_.resize(std::min(ended_.size(), kEndsKept));
}

std::optional<int> Monitor::status_of(pid_t pid) const {
  const auto found = std::ranges::find(ended_, pid, &std::pair<pid_t, int>::first);
  return found != ended_.end() ? std::optional(found->second) : std::nullopt;
}

// ": SIGSEGV" and the like; empty where nothing more is known.
std::string Monitor::manner(size_t p, std::optional<size_t> e, const End& end) {
  // Asked each time, so that the next answer is about the next end.
  const bool out_of_memory = launcher_.out_of_memory(p, e, end.slot);
  if (const auto status = status_of(end.pid)) return manner_of(*status, out_of_memory);
  if ((end.status & control::Message::kEnded) == 0) return "";
  return manner_of(static_cast<int>(end.status & 0xFFFF), out_of_memory);
}

void Monitor::tell_restarts() {
  for (size_t p = 0; p < partitions_.size(); ++p) {
    Partition& partition = partitions_[p];
    const End& end = partition.end;
    if (end.why.empty() || partition.recovering) continue;
    // A runtime that has died is waited for a moment later.
    if (end.pid != 0 && !status_of(end.pid) && dying(p)) continue;
    const std::string why = end.why + manner(p, {}, end);
    partition.last_end = Text<96>::from(why);
    log("partition {}: running again after {:.1f} ms, epoch {}: {}",
        description().partitions[p].name.view(), static_cast<double>(partition.recovery_us) / 1000,
        partition.epoch, why);
    partition.end = {};
  }
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    Enclave& enclave = enclaves_[e];
    if (enclave.end.why.empty() || !enclave.end.again) continue;
    const size_t p = description().enclaves[e].partition;
    const std::string why = enclave.end.why + manner(p, e, enclave.end);
    enclave.last_end = Text<96>::from(why);
    log("enclave {}: running again after {:.1f} ms, epoch {}, start {}: {}", name(e),
        static_cast<double>((*enclave.end.again - enclave.end.at).count()) / 1e6,
        partitions_[p].epoch, enclave.starts, why);
    enclave.end = {};
  }
}

}  // namespace casemate::monitor
