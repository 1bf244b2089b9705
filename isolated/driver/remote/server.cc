// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/remote/server.h"

#include <algorithm>
#include <thread>

#include "base/format.h"
#include "isolated/driver/remote/packed_piece.h"

namespace casemate::driver {

using remote::Call;

namespace {

// While a command runs, between looks at whether it makes steps.
constexpr Duration kStepLook = std::chrono::milliseconds(20);
constexpr Duration kWaitMax = std::chrono::hours(1);
// How long a device that compiles counts as one that works.
constexpr int kCompileTicks = 1200;
constexpr Duration kTick = std::chrono::milliseconds(100);

using Value = std::vector<uint8_t>;

template <class T>
Value value_of(const T& value) {
  const Bytes bytes = bytes_of(value);
  return {bytes.begin(), bytes.end()};
}

template <class T>
Result<T> args_of(Bytes args) {
  if (args.size() != sizeof(T)) return Error{Code::kInvalid, "the arguments have the wrong size"};
  return load<T>(args);
}

bool inside(uint64_t begin, uint64_t bytes, uint64_t total) {
  return begin <= total && bytes <= total - begin;
}

Error unknown() { return {Code::kInvalid, "there is no such handle"}; }

// A call that a caller does not wait for.
bool posted(uint32_t call) {
  switch (static_cast<Call>(call)) {
    case Call::kDrop:
    case Call::kFree:
    case Call::kWrite:
    case Call::kRun:
    case Call::kRead:
      return true;
    default:
      return false;
  }
}

// Counts while the device compiles, which has no steps that could be counted.
class Ticking final {
 public:
  explicit Ticking(std::atomic<uint64_t>* progress) {
    if (progress == nullptr) return;
    thread_ = std::jthread([progress](const std::stop_token& stop) {
      for (int i = 0; i < kCompileTicks && !stop.stop_requested(); ++i) {
        progress->fetch_add(1, std::memory_order_relaxed);
        std::this_thread::sleep_for(kTick);
      }
    });
  }

