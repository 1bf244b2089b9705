// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/remote/remote_core.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::driver {

using remote::Call;

namespace {

bool overlap(const Operand& a, uint64_t a_bytes, const Operand& b, uint64_t b_bytes) {
  return a.buffer->id() == b.buffer->id() && a_bytes != 0 && b_bytes != 0 &&
         a.offset < b.offset + b_bytes && b.offset < a.offset + a_bytes;
}

}  // namespace

RemoteCore::RemoteCore(srpc::Caller caller, ring::ProducerEnd requests, RemoteOptions options,
                       Clock& time)
    : options_(std::move(options)),
      clock_(time),
      caller_(std::move(caller)),
      requests_(std::move(requests)),
      in_places_(caller_.bulk_in().size(), remote::kAlignment),
      out_places_(caller_.bulk_out().size(), remote::kAlignment) {}

void RemoteCore::give_back_locked(RemoteLine::Pending& pending) {
  if (pending.in) in_places_.give_back(pending.in->begin);
  if (pending.out) out_places_.give_back(pending.out->begin);
}

// Nothing of it is on its way any more, or will be waited for with success.
void RemoteCore::settle_locked(RemoteLine& line) {
  for (RemoteLine::Pending& each : line.pending) give_back_locked(each);
  line.pending.clear();
}

void RemoteCore::forget_locked(RemoteLine& line) {
  line.closed = true;
  settle_locked(line);
}

void RemoteCore::drop(uint64_t program) {
  const std::lock_guard held(lock_);
  const remote::Handle handle{program};
  if (programs_.erase(program) != 0) static_cast<void>(post_locked(Call::kDrop, bytes_of(handle)));
}

void RemoteCore::free(uint64_t buffer) {
  const std::lock_guard held(lock_);
  const remote::Handle handle{buffer};
  if (buffers_.erase(buffer) != 0) static_cast<void>(post_locked(Call::kFree, bytes_of(handle)));
}

void RemoteCore::stop() {
  const std::lock_guard held(lock_);
  for (const auto& line : lines_) {
    const remote::Handle handle{line->handle};
    const auto closed = ask_locked(Call::kClose, bytes_of(handle));
    if (!closed) break;
  }
  for (const auto& line : lines_) forget_locked(*line);
  lines_.clear();
  buffers_.clear();
  programs_.clear();
  if (!lost_) lost_ = Error{Code::kCancelled, "the device has been closed"};
}

Result<uint64_t> RemoteCore::buffer_locked(const Buffer* buffer) const {
  const auto found = buffer != nullptr ? buffers_.find(buffer->id()) : buffers_.end();
  if (found != buffers_.end()) return found->second;
  return Error{Code::kInvalid, "this buffer is another device's, or of before a reset"};
}

// Whether the queue takes one command more now.
Status RemoteCore::admit_locked(RemoteLine& line) {
  if (line.closed) return Error{Code::kInvalid, "this queue is of before a reset: make another"};
  if (lost_) return *lost_;
  if (line.pending.size() >= limits.commands_max) TRY(pulse_locked(line, 0, {}));
  if (line.pending.size() < limits.commands_max) return {};
  return Error{Code::kUnavailable,
               formatted("the queue has its {} commands: wait for one", limits.commands_max)};
}

// When all places are taken it asks what is done by now.
Result<RemoteLine::Region> RemoteCore::room_locked(Places& places, uint64_t bytes) {
  auto taken = places.take(std::max<uint64_t>(bytes, 1));
  for (const auto& line : lines_) {
    if (taken) break;
    if (!line->pending.empty()) TRY(pulse_locked(*line, 0, {}));
    taken = places.take(std::max<uint64_t>(bytes, 1));
  }
  if (!taken) return Error{Code::kUnavailable, "the stream's memory is in use: wait for a command"};
  return RemoteLine::Region{*taken, bytes};
}

// Until the first command of the line, or of another one, is done.
Status RemoteCore::wait_for_room_locked(RemoteLine& line) {
  RemoteLine* waited = &line;
  for (const auto& other : lines_) {
    if (waited->pending.empty()) waited = other.get();
  }
  if (waited->pending.empty())
    return Error{Code::kUnavailable, "the stream's memory is in use: wait for a command"};
  return pulse_locked(*waited, waited->done + 1, std::chrono::milliseconds(100));
}

// One command. Exactly one of `from` and `to` has the bytes.
Status RemoteCore::copy_part_locked(RemoteLine& line, const remote::Copy& part, Bytes from,
                                    MutableBytes to) {
  TRY(admit_locked(line));
  const bool in = to.data() == nullptr;
  const RemoteLine::Region region = TRY(room_locked(in ? in_places_ : out_places_, part.bytes));
  remote::Copy copy = part;
  copy.region = region.begin;
  if (in) std::ranges::copy(from, caller_.bulk_in().subspan(region.begin).begin());
  RemoteLine::Pending pending{.to = to};
  (in ? pending.in : pending.out) = region;
  if (const Status sent = post_locked(in ? Call::kWrite : Call::kRead, bytes_of(copy)); !sent) {
    give_back_locked(pending);
    return sent;
  }
  line.pending.push_back(pending);
  ++line.submitted;
  return {};
}

