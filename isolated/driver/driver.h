// SPDX-License-Identifier: Apache-2.0
#pragma once
// Driver: the four nouns that every accelerator is driven by.
//
//   Device   what computes: has memory, takes some nodes of a graph, compiles pieces of graphs
//   Buffer   bytes of its memory; where they are is its own affair
//   Queue    commands that run in order, while the caller goes on
//   Fence    when a command is done, and how it ended
//
// Buffers and programs are known to a queue by number, and numbers are never used twice in a
// process: a handle of another device, or of before a reset, is refused and not followed.
//
//   Owns     a Device all of its memory; a Buffer its bytes, a Queue what is in it. Commands keep
//            what they use: a buffer may go before they are done.
//   Threads  any number may use a device, its queues and fences. Commands of different queues that
//            touch the same bytes are put in order by who submits them, with fences.
//   Trust    none in data. Pieces were shaped by the engine.
//   Fails    at once with kInvalid (a foreign handle, bytes that are not there), kUnsupported,
//            kTooLarge (never), kUnavailable (full: not now). A fence: see Fence.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "isolated/engine/graph/graph.h"

namespace casemate::driver {

// What a device can do at most.
struct DeviceLimits {
  uint64_t memory_bytes = 0;      // all buffers and programs together
  uint64_t buffer_bytes_max = 0;  // of one buffer
  uint64_t alignment = 1;         // where an operand may begin in its buffer; a power of two
  uint32_t buffers_max = 0;
  uint32_t programs_max = 0;
  uint32_t queues_max = 0;
  uint32_t commands_max = 0;     // in one queue and not done
  uint32_t share_percent = 100;  // of the hardware, where it is divided in space
};

enum class Health : uint8_t {
  kWell,
  kFailed,  // until reset()
};

// What a device says of itself. Counters run from when it was made; they survive a reset.
struct DeviceState {
  Health health = Health::kWell;
  std::string reason;  // when it has failed
  uint64_t epoch = 0;  // how often it was reset
  uint64_t memory_bytes = 0;
  uint32_t buffers = 0;
  uint32_t programs = 0;
  uint32_t queues = 0;
  uint64_t commands = 0;  // that have ended well
  uint64_t steps = 0;     // of commands: one that is slow makes some, one that hangs does not
  uint64_t bytes_written = 0;
  uint64_t bytes_read = 0;
  Duration busy{};  // in which commands ran, of all queues together
};

// A piece that a device has compiled.
struct Program {
  uint64_t id = 0;
  bool operator==(const Program&) const = default;
};

class Buffer {
 public:
  Buffer() = default;
  virtual ~Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] virtual uint64_t id() const = 0;
  [[nodiscard]] virtual uint64_t bytes() const = 0;
};

class Fence {
 public:
  Fence() = default;
  virtual ~Fence() = default;
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;

  // Waits until the command is done and says how it ended, the same each time. Fails with kTimedOut
  // at the deadline: the command goes on. A command ends with kPlatform when the device failed,
  // before or while it ran; with kCancelled when its queue went or the device was reset; and with
  // what it, or one before it in its queue, was refused for.
  virtual Status wait(Instant deadline) = 0;
};

// Where an input or output of a program begins.
struct Operand {
  const Buffer* buffer = nullptr;
  uint64_t offset = 0;
};

using FenceResult = Result<std::unique_ptr<Fence>>;

class Queue {
 public:
  Queue() = default;
  // What has not begun is cancelled, what has begun is stopped.
  virtual ~Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Copies into a buffer. Requires: the bytes stay until the fence is done, the queue is gone, or
  // the device has been reset.
  virtual FenceResult write(const Buffer& to, uint64_t offset, Bytes from) = 0;
  // Runs a program on operands in the order of its piece. Outputs lie apart from each other and
  // from inputs.
  virtual FenceResult run(Program program, std::span<const Operand> inputs,
                          std::span<const Operand> outputs) = 0;
  // Copies out of a buffer. Requires: as write().
  virtual FenceResult read(const Buffer& from, uint64_t offset, MutableBytes to) = 0;
};

class Device {
 public:
  Device() = default;
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // "cpu", "fake", ...
  [[nodiscard]] virtual std::string kind() const = 0;
  [[nodiscard]] virtual const DeviceLimits& limits() const = 0;
  [[nodiscard]] virtual DeviceState state() const = 0;

  // Fails with kUnsupported and the reason, for a node of a shaped graph, in canonical form or raw.
  [[nodiscard]] virtual Status takes(const engine::Graph& graph,
                                     const engine::Node& node) const = 0;
  // Makes a program of a piece, for the first variant of its shapes. Fails as takes() does.
  // Requires: piece.sound().
  virtual Result<Program> compile(const engine::Graph& piece) = 0;
  // Forgets a program; commands that run it keep it until they are done.
  virtual void drop(Program program) = 0;

  // Zeroed memory. No bytes at all are a buffer as well.
  virtual Result<std::unique_ptr<Buffer>> make_buffer(uint64_t bytes) = 0;
  virtual Result<std::unique_ptr<Queue>> make_queue() = 0;

  // Ends all that runs and forgets all that it holds: buffers, programs and queues of before are
  // refused from here on. Fails with kTimedOut when the device has not let go of a command by then:
  // it has failed for good, and what helps is to end its process.
  virtual Status reset(Instant deadline) = 0;
};

// A number that no handle in this process has had.
uint64_t new_handle();

// A few lines for a person: limits, health, what was done.
std::string text_of(const Device& device);

}  // namespace casemate::driver
