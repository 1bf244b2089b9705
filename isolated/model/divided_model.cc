// SPDX-License-Identifier: Apache-2.0
#include "isolated/model/divided_model.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/cut/piece.h"
#include "isolated/driver/remote/remote.h"
#include "isolated/engine/describe.h"

namespace casemate::model {
namespace {

using driver::Device;
using engine::ValueId;

constexpr std::string_view kProcessor = "cpu:0";
// One request on its devices. Whoever hangs is ended sooner, by the monitor; this is for a device
// that goes on for ever and says that it works.
constexpr Duration kRunMax = std::chrono::seconds(60);
constexpr Duration kResetMax = std::chrono::seconds(1);
// In a row; then a device is left alone until it is another one.
constexpr int kFailuresMax = 3;
// What a piece costs beside its nodes, so that there are no more than need be.
constexpr double kPieceNs = 1000;

driver::Candidate only_for(const std::string& name, size_t device,
                           const std::vector<uint32_t>& on) {
  driver::Candidate made{.name = name, .costs = {.run_ns = kPieceNs, .copy_ns = 1}};
  for (const uint32_t each : on) made.refusals.emplace_back(each == device ? "" : "another's");
  return made;
}

engine::Graph part_of(const engine::Graph& graph, const driver::CutPiece& piece) {
  return driver::piece_of(graph, piece.nodes, piece.inputs, piece.outputs);
}

}  // namespace

// The processor in an instance, which can compile nothing: the same pieces come in the same order
// as when they were compiled.
class DividedModel::Compiled final : public Device {
 public:
  Compiled(Device& device, const std::vector<driver::Program>& programs)
      : device_(device), programs_(programs) {}
  std::string kind() const override { return device_.kind(); }
  const driver::DeviceLimits& limits() const override { return device_.limits(); }
  driver::DeviceState state() const override { return device_.state(); }
  Status takes(const engine::Graph& graph, const engine::Node& node) const override {
    return device_.takes(graph, node);
  }
  Result<driver::Program> compile(const engine::Graph&) override {
    CHECK(next_ < programs_.size(), "every piece of the processor was compiled");
    return programs_[next_++];
  }
  void drop(driver::Program) override {}
  Result<std::unique_ptr<driver::Buffer>> make_buffer(uint64_t bytes) override {
    return device_.make_buffer(bytes);
  }
  Result<std::unique_ptr<driver::Queue>> make_queue() override { return device_.make_queue(); }
  Status reset(Instant deadline) override { return device_.reset(deadline); }

