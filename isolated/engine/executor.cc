// SPDX-License-Identifier: Apache-2.0
// Executor: walks through plans with the caller's inputs and outputs.
#include <algorithm>
#include <bit>
#include <format>
#include <system_error>
#include <thread>

#include "isolated/engine/engine.h"

namespace casemate::engine {
namespace {

// A step whose operands are addresses.
struct Bound {
  const Kernel* kernel = nullptr;
  std::unique_ptr<KernelState> state;
  std::vector<uint8_t*> inputs;
  std::vector<uint8_t*> outputs;
  uint8_t* scratch = nullptr;
};

// An operand in the caller's memory: its address comes with each run.
struct Patch {
  uint8_t** operand;
  Place place;
};

// The OpenMP runtime ends the process when it cannot start a thread. So it is tried before, when it
// can still be reported.
Status try_threads(int count) {
  std::vector<std::thread> threads;
  Status status;
  try {
    for (int i = 1; i < count; ++i) threads.emplace_back([] {});
  } catch (const std::system_error& error) {
    status =
        Error{Code::kPlatform,
              std::format("this process may not start {} threads ({}): raise its limit on tasks",
                          count, error.what())};
  }
  for (std::thread& thread : threads) thread.join();
  return status;
}

}  // namespace

struct Executor::Session {
  std::vector<Bound> steps;
  std::vector<Patch> patches;
  std::vector<uint64_t> input_bytes;  // of one run
  std::vector<uint64_t> output_bytes;

  static Result<Session> make(const Plan& plan, uint8_t* arena);
  Status run(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs,
             ProgressCounter* progress);
};

Result<Executor::Session> Executor::Session::make(const Plan& plan, uint8_t* arena) {
  Session session;
  session.input_bytes = plan.input_bytes;
  session.output_bytes = plan.output_bytes;
  session.steps.resize(plan.steps.size());
  const auto bind = [&](const std::vector<Place>& places, std::vector<uint8_t*>& addresses) {
    addresses.resize(places.size());
    for (size_t i = 0; i < places.size(); ++i) {
      if (places[i].kind == Place::Kind::kArena) addresses[i] = arena + places[i].offset;
      if (places[i].kind == Place::Kind::kInput || places[i].kind == Place::Kind::kOutput) {
        session.patches.push_back({&addresses[i], places[i]});
      }
    }
  };
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    Bound& bound = session.steps[i];
    bound.kernel = step.kernel.get();
    bound.state = TRY(step.kernel->make_state());
    bind(step.inputs, bound.inputs);
    bind(step.outputs, bound.outputs);
    if (step.scratch.kind == Place::Kind::kArena) bound.scratch = arena + step.scratch.offset;
  }
  return session;
}

Status Executor::Session::run(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs,
                              ProgressCounter* progress) {
  // Kernels know no bounds: what they get is compared with what they were compiled for.
  const auto enough = [](auto memory, const std::vector<uint64_t>& bytes) {
    return std::ranges::equal(memory, bytes,
                              [](auto have, uint64_t need) { return have.size() >= need; });
  };
  CHECK(enough(inputs, input_bytes) && enough(outputs, output_bytes),
        "a run reads and writes inside the caller's memory");
  for (const Patch& patch : patches) {
    // Kernels take all operands by one type of pointer; they do not write to inputs.
    *patch.operand = patch.place.kind == Place::Kind::kInput
                         ? const_cast<uint8_t*>(inputs[patch.place.index].data())
                         : outputs[patch.place.index].data();
  }
  for (const Bound& bound : steps) {
    TRY(bound.kernel->run({bound.inputs, bound.outputs, bound.scratch, bound.state.get()}));
    if (progress != nullptr) progress->fetch_add(1, std::memory_order_relaxed);
  }
  return {};
}

Executor::Executor(const Model& model) : model_(&model) {}
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;
Executor::~Executor() = default;

Result<Executor> Executor::make(const Model& model) {
  TRY(try_threads(model.threads()));
  Executor executor(model);
  executor.arena_ = TRY(Mapping::anonymous(std::max<uint64_t>(model.memory().arena_bytes, 1)));
  for (const Plan& plan : model.plans()) {
    executor.sessions_.push_back(TRY(Session::make(plan, executor.arena_.data())));
  }
  return executor;
}

