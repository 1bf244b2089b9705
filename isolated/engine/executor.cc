// SPDX-License-Identifier: Apache-2.0
// Executor: walks through plans with the caller's inputs and outputs.
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "base/format.h"
#include "isolated/engine/engine.h"
#include "isolated/engine/graph/refusals.h"
#include "isolated/engine/items.h"
#include "isolated/engine/runner.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// What is left where it is: a tensor for as long as the caller's memory is there.
std::vector<Datum> borrowed(std::span<const TensorView> inputs) {
  std::vector<Datum> data;
  for (const TensorView& input : inputs) data.emplace_back(Tensor::view(input));
  return data;
}

// What `run` does; that it needs more memory than there is becomes an error.
template <class Run>
Status within_memory(Run run) {
  try {
    const Status done = run();
    if (!done) return told(done.error());
    return {};
  } catch (const std::bad_alloc&) {
    return Error{Code::kTooLarge, "out of memory while the model ran: allow it more memory"};
  } catch (const std::length_error&) {
    return Error{Code::kTooLarge, "the model made something larger than any memory"};
  }
}

// Item i of what lies one behind the other, each of so many bytes.
template <class Memory>
void take_item(std::span<const Memory> whole, const std::vector<uint64_t>& bytes, int64_t i,
               std::vector<Memory>& item) {
  for (size_t k = 0; k < whole.size(); ++k)
    item[k] = whole[k].subspan(static_cast<uint64_t>(i) * bytes[k], bytes[k]);
}

}  // namespace

// A session of the plan for one item, and what one of its runs failed with, if any did.
class Executor::Side final {
 public:
  Side(const Plan& plan, Session session)
      : plan_(&plan),
        session_(std::move(session)),
        from_(plan.input_bytes.size()),
        to_(plan.output_bytes.size()) {}

  void run(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs, int64_t item,
           ProgressCounter* progress) {
    if (!status_) return;
    const SingleThread alone;  // which its kernels are for, on whichever thread
    take_item(inputs, plan_->input_bytes, item, from_);
    take_item(outputs, plan_->output_bytes, item, to_);
    status_ = within_memory([&] { return session_.run(from_, to_, progress); });
  }
  Status take_status() { return std::exchange(status_, {}); }

 private:
  const Plan* plan_;
  Session session_;
  std::vector<Bytes> from_;
  std::vector<MutableBytes> to_;
  Status status_;
};

struct Executor::Unplanned {
  Unplanned(uint64_t memory_bytes_max, const Prepared* prepared)
      : compiler(memory_bytes_max, prepared),
        runner(compiler, {.memory_bytes_max = memory_bytes_max}) {}
  Compiler compiler;
  Runner runner;
};

Executor::Executor(const Model& model) : model_(&model) {}
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;
Executor::~Executor() = default;

Result<Executor> Executor::make(const Model& model) {
  Executor executor = TRY(bind(model));
  TRY(executor.try_threads());
  return executor;
}

// Where a thread cannot be started the process ends. So it is tried before, when it can still be
// reported.
Status Executor::try_threads() const {
  const int count = model_->threads();
  std::vector<std::thread> threads;
  Status status;
  try {
    for (int i = 1; i < count; ++i) threads.emplace_back([] {});
  } catch (const std::system_error& error) {
    status = Error{Code::kPlatform,
                   formatted("this process may not start {} threads ({}): raise its limit on tasks",
                             count, error.what())};
  }
  for (std::thread& thread : threads) thread.join();
  return status;
}

Result<Executor> Executor::bind(const Model& model) {
  Executor executor(model);
  executor.arena_ = TRY(Mapping::anonymous(std::max<uint64_t>(model.memory().arena_bytes, 1)));
  // What users' data becomes is in no dump, and stays apart for who looks at memory.
  ::madvise(executor.arena_.data(), executor.arena_.size(), MADV_DONTDUMP);
  for (const Compiled& made : model.compiled())
    executor.sessions_.emplace_back(TRY(Session::make(made.plan, executor.arena_.data())));
  // The memory is theirs, or the one plan's: never both.
  for (int i = 0; model.item() != nullptr && i < model.threads(); ++i) {
    const Plan& plan = model.item()->plan;
    uint8_t* const arena = executor.arena_.data() + static_cast<uint64_t>(i) * side_bytes(plan);
    executor.sides_.emplace_back(plan, TRY(Session::make(plan, arena)));
  }
  return executor;
}