 private:
  Device& device_;
  const std::vector<driver::Program>& programs_;
  size_t next_ = 0;
};

struct DividedModel::Ready {
  std::map<size_t, std::unique_ptr<Device>> remotes;
  std::unique_ptr<Compiled> processor;
  std::optional<driver::CutRunner> runner;
};

DividedModel::~DividedModel() {
  if (builder_.joinable()) builder_.join();
}

Result<std::unique_ptr<DividedModel>> DividedModel::make(const Mapping& file,
                                                         const ModelOptions& options,
                                                         const engine::LoadOptions& load) {
  auto made = std::unique_ptr<DividedModel>(new DividedModel);
  made->tensors_ =
      std::make_unique<engine::FileTensors>([kept = &file](Bytes part) { kept->release(part); });
  const engine::ReadModel read =
      TRY(engine::read_onnx(file.bytes(), {.directory = load.directory,
                                           .memory_bytes_max = load.memory_bytes_max,
                                           .file_tensors = made->tensors_.get()}));
  TRY(engine::check_ports(read));
  // As casemate-inspect shapes it, which has cut it.
  const auto facts = engine::facts_of(read.inputs, [&](const std::string& symbol) -> int64_t {
    if (options.shapes.empty()) return 1;
    const auto found = options.shapes.front().find(symbol);
    return found == options.shapes.front().end() ? 1 : found->second;
  });
  engine::Compiler compiler(load.memory_bytes_max);
  made->graph_ = TRY(compiler.shaped(read.graph, facts));
  if (!made->graph_) {
    return Error{
        Code::kUnsupported,
        "the model cannot be divided: data decides on shapes in it; leave out its devices"};
  }
  TRY(made->cut(options, load));
  return made;
}

Status DividedModel::cut(const ModelOptions& options, const engine::LoadOptions& load) {
  if (options.on.size() != graph_->nodes().size()) {
    return Error{Code::kInvalid,
                 formatted("the model's cut is of {} nodes, and it has {}: start command and model "
                           "program of one build",
                           options.on.size(), graph_->nodes().size())};
  }
  std::vector<driver::Candidate> candidates;
  for (size_t i = 0; i < options.devices.size(); ++i)
    candidates.push_back(only_for(options.devices[i], i, options.on));
  cut_ = TRY(driver::make_cut(*graph_, candidates));
  cpu_ = driver::make_cpu({.threads = load.threads, .memory_bytes = load.memory_bytes_max});
  for (const driver::CutPiece& piece : cut_.pieces) {
    if (cut_.devices[piece.device] == kProcessor)
      programs_.push_back(TRY(cpu_->compile(part_of(*graph_, piece))));
  }
  return {};
}

void DividedModel::connect(std::string_view enclave, srpc::StreamEnd end) {
  const std::string_view name = enclave.substr(enclave.find('@') + 1);
  const auto device = std::ranges::find(cut_.devices, name);
  if (device == cut_.devices.end()) return;
  const std::lock_guard held(lock_);
  failures_ = 0;
  fresh_.insert_or_assign(static_cast<size_t>(device - cut_.devices.begin()), std::move(end));
  start_connecting();
}

void DividedModel::disconnect(std::string_view enclave) {
  if (!std::ranges::contains(cut_.devices, enclave.substr(enclave.find('@') + 1))) return;
  log("{} is away: the processor runs its pieces", printable(enclave));
  const std::lock_guard held(lock_);
  if (ready_) broken_ = std::move(ready_);
  start_connecting();
}

// Requires: the lock.
void DividedModel::start_connecting() {
  if (std::exchange(building_, true)) return;
  if (builder_.joinable()) builder_.join();  // it has said that it is done
  builder_ = std::thread([this] { build(); });
}

void DividedModel::build() {
  std::unique_lock held(lock_);
  while (!fresh_.empty() || broken_) {
    auto fresh = std::exchange(fresh_, {});
    auto before = broken_ ? std::move(broken_) : std::move(ready_);
    held.unlock();
    auto made = prepared(std::move(fresh), std::move(before));
    held.lock();
    ready_ = std::move(made);
  }
  building_ = false;
}

// With the devices of before that are well, and the fresh ones.
std::unique_ptr<DividedModel::Ready> DividedModel::prepared(std::map<size_t, srpc::StreamEnd> fresh,
                                                            std::unique_ptr<Ready> before) {
  auto ready = std::make_unique<Ready>();
  if (before) {
    before->runner.reset();
    for (auto& [number, device] : before->remotes) {
      if (fresh.contains(number) || failures_ >= kFailuresMax) continue;
      const bool well = device->state().health == driver::Health::kWell;
      if (well || device->reset(system_clock().now() + kResetMax))
        ready->remotes[number] = std::move(device);
    }
  }
  const auto waiting = [this] {
    if (engine::ProgressCounter* progress = waited_for_)
      progress->fetch_add(1, std::memory_order_relaxed);
  };
  for (auto& [number, end] : fresh) {
    auto device = driver::make_remote(std::move(end), {.waiting = waiting});
    if (!device) log("{}: {}", cut_.devices[number], device.error().text);
    if (device) ready->remotes[number] = *std::move(device);
  }
  if (const Status sent = send_pieces(*ready); !sent)
    log("the model is not divided now: {}", sent.error().text);
  return ready;
}

Status DividedModel::send_pieces(Ready& ready) {
  std::vector<Device*> devices;
  ready.processor = std::make_unique<Compiled>(*cpu_, programs_);
  for (size_t i = 0; i < cut_.devices.size(); ++i) {
    const auto remote = ready.remotes.find(i);
    const bool here = cut_.devices[i] == kProcessor;
    const bool used = std::ranges::contains(cut_.pieces, i, &driver::CutPiece::device);
    if (used && !here && remote == ready.remotes.end())
      return Error{Code::kUnavailable, formatted("{} is not there", cut_.devices[i])};
    // One that runs nothing is asked nothing.
    devices.push_back(here || remote == ready.remotes.end() ? ready.processor.get()
                                                            : remote->second.get());
  }
  ready.runner.emplace(TRY(driver::CutRunner::make(*graph_, cut_, devices)));
  return {};
}

// How often the cut has to run for these inputs; none: it is for others.
std::optional<int64_t> DividedModel::batches(std::span<const TensorView> inputs, bool items) const {
  if (inputs.size() != graph_->inputs().size() || inputs.empty()) return std::nullopt;
  std::optional<int64_t> count;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const engine::Value& value = graph_->value(graph_->inputs()[i]);
    Shape shape = value.shapes.front();
    const Shape& given = inputs[i].shape;
    int64_t times = 1;
    if (given != shape) {
      if (!items || shape.rank() == 0 || given.rank() != shape.rank() || shape[0] == 0)
        return std::nullopt;
      times = given[0] / shape[0];
      shape[0] *= times;
    }
    const auto bytes = given.byte_size(inputs[i].type);
    if (given != shape || times < 1 || inputs[i].type != value.type || !bytes ||
        inputs[i].data.size() != *bytes || (count && *count != times))
      return std::nullopt;
    count = times;
  }
  return count;
}

