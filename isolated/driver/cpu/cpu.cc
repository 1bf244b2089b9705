// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/cpu/cpu.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <stdexcept>

#include "base/format.h"
#include "base/mapping.h"
#include "isolated/driver/serial/serial.h"
#include "isolated/engine/compiler.h"
#include "isolated/engine/kernels/registry.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/session.h"

namespace casemate::driver {
namespace {

constexpr uint64_t kAlignment = 64;  // a cache line, and the widest vector

class CpuMemory final : public Memory {
 public:
  explicit CpuMemory(Mapping pages) : pages_(std::move(pages)) {}
  MutableBytes part(uint64_t offset, uint64_t bytes) const {
    return pages_.bytes().subspan(offset, bytes);
  }

 private:
  Mapping pages_;
};

MutableBytes pages_of(const Part& part) {
  return static_cast<const CpuMemory*>(part.memory)->part(part.offset, part.bytes);
}

// A session with memory of its own: one run at a time.
struct Seat {
  Mapping arena;
  std::optional<engine::Session> session;
};

class CpuCode final : public MachineCode {
 public:
  CpuCode(tensors::WeightStore weights, uint64_t seats_max)
      : weights_(std::move(weights)), packer_(weights_), seats_max_(seats_max) {}

  Status compile(const engine::Graph& piece, const CpuOptions& options, uint64_t bytes_max) {
    using enum engine::Compiler::Code;
    engine::Compiler compiler(packer_, options.generates_code ? kGenerated : kFixed, bytes_max);
    compiled_ = TRY(compiler.compile_shaped(piece));
    if (options.generates_code) TRY(engine::finish_kernels());
    return weights_.seal();
  }

  // Weights, and an arena for each queue that may run it at the same time.
  uint64_t bytes() const override {
    return weights_.used() + compiled_.plan.arena_bytes * seats_max_;
  }

  Result<std::unique_ptr<Seat>> take() {
    {
      const std::lock_guard held(lock_);
      if (!idle_.empty()) {
        auto seat = std::move(idle_.back());
        idle_.pop_back();
        return seat;
      }
    }
    auto seat = std::make_unique<Seat>();
    seat->arena = TRY(Mapping::anonymous(std::max<uint64_t>(compiled_.plan.arena_bytes, 1)));
    seat->session = TRY(engine::Session::make(compiled_.plan, seat->arena.data()));
    return seat;
  }
  void give_back(std::unique_ptr<Seat> seat) {
    const std::lock_guard held(lock_);
    idle_.push_back(std::move(seat));
  }

 private:
  tensors::WeightStore weights_;
  engine::Packer packer_;
  engine::Compiled compiled_;
  uint64_t seats_max_;
  std::mutex lock_;
  std::vector<std::unique_ptr<Seat>> idle_;
};

class CpuRun final : public Unfinished {
 public:
  CpuRun(CpuCode& code, std::unique_ptr<Seat> seat) : code_(code), seat_(std::move(seat)) {}
  ~CpuRun() override { code_.give_back(std::move(seat_)); }
  engine::Session& session() { return *seat_->session; }

 private:
  CpuCode& code_;
  std::unique_ptr<Seat> seat_;
};

// While it lives, kernels are compiled for so many threads.
class ThreadsFor final {
 public:
  explicit ThreadsFor(int count) : before_(engine::thread_count()) { engine::set_threads(count); }
  ~ThreadsFor() { engine::set_threads(before_); }
  ThreadsFor(const ThreadsFor&) = delete;
  ThreadsFor& operator=(const ThreadsFor&) = delete;

 private:
  int before_;
};

class CpuMachine final : public Machine {
 public:
  explicit CpuMachine(const CpuOptions& options)
      : options_(options),
        limits_{.memory_bytes = options.memory_bytes,
                .buffer_bytes_max = options.memory_bytes,
                .alignment = kAlignment,
                .buffers_max = 16384,
                .programs_max = 1024,
                .queues_max = 4,
                .commands_max = 256} {}

