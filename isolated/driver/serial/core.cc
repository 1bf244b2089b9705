// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/serial/core.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::driver {
namespace {

// How long a waiter that runs commands itself sleeps before it looks again at one that is not done.
constexpr Duration kBetweenSteps = std::chrono::microseconds(100);

Result<std::vector<uint64_t>> sizes_of(const engine::Graph& piece,
                                       const std::vector<engine::ValueId>& ids) {
  std::vector<uint64_t> sizes;
  for (const engine::ValueId id : ids) {
    const engine::Value& value = piece.value(id);
    if (value.type == ElementType::kString || value.type == ElementType::kNone) {
      return Error{Code::kUnsupported, formatted("value '{}': {} does not lie in a device's memory",
                                                 value.name, name_of(value.type))};
    }
    sizes.push_back(TRY(engine::tensor_bytes(value.type, value.shapes.front())));
  }
  return sizes;
}

bool apart(const Part& a, const Part& b) {
  return a.memory != b.memory || a.bytes == 0 || b.bytes == 0 || a.offset + a.bytes <= b.offset ||
         b.offset + b.bytes <= a.offset;
}

}  // namespace

bool operands_apart(const Command& command) {
  const std::vector<Part>& outputs = command.outputs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto clear = [&](const Part& other) { return apart(outputs[i], other); };
    if (!std::ranges::all_of(command.inputs, clear)) return false;
    if (!std::all_of(outputs.begin(), outputs.begin() + static_cast<std::ptrdiff_t>(i), clear))
      return false;
  }
  return true;
}

Status SerialCore::well_locked() const {
  if (fault_) return *fault_;
  return {};
}

Status SerialCore::room_locked(uint64_t bytes) const {
  const uint64_t most = machine->limits().memory_bytes;
  const uint64_t used = used_bytes_;
  if (bytes <= most && used <= most - bytes) return {};
  return Error{Code::kUnavailable,
               formatted("{} bytes more than the {} in use pass the device's {}: free buffers or "
                         "programs",
                         bytes, used, most)};
}

Result<uint64_t> SerialCore::make_buffer(uint64_t bytes) {
  const std::lock_guard held(lock);
  TRY(well_locked());
  const DeviceLimits& limits = machine->limits();
  if (bytes > limits.buffer_bytes_max) {
    return Error{Code::kTooLarge, formatted("a buffer of {} bytes: the device has none above {}",
                                            bytes, limits.buffer_bytes_max)};
  }
  if (buffers_.size() >= limits.buffers_max) {
    return Error{Code::kUnavailable,
                 formatted("the device has its {} buffers: free one", limits.buffers_max)};
  }
  const uint64_t taken =
      (std::max<uint64_t>(bytes, 1) + limits.alignment - 1) / limits.alignment * limits.alignment;
  TRY(room_locked(taken));
  auto memory = TRY(machine->allocate(bytes));
  const uint64_t id = new_handle();
  buffers_[id] = {std::make_shared<Held<Memory>>(used_bytes_, taken, std::move(memory)), bytes};
  return id;
}

void SerialCore::free_buffer(uint64_t id) {
  const std::lock_guard held(lock);
  buffers_.erase(id);
}

Result<uint64_t> SerialCore::compile(const engine::Graph& piece) {
  const std::lock_guard one(compiling_);
  CHECK(piece.variant_count() == 1, "a piece has one shape for each value");
  ProgramEntry entry;
  entry.input_bytes = TRY(sizes_of(piece, piece.inputs()));
  entry.output_bytes = TRY(sizes_of(piece, piece.outputs()));
  for (const engine::Node& node : piece.nodes()) TRY(machine->takes(piece, node));
  std::unique_lock held(lock);
  TRY(well_locked());
  const DeviceLimits& limits = machine->limits();
  if (programs_.size() >= limits.programs_max) {
    return Error{Code::kUnavailable,
                 formatted("the device has its {} programs: drop one", limits.programs_max)};
  }
  const uint64_t epoch = counted_.epoch;
  const uint64_t room = limits.memory_bytes - std::min<uint64_t>(limits.memory_bytes, used_bytes_);
  held.unlock();
  auto code = TRY(machine->compile(piece, room));
  held.lock();
  TRY(well_locked());
  if (counted_.epoch != epoch)
    return Error{Code::kCancelled, "the device was reset while it compiled"};
  TRY(room_locked(code->bytes()));
  const uint64_t id = new_handle();
  const uint64_t bytes = code->bytes();
  entry.code = std::make_shared<Held<MachineCode>>(used_bytes_, bytes, std::move(code));
  programs_[id] = std::move(entry);
  return id;
}