Status DividedModel::run_all(std::span<const TensorView> inputs, int64_t count,
                             engine::OutputSink& sink) {
  std::vector<Bytes> from;
  std::vector<MutableBytes> to;
  const auto times = static_cast<uint64_t>(count);
  for (size_t i = 0; i < graph_->outputs().size(); ++i) {
    const engine::Value& value = graph_->value(graph_->outputs()[i]);
    Shape shape = value.shapes.front();
    if (count != 1) shape[0] *= count;
    to.push_back(TRY(sink.memory(i, value.type, shape, TRY(shape.byte_size(value.type)))));
  }
  for (const TensorView& input : inputs) from.push_back(input.data);
  std::vector<Bytes> item_from(from.size());
  std::vector<MutableBytes> item_to(to.size());
  const Instant deadline = system_clock().now() + kRunMax;
  for (uint64_t i = 0; i < times; ++i) {
    for (size_t k = 0; k < from.size(); ++k) {
      const uint64_t bytes = from[k].size() / times;
      item_from[k] = from[k].subspan(i * bytes, bytes);
    }
    for (size_t k = 0; k < to.size(); ++k) {
      const uint64_t bytes = to[k].size() / times;
      item_to[k] = to[k].subspan(i * bytes, bytes);
    }
    TRY(ready_->runner->run(item_from, item_to, deadline));
  }
  return {};
}

bool DividedModel::run(std::span<const TensorView> inputs, bool items, engine::OutputSink& sink,
                       engine::ProgressCounter& progress) {
  const auto count = batches(inputs, items);
  if (!count) return false;
  std::unique_lock held(lock_);
  if (building_ || !ready_ || !ready_->runner) return false;
  held.unlock();  // nobody else touches it while nobody builds
  waited_for_ = &progress;
  const Status done = run_all(inputs, *count, sink);
  waited_for_ = nullptr;
  failures_ = done ? 0 : failures_ + 1;
  if (done) return true;
  log("the processor runs the whole: {}", done.error().text);
  held.lock();
  broken_ = std::move(ready_);
  start_connecting();
  return false;
}

}  // namespace casemate::model
