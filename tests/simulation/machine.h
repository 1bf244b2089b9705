// SPDX-License-Identifier: Apache-2.0
#pragma once
// Machine: a computer in one thread, of which everything is decided by a seed: which process runs,
// for how long, when it is interrupted, killed or stopped, how late a wake-up is, and what time it
// is. A process is a fiber that runs the product's own code on real shared memory and real sockets:
// that code is compiled with calls before each access to memory (memory_unsafe.cc), each of them a
// place where another process may go on, and its calls of the kernel come here (calls_unsafe.cc).
//
//   Owns     its processes: what one has opened, mapped or allocated goes when it dies.
//   Threads  one machine at a time, in one thread.
//   Trust    none needed: it is a test.
//   Fails    fail() ends the program with the seed, and runs the seed again with a trace.

#include <poll.h>
#include <ucontext.h>

#include <array>
#include <csetjmp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/format.h"

namespace casemate::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// A generator of which the same seed makes the same numbers everywhere (xoshiro256**).
class Chance final : public Random {
 public:
  explicit Chance(uint64_t seed);
  uint64_t next();
  // 0 to limit - 1.
  uint64_t below(uint64_t limit) { return next() % limit; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  Duration between(Duration low, Duration high) {
    return low +
           Duration(static_cast<int64_t>(below(static_cast<uint64_t>((high - low).count()) + 1)));
  }
  template <class T>
  const T& one_of(std::initializer_list<T> choices) {
    return *(choices.begin() + below(choices.size()));
  }
  void fill(MutableBytes bytes) override;

 private:
  std::array<uint64_t, 4> state_;
};

using ProcessId = uint32_t;  // 0: the world, which is no process

enum class Wait : uint8_t { kNothing, kTime, kDescriptors, kWord };

// Where a fiber goes on: at its very beginning, or where it left off.
struct Fiber {
  ucontext_t begin{};
  jmp_buf place{};
  bool begun = false;
};

struct Process {
  ProcessId id = 0;  // 0: the slot is free
  ProcessId parent = 0;
  std::string name;
  std::function<void()> body;
  Wait wait = Wait::kNothing;
  Instant deadline{};
  Instant slow_until{};  // a wake-up that comes late
  const pollfd* fds = nullptr;
  size_t fd_count = 0;
  uint64_t changes_seen = 0;
  uint64_t word = 0;  // that a futex waits for
  bool stopped = false;
  bool ended = false;    // runs no more, and everything it had is gone
  Instant dies_at{};     // max: nobody has killed it
  uint32_t outside = 0;  // not 0: runs the world's code for a moment, which is never left
  int end = -1;          // an eventfd that is readable once it and its children have ended
  Fiber fiber;
};

class Machine final : public Clock {
 public:
  static constexpr size_t kProcesses = 64;

  explicit Machine(uint64_t seed);
  ~Machine() override;
  static Machine& here();
  static bool exists();

  // Processes. A child does not outlive its parent, as in a PID namespace of its own.
  ProcessId spawn(std::string name, ProcessId parent, std::function<void()> body);
  void kill(ProcessId id);
  void stop(ProcessId id, bool stopped);
  [[nodiscard]] bool alive(ProcessId id) const;
  [[nodiscard]] Process* find(ProcessId id);
  [[nodiscard]] std::span<Process> processes() { return std::span(processes_).first(used_); }
  [[nodiscard]] Process* running() const { return running_; }
  [[nodiscard]] ProcessId owner() const { return running_ != nullptr ? running_->id : 0; }

  // Lets one process go on until it waits or is interrupted. False when all wait for ever.
  bool step();
  [[nodiscard]] uint64_t steps() const { return steps_; }

  // Of the running process. An interruption may be its end.
  void point();
  void wait(Wait kind, Instant deadline);
  void wake(uint64_t word);
  // Something happened that a process may wait for with a descriptor.
  void changed() { ++changes_; }

  // Descriptors belong to processes; the world's own stay.
  void own(int fd, ProcessId id);
  void disown(int fd);
  void name_process(int fd, ProcessId id);
  [[nodiscard]] ProcessId process_named(int fd) const;
  [[nodiscard]] size_t descriptors() const;

  // Time passes by itself where somebody runs or all wait; a jump is a machine that stood still.
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] int64_t unix_seconds() const override;
  void pass(Duration duration) { now_ += duration; }
  void set_date(int64_t unix_seconds) { date_ = unix_seconds; }

  Chance& chance() { return chance_; }
  void set_switch_every(uint64_t points) { switch_every_ = points; }
  void set_late_wakes(bool late) { late_wakes_ = late; }
  // No more interruptions than need be, and nobody is late: what is left has to end well.
  void calm();

  // Hears what processes log.
  std::function<void(std::string_view)> listener;

  // What happened so far in one number.
  [[nodiscard]] uint64_t digest() const { return digest_; }
  void note(uint64_t event) { digest_ = (digest_ ^ event) * 0x9E3779B97F4A7C15 + (digest_ >> 29); }
  static inline bool tracing = false;
  template <class... Args>
  void trace(std::format_string<Args...> format, Args&&... args) {
    if (tracing) say(detail::formatted(format.get(), std::make_format_args(args...)));
  }
  void say(const std::string& what);

 private:
  Process* choose();
  [[nodiscard]] bool ready(const Process& process) const;
  void look_at_descriptors();
  bool advance();
  void run(Process& process);
  void settle_deaths();
  void end(Process& process);
  void leave();

  uint64_t seed_;
  Chance chance_;
  mutable Instant now_{std::chrono::hours(1)};
  int64_t date_ = 1'800'000'000;
  std::array<Process, kProcesses> processes_;
  Process* running_ = nullptr;
  ProcessId next_id_ = 1;
  uint64_t changes_ = 1;
  std::vector<pollfd> polled_;
  uint64_t steps_ = 0;
  uint64_t switch_every_ = 8;
  bool late_wakes_ = true;
  uint64_t digest_ = 0;
  Fiber scheduler_;
  size_t used_ = 0;                // slots that may be taken
  std::vector<ProcessId> owners_;  // by descriptor
  std::vector<ProcessId> named_;   // by descriptor
};

// The world's code within a process: nothing interrupts it, and what it allocates stays.
class Outside final {
 public:
  Outside() : process_(Machine::exists() ? Machine::here().running() : nullptr) {
    if (process_ != nullptr) ++process_->outside;
  }
  ~Outside() {
    if (process_ != nullptr) --process_->outside;
  }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

 private:
  Process* process_;
};

// What is being run, for who finds a fault in it.
struct Run {
  const char* world = "";
  uint64_t seed = 0;
  bool searching = false;  // among many seeds: the one that fails is run again with a trace
};
Run& current_run();
[[noreturn]] void fail(const std::string& what);
void expect(bool holds, std::string_view what);

// fibers_unsafe.cc
void enter_fiber(Fiber& from, Fiber& to);
void make_fiber(Fiber& fiber, size_t slot, void (*entry)());
void free_memory_of(size_t slot);

// memory_unsafe.cc
void forget_memory();
void unmap_all_of(ProcessId id);
// guards_unsafe.cc
void forget_guards(uintptr_t begin, uintptr_t end);

}  // namespace casemate::simulation
