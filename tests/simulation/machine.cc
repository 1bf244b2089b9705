// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/machine.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <utility>

namespace casemate::simulation {
namespace {

Machine* machine = nullptr;

void run_body() {
  Machine::here().running()->body();
  Machine::here().running()->dies_at = Instant{};
  Machine::here().wait(Wait::kTime, Instant::max());
}

}  // namespace

Chance::Chance(uint64_t seed) {
  for (uint64_t& word : state_) {  // splitmix64
    seed += 0x9E3779B97F4A7C15;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    word = z ^ (z >> 31);
  }
}

uint64_t Chance::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

void Chance::fill(MutableBytes bytes) {
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(next());
}

Machine::Machine(uint64_t seed) : seed_(seed), chance_(seed) {
  machine = this;
  owners_.resize(4096);
  named_.resize(4096);
}

Machine::~Machine() {
  for (Process& process : processes_) {
    if (process.id == 0) continue;
    if (!process.ended) end(process);
    ::close(process.end);
    process.end = -1;
  }
  forget_memory();
  machine = nullptr;
}

Machine& Machine::here() { return *machine; }
bool Machine::exists() { return machine != nullptr; }

ProcessId Machine::spawn(std::string name, ProcessId parent, std::function<void()> body) {
  const Outside outside;
  const auto slot = std::ranges::find(processes_, ProcessId{0}, &Process::id);
  if (slot == processes_.end()) fail("the machine has too many processes");
  *slot = Process{};
  slot->id = next_id_++;
  slot->parent = parent;
  slot->name = std::move(name);
  slot->body = std::move(body);
  slot->dies_at = Instant::max();
  slot->end = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (late_wakes_) slot->slow_until = now_ + chance_.between(nanoseconds(0), microseconds(300));
  const auto number = static_cast<size_t>(slot - processes_.begin());
  used_ = std::max(used_, number + 1);
  make_fiber(slot->fiber, number, run_body);
  trace("{} is process {}", slot->name, slot->id);
  return slot->id;
}

Process* Machine::find(ProcessId id) {
  const auto found = std::ranges::find(processes_, id, &Process::id);
  return id == 0 || found == processes_.end() ? nullptr : &*found;
}

bool Machine::alive(ProcessId id) const {
  const auto found = std::ranges::find(processes_, id, &Process::id);
  return id != 0 && found != processes_.end() && !found->ended;
}

// A signal takes a moment to arrive, in which the process may still do something.
void Machine::kill(ProcessId id) {
  Process* process = find(id);
  if (process == nullptr || process->ended || process->dies_at != Instant::max()) return;
  process->dies_at = now_ + chance_.between(nanoseconds(0), microseconds(20));
  trace("{} ({}) is killed", process->name, id);
}

void Machine::stop(ProcessId id, bool stopped) {
  if (Process* process = find(id)) process->stopped = stopped;
}

// Descriptors and memory go first; the end is known when the children have ended as well.
void Machine::settle_deaths() {
  for (size_t i = 0; i < used_; ++i) {
    Process& process = processes_[i];
    if (process.id == 0 || (!process.ended && process.dies_at > now_)) continue;
    if (!process.ended) end(process);
    const bool childless = std::ranges::none_of(
        processes(), [&](const Process& p) { return p.id != 0 && p.parent == process.id; });
    if (!childless) continue;
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(process.end, &one, sizeof one);
    ::close(process.end);
    changed();
    trace("{} ({}) has ended", process.name, process.id);
    process.id = 0;
    process.body = nullptr;
    i = 0;  // its parent may have waited for that
  }
}

void Machine::end(Process& process) {
  process.ended = true;
  process.stopped = false;
  for (size_t fd = 0; fd < owners_.size(); ++fd) {
    if (owners_[fd] == process.id) ::close(static_cast<int>(fd));
  }
  unmap_all_of(process.id);
  free_memory_of(static_cast<size_t>(&process - processes_.data()));
  changed();
  for (Process& child : processes()) {
    if (child.id == 0 || child.parent != process.id || child.ended) continue;
    child.dies_at = std::min(child.dies_at, now_ + chance_.between(Duration(0), milliseconds(1)));
  }
}

bool Machine::ready(const Process& process) const {
  return !process.ended && !process.stopped && process.slow_until <= now_ &&
         (process.wait == Wait::kNothing || process.deadline <= now_);
}

// Asks the kernel once for all who wait for descriptors, where something has happened since.
void Machine::look_at_descriptors() {
  polled_.clear();
  for (Process& process : processes()) {
    if (process.id != 0 && !process.ended && process.wait == Wait::kDescriptors &&
        process.changes_seen != changes_)
      polled_.insert(polled_.end(), process.fds, process.fds + process.fd_count);
  }
  if (polled_.empty()) return;
  ::poll(polled_.data(), polled_.size(), 0);
  auto next = polled_.begin();
  for (Process& process : processes()) {
    if (process.id == 0 || process.ended || process.wait != Wait::kDescriptors ||
        process.changes_seen == changes_)
      continue;
    process.changes_seen = changes_;
    const auto end = next + static_cast<std::ptrdiff_t>(process.fd_count);
    const bool found = std::any_of(next, end, [](const pollfd& fd) { return fd.revents != 0; });
    next = end;
    if (!found) continue;
    process.wait = Wait::kNothing;
    if (late_wakes_ && chance_.one_in(8))
      process.slow_until = now_ + chance_.between(Duration(0), microseconds(500));
  }
}

Process* Machine::choose() {
  look_at_descriptors();
  std::array<Process*, kProcesses> candidates;
  size_t count = 0;
  for (Process& process : processes()) {
    if (process.id != 0 && ready(process)) candidates[count++] = &process;
  }
  return count == 0 ? nullptr : candidates[chance_.below(count)];
}

// To when something happens next by itself.
bool Machine::advance() {
  Instant next = Instant::max();
  for (const Process& process : processes()) {
    if (process.id == 0 || process.ended) continue;
    next = std::min(next, process.dies_at);
    if (process.stopped) continue;
    const Instant due = process.wait == Wait::kNothing ? Instant{} : process.deadline;
    next = std::min(next, std::max(due, process.slow_until));
  }
  if (next == Instant::max()) return false;
  now_ = std::max(now_, next);
  return true;
}

bool Machine::step() {
  ++steps_;
  settle_deaths();
  Process* next = choose();
  while (next == nullptr) {
    if (!advance()) return false;
    settle_deaths();
    next = choose();
  }
  now_ += chance_.between(nanoseconds(50), nanoseconds(1500));
  run(*next);
  return true;
}

void Machine::run(Process& process) {
  note(process.id << 20 ^ static_cast<uint64_t>(now_.time_since_epoch().count()));
  process.wait = Wait::kNothing;
  running_ = &process;
  enter_fiber(scheduler_, process.fiber);
  running_ = nullptr;
}

void Machine::leave() {
  Process& process = *running_;
  enter_fiber(process.fiber, scheduler_);
}

void Machine::point() {
  if (running_ == nullptr || running_->outside != 0) return;
  now_ += nanoseconds(20);
  if (chance_.one_in(switch_every_)) leave();
}

void Machine::wait(Wait kind, Instant deadline) {
  running_->wait = kind;
  running_->deadline = deadline;
  running_->changes_seen = 0;
  leave();
}

void Machine::wake(uint64_t word) {
  for (Process& process : processes()) {
    if (process.id == 0 || process.wait != Wait::kWord || process.word != word) continue;
    process.wait = Wait::kNothing;
    if (late_wakes_ && chance_.one_in(4))
      process.slow_until = now_ + chance_.between(Duration(0), milliseconds(2));
  }
}

void Machine::own(int fd, ProcessId id) {
  if (fd >= 0 && static_cast<size_t>(fd) < owners_.size()) owners_[static_cast<size_t>(fd)] = id;
}

void Machine::disown(int fd) {
  if (fd < 0 || static_cast<size_t>(fd) >= owners_.size()) return;
  owners_[static_cast<size_t>(fd)] = 0;
  named_[static_cast<size_t>(fd)] = 0;
  changed();
}

void Machine::name_process(int fd, ProcessId id) { named_[static_cast<size_t>(fd)] = id; }
ProcessId Machine::process_named(int fd) const { return named_[static_cast<size_t>(fd)]; }

size_t Machine::descriptors() const {
  return static_cast<size_t>(
      std::ranges::count_if(owners_, [](ProcessId owner) { return owner != 0; }));
}

Instant Machine::now() const {
  now_ += nanoseconds(60);
  return now_;
}

int64_t Machine::unix_seconds() const {
  return date_ + std::chrono::duration_cast<seconds>(now_.time_since_epoch()).count();
}

void Machine::calm() {
  late_wakes_ = false;
  switch_every_ = std::max<uint64_t>(switch_every_, 32);
  for (Process& process : processes_) process.stopped = false;
}

void Machine::say(const std::string& what) {
  const Outside outside;
  const double ms =
      static_cast<double>((now_.time_since_epoch() - std::chrono::hours(1)).count()) / 1e6;
  std::printf("%8llu %12.6f ms  %-12s %s\n", static_cast<unsigned long long>(steps_), ms,
              running_ != nullptr ? running_->name.c_str() : "world", what.c_str());
}

Run& current_run() {
  static Run run;
  return run;
}

void expect(bool holds, std::string_view what) {
  if (!holds) [[unlikely]]
    fail(std::string(what));
}

}  // namespace casemate::simulation