  std::string kind() const override { return "cpu"; }
  const DeviceLimits& limits() const override { return limits_; }

  Status takes(const engine::Graph& graph, const engine::Node& node) const override {
    const auto refused = [&](std::string_view why) {
      return Error{Code::kUnsupported, formatted("node '{}' ({}): {}", node.name, node.op, why)};
    };
    const auto text = [&](engine::ValueId id) {
      return id.present() && graph.value(id).type == ElementType::kString;
    };
    const auto subgraph = [](const auto& attribute) {
      return std::holds_alternative<engine::Subgraph>(attribute.second);
    };
    if (std::ranges::any_of(node.inputs, text) || std::ranges::any_of(node.outputs, text))
      return refused("text does not lie in planned memory");
    if (std::ranges::any_of(node.attributes.all(), subgraph))
      return refused("a plan runs no subgraphs");
    const auto& registry = engine::Registry::instance();
    if (!registry.knows(node.op, engine::Device::kCpu) &&
        engine::Operators::instance().find(node.op) == nullptr)
      return refused("this operator is not supported: export the model without it");
    return {};
  }

  Result<std::unique_ptr<Memory>> allocate(uint64_t bytes) override {
    return std::make_unique<CpuMemory>(TRY(Mapping::anonymous(std::max<uint64_t>(bytes, 1))));
  }

  Result<std::unique_ptr<MachineCode>> compile(const engine::Graph& piece,
                                               uint64_t bytes_max) override {
    const ThreadsFor threads(options_.threads);
    try {
      auto code =
          std::make_unique<CpuCode>(TRY(tensors::WeightStore::make(bytes_max)), limits_.queues_max);
      TRY(code->compile(piece, options_, bytes_max));
      return code;
    } catch (const std::bad_alloc&) {
      return Error{Code::kTooLarge, "out of memory while a piece was compiled: make it smaller"};
    }
  }

  Result<bool> advance(Command& command) override {
    if (command.kind == Command::Kind::kWrite) {
      std::ranges::copy(command.from, pages_of(command.outputs[0]).begin());
      return true;
    }
    if (command.kind == Command::Kind::kRead) {
      std::ranges::copy(pages_of(command.inputs[0]), command.to.begin());
      return true;
    }
    try {
      return run_step(command);
    } catch (const std::bad_alloc&) {
      return Error{Code::kTooLarge, "out of memory while a piece ran: allow the device more"};
    } catch (const std::length_error&) {
      return Error{Code::kTooLarge, "the piece made something larger than any memory"};
    }
  }

  Status reset() override { return {}; }

 private:
  Result<bool> run_step(Command& command) {
    if (!command.unfinished) {
      engine::set_threads(options_.threads);
      engine::flush_denormals();
      auto& code = static_cast<CpuCode&>(*command.code);
      auto run = std::make_unique<CpuRun>(code, TRY(code.take()));
      std::vector<Bytes> inputs;
      std::vector<MutableBytes> outputs;
      for (const Part& part : command.inputs) inputs.push_back(pages_of(part));
      for (const Part& part : command.outputs) outputs.push_back(pages_of(part));
      run->session().bind(inputs, outputs);
      command.unfinished = std::move(run);
    }
    engine::Session& session = static_cast<CpuRun&>(*command.unfinished).session();
    const size_t step = command.steps;
    if (step < session.step_count()) TRY(session.run_steps(step, step + 1, nullptr));
    return step + 1 >= session.step_count();
  }

  CpuOptions options_;
  DeviceLimits limits_;
};

}  // namespace

std::unique_ptr<Device> make_cpu(const CpuOptions& options, Clock& clock) {
  return std::make_unique<SerialDevice>(std::make_unique<CpuMachine>(options), Runs::kWorkers,
                                        clock);
}

}  // namespace casemate::driver
