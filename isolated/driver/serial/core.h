// SPDX-License-Identifier: Apache-2.0
#pragma once
// SerialCore: what a SerialDevice and its handles share: the tables that handles are looked up in,
// the queues' commands, and the one lock over them. Commands run outside the lock.
//
//   line: [ command | command | command ]      one for each queue; the first may be at work
//           ▲ at most one thread advances it
//
//   Owns     everything.
//   Threads  any number; what is named ..._locked wants the lock held.
//   Trust    see driver.h.
//   Fails    see driver.h.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "isolated/driver/serial/serial.h"

namespace casemate::driver {

// Something of the machine's memory; counted for as long as anybody has it.
template <class T>
struct Held {
  Held(std::atomic<uint64_t>& counter, uint64_t size, std::unique_ptr<T> thing)
      : used(counter), bytes(size), held(std::move(thing)) {
    used += bytes;
  }
  ~Held() {
    held.reset();
    used -= bytes;
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  std::atomic<uint64_t>& used;
  uint64_t bytes;
  std::unique_ptr<T> held;
};

// Shared by the tables and by commands in flight: whichever is last frees it.
using HeldMemory = std::shared_ptr<Held<Memory>>;
using HeldCode = std::shared_ptr<Held<MachineCode>>;

struct BufferEntry {
  HeldMemory memory;
  uint64_t bytes = 0;
};

struct ProgramEntry {
  HeldCode code;
  std::vector<uint64_t> input_bytes;
  std::vector<uint64_t> output_bytes;
};

// A command, and how it ended.
struct Pending {
  Command command;
  std::vector<HeldMemory> memory;
  HeldCode code;
  std::optional<Error> stopped;  // what it ends with when its step is over
  bool done = false;
  Status outcome;
};

// The commands of one queue.
struct Line {
  uint64_t epoch = 0;
  std::deque<std::shared_ptr<Pending>> waiting;
  std::optional<Error> failure;  // what all later commands end with
  bool at_work = false;
  bool closed = false;
};

// Whether outputs lie apart from each other and from inputs.
bool operands_apart(const Command& command);

class SerialCore final {
 public:
  SerialCore(std::unique_ptr<Machine> made, Runs who, Clock& time)
      : machine(std::move(made)), runs(who), clock(time) {}

  Result<uint64_t> make_buffer(uint64_t bytes);
  void free_buffer(uint64_t id);
  Result<uint64_t> compile(const engine::Graph& piece);
  void drop(uint64_t program);
  Result<std::shared_ptr<Line>> open_line();
  // Cancels what has not begun and waits until nothing is at work.
  void close(Line& line);

  // What a command needs of a buffer, checked.
  Result<Part> part_locked(const Buffer* buffer, uint64_t offset, uint64_t bytes, Pending& pending);
  Result<ProgramEntry*> program_locked(Program program);
  // Whether the queue can take a command more.
  Status admit_locked(const Line& line) const;
  void push_locked(Line& line, const std::shared_ptr<Pending>& pending);

  // Makes one step of the line's first command. Requires: there is one, and nobody is at work.
  void advance(Line& line, std::unique_lock<std::mutex>& locked);
  // Of a thread that runs a line until it is closed.
  void serve(Line& line);
  Status wait(Line& line, const Pending& pending, Instant deadline);

  Status reset(Instant deadline);
  // Before the device goes: nothing runs from here on.
  void stop();
  DeviceState state();

  const std::unique_ptr<Machine> machine;
  const Runs runs;
  Clock& clock;
  std::mutex lock;

 private:
  Status well_locked() const;
  void end_locked(Pending& pending, Status outcome);
  void fail_locked(Line& line, const Error& error);
  void finish_locked(Line& line, const std::shared_ptr<Pending>& pending, Result<bool> last,
                     Duration took);
  void cancel_all_locked(const char* why);
  Status room_locked(uint64_t bytes) const;

  std::mutex compiling_;  // one piece at a time
  std::condition_variable changed_;
  std::atomic<uint64_t> used_bytes_ = 0;
  std::map<uint64_t, BufferEntry> buffers_;
  std::map<uint64_t, ProgramEntry> programs_;
  std::set<std::shared_ptr<Line>> lines_;
  std::optional<Error> fault_;
  bool lost_ = false;  // no reset helps
  uint64_t commands_given_ = 0;
  uint32_t at_work_ = 0;
  DeviceState counted_;
};

}  // namespace casemate::driver
