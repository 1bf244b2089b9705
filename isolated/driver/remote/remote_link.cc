// SPDX-License-Identifier: Apache-2.0
// Calls over the stream, and what is made of what the other side says.
#include <bit>

#include "base/format.h"
#include "base/log.h"
#include "isolated/driver/remote/packed_piece.h"
#include "isolated/driver/remote/remote_core.h"

namespace casemate::driver {

using engine::Graph;
using engine::Node;
using engine::ValueId;
using remote::Call;

namespace {

// Between looks at whether the wait is over.
constexpr Duration kLook = std::chrono::milliseconds(20);
// What a device may say of itself.
constexpr uint64_t kMemoryMax = 1ull << 48;
constexpr uint64_t kAlignmentMax = 1 << 20;
constexpr uint32_t kHandlesMax = 1 << 20;

Error code_error(Code code, std::string_view what) {
  return {code, formatted("{}: {}", what, name_of(code))};
}

// The node alone: what it reads and is no constant is given.
Graph alone(const Graph& graph, const Node& node) {
  Graph piece({graph.variant_count() == 0 ? 1 : graph.batch_sizes().front()});
  std::map<ValueId, ValueId> ids;
  const auto made_of = [&](ValueId id) {
    const engine::Value& value = graph.value(id);
    return engine::Made{value.name, value.type, {value.shapes.front()}};
  };
  Node copy = node;
  for (ValueId& id : copy.inputs) {
    if (!id.present()) continue;
    const auto [known, fresh] = ids.try_emplace(id);
    const engine::Tensor* constant = graph.constant(id);
    if (fresh && constant != nullptr) {
      known->second = piece.add_constant(graph.value(id).name, *constant);
    } else if (fresh) {
      known->second = piece.add_input(made_of(id));
    }
    id = known->second;
  }
  std::vector<engine::Made> made;
  for (const ValueId id : node.outputs)
    made.push_back(id.present() ? made_of(id) : engine::Made{"", ElementType::kNone, {Shape{}}});
  piece.add_node(std::move(copy), std::move(made));
  for (const ValueId id : piece.nodes().back().outputs) {
    if (id.present()) piece.add_output(id);
  }
  return piece;
}

}  // namespace

Status RemoteCore::lose_locked(std::string_view why) {
  if (!lost_) lost_ = Error{Code::kPlatform, formatted("the device is gone: {}", why)};
  return *lost_;
}

Status RemoteCore::lied_locked(std::string_view why) {
  requests_.close();
  return lose_locked(why);
}

Result<srpc::Reply> RemoteCore::ask_locked(Call call, Bytes args, Duration takes) {
  if (lost_) return *lost_;
  const Instant deadline = clock_.now() + options_.reply_max + takes;
  auto asked = caller_.call(static_cast<uint32_t>(call), args);
  while (!asked && asked.error().code == Code::kUnavailable && clock_.now() < deadline) {
    static_cast<void>(caller_.sync(kLook));
    asked = caller_.call(static_cast<uint32_t>(call), args);
  }
  if (!asked) return lose_locked(asked.error().text).error();
  while (true) {
    auto reply = caller_.next(kLook);
    if (reply) return reply;
    if (reply.error().code != Code::kTimedOut) return lose_locked(reply.error().text).error();
    if (options_.waiting) options_.waiting();
    if (clock_.now() >= deadline) return lied_locked("it does not answer").error();
  }
}

Status RemoteCore::post_locked(Call call, Bytes args) {
  if (lost_) return *lost_;
  const Instant deadline = clock_.now() + options_.reply_max;
  Status posted = caller_.post(static_cast<uint32_t>(call), args);
  while (!posted && posted.error().code == Code::kUnavailable && clock_.now() < deadline) {
    // What is wrong with a command is told to who waits for it.
    static_cast<void>(caller_.sync(kLook));
    if (options_.waiting) options_.waiting();
    posted = caller_.post(static_cast<uint32_t>(call), args);
  }
  if (!posted) return lose_locked(posted.error().text);
  return {};
}

template <class Value>
Result<Value> RemoteCore::value_locked(Call call, Bytes args, Duration takes) {
  const srpc::Reply reply = TRY(ask_locked(call, args, takes));
  if (const Code code = code_from(reply.code); code != Code::kOk)
    return code_error(code, "the device refuses");
  if (reply.length != sizeof(Value)) return lied_locked("its answer has the wrong size").error();
  return load<Value>(reply.value());
}

Status RemoteCore::done_locked(Call call, Bytes args, std::string_view what) {
  const srpc::Reply reply = TRY(ask_locked(call, args));
  if (const Code code = code_from(reply.code); code != Code::kOk) return code_error(code, what);
  return {};
}

Status RemoteCore::greet() {
  const std::lock_guard held(lock_);
  const auto hello = TRY(value_locked<remote::Hello>(Call::kHello, {}));
  limits = {.memory_bytes = hello.memory_bytes,
            .buffer_bytes_max = hello.buffer_bytes_max,
            .alignment = hello.alignment,
            .buffers_max = hello.buffers_max,
            .programs_max = hello.programs_max,
            .queues_max = hello.queues_max,
            .commands_max = hello.commands_max,
            .share_percent = hello.share_percent};
  kind = printable(hello.kind.view(), 15);
  const auto some = [](uint32_t count) { return count > 0 && count <= kHandlesMax; };
  const bool sound = hello.kind.canonical() && !kind.empty() && limits.memory_bytes <= kMemoryMax &&
                     limits.buffer_bytes_max <= limits.memory_bytes &&
                     std::has_single_bit(limits.alignment) && limits.alignment <= kAlignmentMax &&
                     some(limits.buffers_max) && some(limits.programs_max) &&
                     some(limits.queues_max) && some(limits.commands_max) &&
                     limits.share_percent > 0 && limits.share_percent <= 100;
  if (sound) return {};
  static_cast<void>(lied_locked("it says nonsense of itself"));
  return Error{Code::kInvalid, "a device says nonsense of what it can do"};
}

DeviceState RemoteCore::state() {
  const std::lock_guard held(lock_);
  const auto said = value_locked<remote::State>(Call::kState, {});
  DeviceState state;
  if (!said) {
    state.health = Health::kFailed;
    state.reason = said.error().text;
    return state;
  }
  state.health = said->failed == 0 ? Health::kWell : Health::kFailed;
  if (said->failed != 0) state.reason = "the other side says so";
  state.epoch = said->epoch;
  state.memory_bytes = said->memory_bytes;
  state.buffers = said->buffers;
  state.programs = said->programs;
  state.queues = said->queues;
  state.commands = said->commands;
  state.steps = said->steps;
  state.bytes_written = said->bytes_written;
  state.bytes_read = said->bytes_read;
  state.busy = Duration(static_cast<int64_t>(said->busy_ns));
  return state;
}

// Waits until so many of the line's commands have ended, or for `timeout`.
Status RemoteCore::pulse_locked(RemoteLine& line, uint64_t commands, Duration timeout) {
  const remote::Wait wait{line.handle, commands, static_cast<uint64_t>(timeout.count())};
  return apply_locked(line,
                      TRY(value_locked<remote::Progress>(Call::kWait, bytes_of(wait), timeout)));
}

Status RemoteCore::apply_locked(RemoteLine& line, const remote::Progress& progress) {
  if (progress.done < line.done || progress.done > line.submitted)
    return lied_locked("it has done what it was not given");
  const Code code = code_from(progress.failure);
  if (progress.failure != 0 && progress.done == line.submitted)
    return lied_locked("it has failed in what it was not given");
  const uint64_t fresh = progress.done - line.done;
  for (uint64_t i = 0; i < fresh; ++i) {
    const RemoteLine::Pending& each = line.pending[i];
    if (!each.out) continue;
    std::ranges::copy(caller_.bulk_out().subspan(each.out->begin, each.to.size()), each.to.begin());
  }
  // What was copied out of memory that is gone by now are zeros.
  if (caller_.failed()) return lose_locked("its partition failed");
  for (; line.done < progress.done; ++line.done) {
    give_back_locked(line.pending.front());
    line.pending.pop_front();
  }
  if (progress.failure != 0 && !line.failure) {
    line.failure =
        code_error(code, code == Code::kPlatform ? "the device failed: reset it"
                                                 : "the device refuses a command for its data");
    settle_locked(line);
  }
  return {};
}

Status RemoteCore::stage_locked(Bytes packed) {
  const uint64_t step = caller_.bulk_in().size() / 4 / remote::kAlignment * remote::kAlignment;
  for (uint64_t at = 0; at < packed.size();) {
    const uint64_t bytes = std::min<uint64_t>(step, packed.size() - at);
    const RemoteLine::Region region = TRY(room_locked(in_places_, bytes));
    std::ranges::copy(packed.subspan(at, bytes), caller_.bulk_in().subspan(region.begin).begin());
    const remote::Stage stage{packed.size(), at, region.begin, bytes};
    const Status staged = done_locked(Call::kStage, bytes_of(stage), "the device takes no piece");
    in_places_.give_back(region.begin);
    TRY(staged);
    at += bytes;
  }
  return {};
}

Status RemoteCore::takes_locked(const Graph& graph, const Node& node) {
  const auto named = [&](Code code, std::string_view why) {
    return Error{code, formatted("node '{}' ({}): {}", node.name, node.op, why)};
  };
  for (const auto* ids : {&node.inputs, &node.outputs}) {
    for (const ValueId id : *ids) {
      if (id.present() && graph.value(id).shapes.empty())
        return named(Code::kUnsupported, "its shapes are not known");
    }
  }
  const auto packed = remote::pack(alone(graph, node));
  if (!packed) return named(packed.error().code, packed.error().text);
  TRY(stage_locked(*packed));
  const srpc::Reply reply = TRY(ask_locked(Call::kTakes, {}));
  if (const Code code = code_from(reply.code); code != Code::kOk)
    return named(code, "the device does not take it");
  return {};
}

Status RemoteCore::takes(const Graph& graph, const Node& node) {
  const std::lock_guard held(lock_);
  return takes_locked(graph, node);
}

Result<uint64_t> RemoteCore::compile(const Graph& piece) {
  CHECK(piece.variant_count() == 1, "a piece has one shape for each value");
  ProgramEntry entry;
  for (const auto& [ids, sizes] : {std::pair(&piece.inputs(), &entry.input_bytes),
                                   std::pair(&piece.outputs(), &entry.output_bytes)}) {
    for (const ValueId id : *ids) {
      const engine::Value& value = piece.value(id);
      sizes->push_back(TRY(engine::tensor_bytes(value.type, value.shapes.front())));
    }
  }
  const auto packed = TRY(remote::pack(piece));
  const std::lock_guard held(lock_);
  if (programs_.size() >= limits.programs_max) {
    return Error{Code::kUnavailable,
                 formatted("the device has its {} programs: drop one", limits.programs_max)};
  }
  TRY(stage_locked(packed));
  const remote::Handle handle{new_handle()};
  const Status made = done_locked(Call::kCompile, bytes_of(handle), "the device makes no program");
  // Which node it is, it does not say.
  for (const Node& node : piece.nodes()) {
    if (!made && made.error().code == Code::kUnsupported) TRY(takes_locked(piece, node));
  }
  TRY(Status(made));
  programs_[handle.number] = std::move(entry);
  return handle.number;
}

Result<uint64_t> RemoteCore::allocate(uint64_t bytes) {
  const std::lock_guard held(lock_);
  if (bytes > limits.buffer_bytes_max) {
    return Error{Code::kTooLarge, formatted("a buffer of {} bytes: the device has none above {}",
                                            bytes, limits.buffer_bytes_max)};
  }
  if (buffers_.size() >= limits.buffers_max) {
    return Error{Code::kUnavailable,
                 formatted("the device has its {} buffers: free one", limits.buffers_max)};
  }
  const remote::Allocate wanted{new_handle(), bytes};
  TRY(done_locked(Call::kAllocate, bytes_of(wanted), "the device has no room for a buffer"));
  buffers_[wanted.buffer] = bytes;
  return wanted.buffer;
}

Result<std::shared_ptr<RemoteLine>> RemoteCore::open() {
  const std::lock_guard held(lock_);
  auto line = std::make_shared<RemoteLine>();
  line->handle = new_handle();
  const remote::Handle handle{line->handle};
  TRY(done_locked(Call::kOpen, bytes_of(handle), "the device opens no queue"));
  lines_.insert(line);
  return line;
}

void RemoteCore::close(RemoteLine& line) {
  const std::lock_guard held(lock_);
  if (!line.closed) {
    const remote::Handle handle{line.handle};
    const auto progress = value_locked<remote::Progress>(Call::kClose, bytes_of(handle));
    if (progress) static_cast<void>(apply_locked(line, *progress));
  }
  forget_locked(line);
  std::erase_if(lines_, [&](const auto& each) { return each.get() == &line; });
}

Status RemoteCore::reset(Instant deadline) {
  const std::lock_guard held(lock_);
  const Instant now = clock_.now();
  const Duration timeout =
      deadline > now ? std::min<Duration>(deadline - now, options_.wait_max) : Duration{};
  const remote::Wait wait{0, 0, static_cast<uint64_t>(timeout.count())};
  const srpc::Reply reply = TRY(ask_locked(Call::kReset, bytes_of(wait), timeout));
  if (const Code code = code_from(reply.code); code != Code::kOk)
    return code_error(code, "the device lets go of nothing: end its process");
  for (const auto& line : lines_) forget_locked(*line);
  lines_.clear();
  buffers_.clear();
  programs_.clear();
  return {};
}

}  // namespace casemate::driver