void Executor::observe(StepObserver* observer) {
  observed_ = observer != nullptr;
  for (std::optional<Session>& session : sessions_) {
    if (session) session->observe(observer);
  }
}

Result<int64_t> Executor::batch_of(std::span<const TensorView> inputs) const {
  const ModelDescription& facts = model_->description();
  if (inputs.size() != facts.input_count) {
    return Error{Code::kInvalid, formatted("the model takes {} inputs, it was given {}",
                                           facts.input_count, inputs.size())};
  }
  int64_t batch = -1;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const PortDescription& port = facts.inputs[i];
    const TensorView& input = inputs[i];
    const auto expected = [&] {
      return formatted("input '{}' takes {} {}", port.name.view(), name_of(port.element_type()),
                       port.shape().text());
    };
    if (input.type != port.element_type() || !port.shape().admits(input.shape)) {
      return Error{Code::kInvalid, formatted("{}, it was given {} {}", expected(),
                                             name_of(input.type), input.shape.text())};
    }
    const uint64_t bytes = TRY(input.shape.byte_size(input.type));
    if (input.data.size() != bytes) {
      return Error{Code::kInvalid,
                   formatted("{}: shape {} has {} bytes, it was given {}", expected(),
                             input.shape.text(), bytes, input.data.size())};
    }
    if (std::bit_cast<uintptr_t>(input.data.data()) % size_of(input.type) != 0) {
      return Error{Code::kInvalid, formatted("{}, aligned to its elements", expected())};
    }
    if (!model_->batched_ || port.rank == 0 || port.dims[0] != -1) continue;
    if (batch == -1) batch = input.shape[0];
    if (batch != input.shape[0]) {
      return Error{Code::kInvalid,
                   formatted("{}: its batch is {}, that of an input before it is {}", expected(),
                             input.shape[0], batch)};
    }
  }
  if (batch == 0) return Error{Code::kInvalid, "the batch is empty"};
  if (batch > kBatchMax) {
    return Error{Code::kTooLarge,
                 formatted("the batch is {}, the largest is {}", batch, kBatchMax)};
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
    if (!port.shape().admits(shape)) {
      return Error{Code::kInvalid, formatted("output '{}' has the shape {}, the model declares {}",
                                             port.name.view(), shape.text(), port.shape().text())};
    }
    const uint64_t bytes = TRY(shape.byte_size(port.element_type()));
    CHECK(bytes == static_cast<uint64_t>(batches) * plan.output_bytes[i],
          "outputs have the bytes that their plan writes");
    memory.push_back(TRY(sink.memory(i, port.element_type(), shape, bytes)));
    CHECK(memory.back().size() == bytes, "a sink gives as much memory as it was asked for");
  }
  return memory;
}

Status Executor::run_pieces(std::span<const TensorView> inputs, int64_t batch, OutputSink& sink,
                            ProgressCounter* progress) {
  const std::vector<Compiled>& compiled = model_->compiled();
  // Items are independent, and the last plan is that of one: all outputs are `batch` of its.
  std::vector<MutableBytes> to = TRY(targets(sink, compiled.back().plan, batch));
  std::vector<Bytes> from;
  for (const TensorView& input : inputs) from.push_back(input.data);
  int64_t left = batch;
  for (size_t i = 0; i < compiled.size(); ++i) {
    const Plan& plan = compiled[i].plan;
    const int64_t size = compiled[i].inputs.front().shape[0];
    set_threads(compiled[i].threads);
    for (; left >= size; left -= size) {
      TRY(sessions_[i]->run(from, to, progress));
      for (size_t k = 0; k < from.size(); ++k) from[k] = from[k].subspan(plan.input_bytes[k]);
      for (size_t k = 0; k < to.size(); ++k) to[k] = to[k].subspan(plan.output_bytes[k]);
    }
  }
  return {};
}