Result<int64_t> Executor::batch_of(std::span<const TensorView> inputs) const {
  const ModelDescription& facts = model_->description();
  if (inputs.size() != facts.input_count) {
    return Error{Code::kInvalid, std::format("the model takes {} inputs, it was given {}",
                                             facts.input_count, inputs.size())};
  }
  int64_t batch = -1;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const PortDescription& port = facts.inputs[i];
    const TensorView& input = inputs[i];
    const auto expected = [&] {
      return std::format("input '{}' takes {} {}", port.name.view(), name_of(port.element_type()),
                         port.shape().text());
    };
    if (input.type != port.element_type() || !port.shape().admits(input.shape)) {
      return Error{Code::kInvalid, std::format("{}, it was given {} {}", expected(),
                                               name_of(input.type), input.shape.text())};
    }
    const uint64_t bytes = TRY(input.shape.byte_size(input.type));
    if (input.data.size() != bytes) {
      return Error{Code::kInvalid,
                   std::format("{}: shape {} has {} bytes, it was given {}", expected(),
                               input.shape.text(), bytes, input.data.size())};
    }
    if (std::bit_cast<uintptr_t>(input.data.data()) % size_of(input.type) != 0) {
      return Error{Code::kInvalid, std::format("{}, aligned to its elements", expected())};
    }
    if (port.rank == 0 || port.dims[0] != -1) continue;
    if (batch == -1) batch = input.shape[0];
    if (batch != input.shape[0]) {
      return Error{Code::kInvalid,
                   std::format("{}: its batch is {}, that of an input before it is {}", expected(),
                               input.shape[0], batch)};
    }
  }
  if (batch == 0) return Error{Code::kInvalid, "the batch is empty"};
  if (batch > kBatchMax) {
    return Error{Code::kTooLarge,
                 std::format("the batch is {}, the largest is {}", batch, kBatchMax)};
  }
  return batch;
}

// The memory for what `batches` runs of the plan make, one behind the other.
Result<std::vector<MutableBytes>> Executor::targets(OutputSink& sink, const Plan& plan,
                                                    int64_t batches) const {
  const ModelDescription& facts = model_->description();
  std::vector<MutableBytes> memory;
  for (size_t i = 0; i < facts.output_count; ++i) {
    const PortDescription& port = facts.outputs[i];
    Shape shape = plan.output_shapes[i];
    if (batches != 1) shape[0] *= batches;
    CHECK(port.shape().admits(shape), "a plan makes what the description announces");
    const uint64_t bytes = TRY(shape.byte_size(port.element_type()));
    CHECK(bytes == static_cast<uint64_t>(batches) * plan.output_bytes[i],
          "outputs have the bytes that their plan writes");
    memory.push_back(TRY(sink.memory(i, port.element_type(), shape, bytes)));
    CHECK(memory.back().size() == bytes, "a sink gives as much memory as it was asked for");
  }
  return memory;
}

Status Executor::run(std::span<const TensorView> inputs, OutputSink& sink,
                     ProgressCounter* progress) {
  const int64_t batch = TRY(batch_of(inputs));
  const std::vector<Plan>& plans = model_->plans();
  const auto exact = batch < 0 ? plans.begin() : std::ranges::find(plans, batch, &Plan::batch);
  const bool pieces = batch > 0 && model_->independent_;
  if (!pieces && exact == plans.end()) {
    return Error{
        Code::kUnsupported,
        std::format(
            "a batch of {}: items of this model's batch depend on each other, or their results do "
            "not lie one behind the other, so it runs only in the sizes that it was compiled for, "
            "of which {} is the largest",
            batch, plans.front().batch)};
  }
  // Where items are independent, the last plan is that of one item: all outputs are `batch` of its.
  std::vector<MutableBytes> to =
      TRY(pieces ? targets(sink, plans.back(), batch) : targets(sink, *exact, 1));
  std::vector<Bytes> from;
  for (const TensorView& input : inputs) from.push_back(input.data);
  set_threads(model_->threads());
  flush_denormals();
  if (!pieces) {
    return sessions_[static_cast<size_t>(exact - plans.begin())].run(from, to, progress);
  }
  int64_t left = batch;
  for (size_t i = 0; i < plans.size(); ++i) {
    for (; left >= plans[i].batch; left -= plans[i].batch) {
      TRY(sessions_[i].run(from, to, progress));
      for (size_t k = 0; k < from.size(); ++k) from[k] = from[k].subspan(plans[i].input_bytes[k]);
      for (size_t k = 0; k < to.size(); ++k) to[k] = to[k].subspan(plans[i].output_bytes[k]);
    }
  }
  return {};
}

}  // namespace casemate::engine