void SerialCore::drop(uint64_t program) {
  const std::lock_guard held(lock);
  programs_.erase(program);
}

Result<std::shared_ptr<Line>> SerialCore::open_line() {
  const std::lock_guard held(lock);
  TRY(well_locked());
  if (lines_.size() >= machine->limits().queues_max) {
    return Error{Code::kUnavailable, formatted("the device has its {} queues: close one",
                                               machine->limits().queues_max)};
  }
  auto line = std::make_shared<Line>();
  line->epoch = counted_.epoch;
  lines_.insert(line);
  return line;
}

void SerialCore::close(Line& line) {
  std::unique_lock held(lock);
  line.closed = true;
  fail_locked(line, {Code::kCancelled, "the command's queue was closed"});
  changed_.notify_all();  // who serves it may have nothing to do
  changed_.wait(held, [&] { return !line.at_work; });
  std::erase_if(lines_, [&](const std::shared_ptr<Line>& each) { return each.get() == &line; });
}

Result<Part> SerialCore::part_locked(const Buffer* buffer, uint64_t offset, uint64_t bytes,
                                     Pending& pending) {
  if (buffer == nullptr) return Error{Code::kInvalid, "an operand has no buffer"};
  const auto found = buffers_.find(buffer->id());
  if (found == buffers_.end()) {
    return Error{Code::kInvalid,
                 "the buffer is of another device, or of before this one was reset: make another"};
  }
  if (bytes > found->second.bytes || offset > found->second.bytes - bytes) {
    return Error{Code::kInvalid, formatted("{} bytes at {} of a buffer that has {}", bytes, offset,
                                           found->second.bytes)};
  }
  pending.memory.push_back(found->second.memory);
  return Part{found->second.memory->held.get(), offset, bytes};
}

Result<ProgramEntry*> SerialCore::program_locked(Program program) {
  const auto found = programs_.find(program.id);
  if (found != programs_.end()) return &found->second;
  return Error{Code::kInvalid,
               "the program is of another device, dropped, or of before this one was reset: "
               "compile it again"};
}

Status SerialCore::admit_locked(const Line& line) const {
  if (line.epoch != counted_.epoch)
    return Error{Code::kInvalid, "the queue is of before its device was reset: make another"};
  if (line.waiting.size() < machine->limits().commands_max) return {};
  return Error{Code::kUnavailable, formatted("{} commands of the queue are not done: wait for one",
                                             line.waiting.size())};
}

void SerialCore::push_locked(Line& line, const std::shared_ptr<Pending>& pending) {
  pending->command.number = ++commands_given_;
  if (fault_) return end_locked(*pending, *fault_);
  if (line.failure) return end_locked(*pending, *line.failure);
  line.waiting.push_back(pending);
  changed_.notify_all();
}

void SerialCore::end_locked(Pending& pending, Status outcome) {
  pending.command.unfinished.reset();
  pending.memory.clear();
  pending.code.reset();
  pending.done = true;
  pending.outcome = std::move(outcome);
  changed_.notify_all();
}

void SerialCore::fail_locked(Line& line, const Error& error) {
  if (!line.failure) line.failure = error;
  std::deque<std::shared_ptr<Pending>> ended;
  ended.swap(line.waiting);
  if (line.at_work) {
    // Its step still reads and writes the caller's memory.
    line.waiting.push_back(ended.front());
    ended.front()->stopped = line.failure;
    ended.pop_front();
  }
  for (const auto& pending : ended) end_locked(*pending, *line.failure);
}