// As many items for each thread, side by side; those that are left, and all of them where somebody
// observes, one after another on all threads.
Status Executor::run_items(std::span<const TensorView> inputs, int64_t batch, OutputSink& sink,
                           ProgressCounter* progress) {
  const Plan& plan = model_->compiled().back().plan;
  const std::vector<MutableBytes> to = TRY(targets(sink, plan, batch));
  std::vector<Bytes> from;
  for (const TensorView& input : inputs) from.push_back(input.data);
  const auto threads = static_cast<int64_t>(sides_.size());
  const int64_t aside = observed_ ? 0 : batch / threads * threads;
  const auto work = [&](int64_t item, int thread) {
    sides_[static_cast<size_t>(thread)].run(from, to, item, progress);
  };
  parallel_for(aside, work);
  Status status;
  for (Side& side : sides_) {
    const Status ended = side.take_status();
    if (status) status = ended;
  }
  TRY(Status(status));
  std::vector<Bytes> item_from(from.size());
  std::vector<MutableBytes> item_to(to.size());
  set_threads(model_->compiled().back().threads);
  for (int64_t i = aside; i < batch; ++i) {
    take_item<Bytes>(from, plan.input_bytes, i, item_from);
    take_item<MutableBytes>(to, plan.output_bytes, i, item_to);
    TRY(sessions_.back()->run(item_from, item_to, progress));
  }
  return {};
}

Status Executor::run_unplanned(std::span<const TensorView> inputs, OutputSink& sink,
                               ProgressCounter* progress) {
  if (!unplanned_) {
    const MemoryUse use = model_->memory();
    const uint64_t used = use.weight_bytes + use.arena_bytes + use.unpacked_bytes;
    unplanned_ =
        std::make_unique<Unplanned>(model_->memory_bytes_max_ - used,  // see check_memory()
                                    model_->prepared_.get());
  }
  unplanned_->runner.report_to(progress);
  const auto outputs = TRY(unplanned_->runner.run(*model_->graph_, borrowed(inputs)));
  const ModelDescription& facts = model_->description();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const PortDescription& port = facts.outputs[i];
    const Tensor* made = outputs[i].tensor();
    if (made == nullptr || made->type() != port.element_type() ||
        !port.shape().admits(made->shape())) {
      return Error{Code::kInvalid,
                   formatted("output '{}' is {} {}, the model declares {} {}", port.name.view(),
                             made == nullptr ? "no tensor" : name_of(made->type()),
                             made == nullptr ? "" : made->shape().text(),
                             name_of(port.element_type()), port.shape().text())};
    }
    const uint64_t bytes = TRY(made->shape().byte_size(made->type()));
    const MutableBytes to = TRY(sink.memory(i, made->type(), made->shape(), bytes));
    std::ranges::copy(made->bytes(), to.begin());
  }
  return {};
}

Status Executor::run(std::span<const TensorView> inputs, OutputSink& sink,
                     ProgressCounter* progress) {
  return within_memory([&] { return run_checked(inputs, sink, progress); });
}

Status Executor::run_checked(std::span<const TensorView> inputs, OutputSink& sink,
                             ProgressCounter* progress) {
  const int64_t batch = TRY(batch_of(inputs));
  set_threads(model_->threads());
  flush_denormals();
  const std::vector<Compiled>& compiled = model_->compiled();
  const auto fits = [&](const Compiled& made) {
    return std::ranges::equal(made.inputs, inputs, {}, &Fact::shape, &TensorView::shape);
  };
  if (const auto exact = std::ranges::find_if(compiled, fits); exact != compiled.end()) {
    const std::vector<MutableBytes> to = TRY(targets(sink, exact->plan, 1));
    std::vector<Bytes> from;
    for (const TensorView& input : inputs) from.push_back(input.data);
    set_threads(exact->threads);
    return sessions_[static_cast<size_t>(exact - compiled.begin())]->run(from, to, progress);
  }
  if (batch > 0 && !sides_.empty()) return run_items(inputs, batch, sink, progress);
  if (batch > 0 && model_->independent_) return run_pieces(inputs, batch, sink, progress);
  CHECK(model_->graph_ != nullptr, "a model of shapes that vary keeps its graph");
  return run_unplanned(inputs, sink, progress);
}

}  // namespace casemate::engine