 private:
  std::jthread thread_;
};

}  // namespace

Server::Answer Server::handle(uint32_t call, Bytes args) {
  auto made = obey(static_cast<Call>(call), args);
  if (!made) return {made.error().code, {}};
  return {Code::kOk, *std::move(made)};
}

Result<Value> Server::obey(Call call, Bytes args) {
  const auto none = [](const Status& done) -> Result<Value> {
    if (!done) return done.error();
    return Value();
  };
  switch (call) {
    case Call::kHello:
      return hello();
    case Call::kState:
      return state();
    case Call::kStage:
      return none(stage(TRY(args_of<remote::Stage>(args))));
    case Call::kTakes:
      return none(takes());
    case Call::kCompile:
      return none(compile(TRY(args_of<remote::Handle>(args)).number));
    case Call::kDrop: {
      const auto found = programs_.extract(TRY(args_of<remote::Handle>(args)).number);
      if (!found.empty()) device_.drop(found.mapped());
      return Value();
    }
    case Call::kAllocate:
      return none(allocate(TRY(args_of<remote::Allocate>(args))));
    case Call::kFree:
      buffers_.erase(TRY(args_of<remote::Handle>(args)).number);
      return Value();
    case Call::kOpen:
      return none(open(TRY(args_of<remote::Handle>(args)).number));
    case Call::kClose:
      return close(TRY(args_of<remote::Handle>(args)).number);
    case Call::kWrite:
      return none(copy(TRY(args_of<remote::Copy>(args)), true));
    case Call::kRead:
      return none(copy(TRY(args_of<remote::Copy>(args)), false));
    case Call::kRun:
      return none(run(TRY(args_of<remote::Run>(args))));
    case Call::kWait:
      return wait(TRY(args_of<remote::Wait>(args)));
    case Call::kReset:
      return none(reset(TRY(args_of<remote::Wait>(args))));
  }
  return Error{Code::kUnsupported, "there is no such call"};
}

Result<Value> Server::hello() const {
  const DeviceLimits& limits = device_.limits();
  return value_of(remote::Hello{.kind = Text<16>::from(device_.kind()),
                                .memory_bytes = limits.memory_bytes,
                                .buffer_bytes_max = limits.buffer_bytes_max,
                                .alignment = limits.alignment,
                                .buffers_max = limits.buffers_max,
                                .programs_max = limits.programs_max,
                                .queues_max = limits.queues_max,
                                .commands_max = limits.commands_max,
                                .share_percent = limits.share_percent});
}

Result<Value> Server::state() const {
  const DeviceState state = device_.state();
  return value_of(remote::State{.failed = state.health == Health::kWell ? 0u : 1u,
                                .buffers = state.buffers,
                                .programs = state.programs,
                                .queues = state.queues,
                                .epoch = state.epoch,
                                .memory_bytes = state.memory_bytes,
                                .commands = state.commands,
                                .steps = state.steps,
                                .bytes_written = state.bytes_written,
                                .bytes_read = state.bytes_read,
                                .busy_ns = static_cast<uint64_t>(state.busy.count())});
}

Status Server::stage(const remote::Stage& stage) {
  if (stage.at == 0) {
    staged_.clear();
    staged_total_ = stage.total;
  }
  if (stage.total != staged_total_ || stage.at != staged_.size() ||
      !inside(stage.at, stage.bytes, stage.total) || !inside(stage.region, stage.bytes, in_.size()))
    return Error{Code::kInvalid, "the part of a piece lies nowhere"};
  if (stage.total > limits_.piece_bytes_max)
    return Error{Code::kTooLarge, "the piece is larger than any here"};
  const Bytes part = in_.subspan(stage.region, stage.bytes);
  staged_.insert(staged_.end(), part.begin(), part.end());
  return {};
}

Status Server::takes() {
  const engine::Graph piece = TRY(remote::unpack(staged_));
  for (const engine::Node& node : piece.nodes()) TRY(device_.takes(piece, node));
  return {};
}

Status Server::compile(uint64_t number) {
  if (programs_.contains(number)) return unknown();
  const engine::Graph piece = TRY(remote::unpack(std::exchange(staged_, {})));
  const Ticking ticking(progress_);
  programs_[number] = TRY(device_.compile(piece));
  return {};
}

Status Server::allocate(const remote::Allocate& wanted) {
  if (buffers_.contains(wanted.buffer)) return unknown();
  buffers_[wanted.buffer] = TRY(device_.make_buffer(wanted.bytes));
  return {};
}

Status Server::open(uint64_t number) {
  if (lines_.contains(number)) return unknown();
  lines_[number].queue = TRY(device_.make_queue());
  return {};
}

Result<Server::Line*> Server::line_of(uint64_t number) {
  const auto found = lines_.find(number);
  if (found == lines_.end() || found->second.queue == nullptr) return unknown();
  return &found->second;
}

Result<Value> Server::close(uint64_t number) {
  Line& line = *TRY(line_of(number));
  line.queue.reset();
  look(line, UINT64_MAX, Instant{});
  // What it had not begun is cancelled, which is no failure.
  const remote::Progress progress{
      line.done, line.failure == Code::kCancelled ? 0u : static_cast<uint32_t>(line.failure)};
  lines_.erase(number);
  return value_of(progress);
}

// What is refused fails the queue, as what fails while it runs does.
Status Server::submit(Line& line, FenceResult fence) {
  if (fence) {
    line.fences.push_back(*std::move(fence));
    return {};
  }
  line.failure = fence.error().code;
  return fence.error();
}

Status Server::copy(const remote::Copy& copy, bool in) {
  Line& line = *TRY(line_of(copy.queue));
  if (line.failure != Code::kOk) return {};
  const auto buffer = buffers_.find(copy.buffer);
  if (buffer == buffers_.end() || !inside(copy.region, copy.bytes, in ? in_.size() : out_.size()))
    return submit(line, unknown());
  Buffer& there = *buffer->second;
  return submit(line,
                in ? line.queue->write(there, copy.offset, in_.subspan(copy.region, copy.bytes))
                   : line.queue->read(there, copy.offset, out_.subspan(copy.region, copy.bytes)));
}

Result<std::vector<Operand>> Server::operands(Bytes placed) const {
  std::vector<Operand> operands;
  for (; placed.size() >= sizeof(remote::PlacedOperand);
       placed = placed.subspan(sizeof(remote::PlacedOperand))) {
    const auto each = load<remote::PlacedOperand>(placed);
    const auto buffer = buffers_.find(each.buffer);
    if (buffer == buffers_.end()) return unknown();
    operands.push_back({buffer->second.get(), each.offset});
  }
  return operands;
}

Status Server::run(const remote::Run& run) {
  Line& line = *TRY(line_of(run.queue));
  if (line.failure != Code::kOk) return {};
  const auto program = programs_.find(run.program);
  const uint64_t count = uint64_t{run.inputs} + run.outputs;
  const uint64_t bytes = count * sizeof(remote::PlacedOperand);
  if (program == programs_.end() || count > remote::kOperandsMax ||
      !inside(run.region, bytes, in_.size()))
    return submit(line, unknown());
  const auto placed = operands(in_.subspan(run.region, bytes));
  if (!placed) return submit(line, placed.error());
  const std::span<const Operand> all(*placed);
  return submit(line,
                line.queue->run(program->second, all.first(run.inputs), all.subspan(run.inputs)));
}

void Server::look(Line& line, uint64_t commands, Instant deadline) {
  while (!line.fences.empty() && line.done < commands) {
    const Instant next = system_clock().now() + kStepLook;
    const Status ended = line.fences.front()->wait(std::min(deadline, next));
    if (!ended && ended.error().code == Code::kTimedOut) {
      if (system_clock().now() >= deadline) return;
      // One that is slow makes steps, one that hangs does not.
      const uint64_t steps = device_.state().steps;
      if (progress_ != nullptr && steps != std::exchange(steps_seen_, steps))
        progress_->fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    if (!ended) {
      line.failure = ended.error().code;
      line.fences.clear();
      return;
    }
    line.fences.pop_front();
    ++line.done;
  }
}

Result<Value> Server::wait(const remote::Wait& wait) {
  Line& line = *TRY(line_of(wait.queue));
  const Duration timeout(
      static_cast<int64_t>(std::min(wait.timeout_ns, static_cast<uint64_t>(kWaitMax.count()))));
  look(line, wait.commands == 0 ? UINT64_MAX : wait.commands, system_clock().now() + timeout);
  return value_of(remote::Progress{line.done, static_cast<uint32_t>(line.failure)});
}

Status Server::reset(const remote::Wait& wait) {
  const Duration timeout(
      static_cast<int64_t>(std::min(wait.timeout_ns, static_cast<uint64_t>(kWaitMax.count()))));
  TRY(device_.reset(system_clock().now() + timeout));
  lines_.clear();
  buffers_.clear();
  programs_.clear();
  return {};
}

void serve(Device& device, srpc::Callee& callee, const ServerLimits& limits,
           const std::function<bool()>& wanted) {
  Server server(device, callee.bulk_in(), callee.bulk_out(), limits, &callee.progress());
  while (wanted()) {
    const auto request = callee.next(std::chrono::seconds(1));
    if (!request && request.error().code == Code::kTimedOut) continue;
    if (!request) return;
    const Server::Answer answer = server.handle(request->call, request->args());
    const Status replied = posted(request->call) ? callee.reply_later(answer.code, answer.value)
                                                 : callee.reply(answer.code, answer.value);
    if (!replied) return;
  }
}

}  // namespace casemate::driver