void SerialCore::finish_locked(Line& line, const std::shared_ptr<Pending>& pending,
                               Result<bool> last, Duration took) {
  counted_.busy += took;
  if (!last && last.error().code == Code::kPlatform && !fault_ && line.epoch == counted_.epoch) {
    fault_ = last.error();
    for (const auto& each : lines_) fail_locked(*each, *fault_);
    return;
  }
  if (!last) return fail_locked(line, last.error());
  if (pending->stopped) {
    line.waiting.pop_front();
    return end_locked(*pending, *pending->stopped);
  }
  if (!pending->command.hangs) ++counted_.steps;
  ++pending->command.steps;
  if (!*last) return;
  ++counted_.commands;
  if (pending->command.kind == Command::Kind::kWrite)
    counted_.bytes_written += pending->command.from.size();
  if (pending->command.kind == Command::Kind::kRead)
    counted_.bytes_read += pending->command.to.size();
  line.waiting.pop_front();
  end_locked(*pending, {});
}

void SerialCore::advance(Line& line, std::unique_lock<std::mutex>& locked) {
  const std::shared_ptr<Pending> pending = line.waiting.front();
  line.at_work = true;
  ++at_work_;
  locked.unlock();
  const Instant start = clock.now();
  Result<bool> last = machine->advance(pending->command);
  const Duration took = clock.now() - start;
  locked.lock();
  line.at_work = false;
  --at_work_;
  finish_locked(line, pending, std::move(last), took);
  changed_.notify_all();
}

void SerialCore::serve(Line& line) {
  std::unique_lock locked(lock);
  for (;;) {
    changed_.wait(locked, [&] { return line.closed || !line.waiting.empty(); });
    if (line.closed) return;
    advance(line, locked);
  }
}

Status SerialCore::wait(Line& line, const Pending& pending, Instant deadline) {
  std::unique_lock locked(lock);
  const bool steps = runs == Runs::kWaiters;
  for (bool stepped = false; !pending.done; stepped = true) {
    if ((stepped || !steps) && clock.now() >= deadline) {
      return Error{Code::kTimedOut,
                   "the command is not done at its deadline: wait longer, or reset the device"};
    }
    if (!steps) {
      changed_.wait_until(locked, deadline, [&] { return pending.done; });
      continue;
    }
    if (line.at_work) {
      changed_.wait_until(locked, std::min(deadline, clock.now() + kBetweenSteps));
      continue;
    }
    const uint64_t before = counted_.commands;
    advance(line, locked);
    if (!pending.done && counted_.commands == before)
      changed_.wait_until(locked, std::min(deadline, clock.now() + kBetweenSteps));
  }
  return pending.outcome;
}

void SerialCore::cancel_all_locked(const char* why) {
  for (const auto& line : lines_) fail_locked(*line, {Code::kCancelled, why});
}

Status SerialCore::reset(Instant deadline) {
  std::unique_lock held(lock);
  if (lost_) return *fault_;
  ++counted_.epoch;
  cancel_all_locked("the device was reset before the command was done");
  if (!changed_.wait_until(held, deadline, [&] { return at_work_ == 0; })) {
    lost_ = true;
    fault_ = Error{Code::kPlatform,
                   "the device did not let go of a command when it was reset: end its process"};
    return Error{Code::kTimedOut, fault_->text};
  }
  buffers_.clear();
  programs_.clear();
  lines_.clear();
  fault_.reset();
  if (const Status machine_reset = machine->reset(); !machine_reset) fault_ = machine_reset.error();
  return well_locked();
}

void SerialCore::stop() {
  std::unique_lock held(lock);
  ++counted_.epoch;
  cancel_all_locked("the device is gone");
  changed_.wait(held, [&] { return at_work_ == 0; });
  buffers_.clear();
  programs_.clear();
}

DeviceState SerialCore::state() {
  const std::lock_guard held(lock);
  DeviceState state = counted_;
  if (fault_) {
    state.health = Health::kFailed;
    state.reason = fault_->text;
  }
  state.memory_bytes = used_bytes_;
  state.buffers = static_cast<uint32_t>(buffers_.size());
  state.programs = static_cast<uint32_t>(programs_.size());
  state.queues = static_cast<uint32_t>(lines_.size());
  return state;
}

}  // namespace casemate::driver