// As one command where the stream's memory allows; else in parts, of which some may have to be
// waited for.
Status RemoteCore::copy_locked(RemoteLine& line, const remote::Copy& whole, Bytes from,
                               MutableBytes to) {
  const bool in = to.data() == nullptr;
  const uint64_t memory = in ? caller_.bulk_in().size() : caller_.bulk_out().size();
  if (whole.bytes <= memory / 2) return copy_part_locked(line, whole, from, to);
  const uint64_t step = memory / 4;
  const Instant deadline = clock_.now() + options_.reply_max;
  for (uint64_t at = 0; at < whole.bytes;) {
    remote::Copy part = whole;
    part.offset += at;
    part.bytes = std::min(step, whole.bytes - at);
    const Status sent = in ? copy_part_locked(line, part, from.subspan(at, part.bytes), {})
                           : copy_part_locked(line, part, {}, to.subspan(at, part.bytes));
    if (sent) {
      at += part.bytes;
    } else if (sent.error().code == Code::kUnavailable && clock_.now() < deadline) {
      TRY(wait_for_room_locked(line));
    } else {
      return sent;
    }
  }
  return {};
}

Result<uint64_t> RemoteCore::write(RemoteLine& line, const Buffer& to, uint64_t offset,
                                   Bytes from) {
  const std::lock_guard held(lock_);
  const uint64_t bytes = TRY(buffer_locked(&to));
  if (offset > bytes || from.size() > bytes - offset) {
    return Error{Code::kInvalid, formatted("{} bytes at {} lie outside a buffer of {}", from.size(),
                                           offset, bytes)};
  }
  TRY(copy_locked(line, {line.handle, to.id(), offset, 0, from.size()}, from, {}));
  return line.submitted - 1;
}

Result<uint64_t> RemoteCore::read(RemoteLine& line, const Buffer& from, uint64_t offset,
                                  MutableBytes to) {
  const std::lock_guard held(lock_);
  const uint64_t bytes = TRY(buffer_locked(&from));
  if (offset > bytes || to.size() > bytes - offset) {
    return Error{Code::kInvalid,
                 formatted("{} bytes at {} lie outside a buffer of {}", to.size(), offset, bytes)};
  }
  // Without a byte to read there is no memory that tells a read from a write.
  static uint8_t nowhere = 0;
  if (to.data() == nullptr) to = {&nowhere, 0};
  TRY(copy_locked(line, {line.handle, from.id(), offset, 0, to.size()}, {}, to));
  return line.submitted - 1;
}

Status RemoteCore::check_operands_locked(std::span<const Operand> operands,
                                         const std::vector<uint64_t>& sizes,
                                         std::string_view what) const {
  if (operands.size() != sizes.size()) {
    return Error{Code::kInvalid, formatted("a program with {} {}s is given {}", sizes.size(), what,
                                           operands.size())};
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    const uint64_t bytes = TRY(buffer_locked(operands[i].buffer));
    const uint64_t offset = operands[i].offset;
    if (offset % limits.alignment != 0 || offset > bytes || sizes[i] > bytes - offset) {
      return Error{Code::kInvalid,
                   formatted("{} {}: {} bytes at {} of a buffer of {}: outside it, or not at a "
                             "multiple of {}",
                             what, i, sizes[i], offset, bytes, limits.alignment)};
    }
  }
  return {};
}

Result<uint64_t> RemoteCore::run(RemoteLine& line, Program program, std::span<const Operand> inputs,
                                 std::span<const Operand> outputs) {
  const std::lock_guard held(lock_);
  const auto found = programs_.find(program.id);
  if (found == programs_.end()) {
    return Error{Code::kInvalid,
                 "this program is another device's, was dropped, or is of before a reset"};
  }
  const ProgramEntry& entry = found->second;
  TRY(check_operands_locked(inputs, entry.input_bytes, "input"));
  TRY(check_operands_locked(outputs, entry.output_bytes, "output"));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto meets = [&](const Operand& other, uint64_t bytes) {
      return overlap(outputs[i], entry.output_bytes[i], other, bytes);
    };
    bool met = false;
    for (size_t k = 0; k < inputs.size(); ++k) met |= meets(inputs[k], entry.input_bytes[k]);
    for (size_t k = 0; k < i; ++k) met |= meets(outputs[k], entry.output_bytes[k]);
    if (met) {
      return Error{Code::kInvalid,
                   "an output lies where an input or another output does: give each its own bytes"};
    }
  }
  TRY(admit_locked(line));
  std::vector<remote::PlacedOperand> placed;
  for (const auto& list : {inputs, outputs}) {
    for (const Operand& each : list) placed.push_back({each.buffer->id(), each.offset});
  }
  const RemoteLine::Region region =
      TRY(room_locked(in_places_, placed.size() * sizeof(remote::PlacedOperand)));
  MutableBytes to = caller_.bulk_in().subspan(region.begin);
  for (const remote::PlacedOperand& each : placed) {
    std::ranges::copy(bytes_of(each), to.begin());
    to = to.subspan(sizeof each);
  }
  const remote::Run run{line.handle, program.id, region.begin, static_cast<uint32_t>(inputs.size()),
                        static_cast<uint32_t>(outputs.size())};
  RemoteLine::Pending pending{.in = region};
  if (const Status sent = post_locked(Call::kRun, bytes_of(run)); !sent) {
    give_back_locked(pending);
    return sent.error();
  }
  line.pending.push_back(pending);
  return line.submitted++;
}

Status RemoteCore::wait(RemoteLine& line, uint64_t command, Instant deadline) {
  std::unique_lock held(lock_);
  while (true) {
    if (command < line.done) return {};
    if (line.failure) return *line.failure;
    if (line.closed) return Error{Code::kCancelled, "the queue went before this command was done"};
    if (lost_) return *lost_;
    const Instant now = clock_.now();
    const Duration left = deadline > now ? deadline - now : Duration{};
    const Duration slice = std::min(left, options_.wait_max);
    TRY(pulse_locked(line, command + 1, slice));
    if (command < line.done || line.failure) continue;
    if (clock_.now() >= deadline) return Error{Code::kTimedOut, "the command is not done yet"};
    held.unlock();
    held.lock();
  }
}

}  // namespace casemate::driver
