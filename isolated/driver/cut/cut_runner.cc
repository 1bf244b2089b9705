// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/cut/cut_runner.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/driver/cut/piece.h"

namespace casemate::driver {

using engine::Graph;
using engine::ValueId;

Result<CutRunner> CutRunner::make(const Graph& graph, const Cut& cut,
                                  const std::vector<Device*>& devices) {
  CHECK(devices.size() == cut.devices.size(), "a cut is run on the devices that it was made for");
  CutRunner runner(cut);
  runner.devices_ = devices;
  runner.queues_.resize(devices.size());
  runner.host_.resize(graph.value_count());
  runner.inputs_ = graph.inputs();
  runner.outputs_ = graph.outputs();
  for (const auto* ids : {&graph.inputs(), &graph.outputs()}) {
    for (const ValueId id : *ids) {
      const engine::Value& value = graph.value(id);
      runner.host_[id.index].resize(TRY(engine::tensor_bytes(value.type, value.shapes.front())));
      if (value.constant)
        std::ranges::copy(value.constant->bytes(), runner.host_[id.index].begin());
    }
  }
  for (size_t i = 0; i < cut.pieces.size(); ++i) {
    if (const Status added = runner.add(graph, cut.pieces[i]); !added) {
      return Error{added.error().code,
                   formatted("piece {} on {}: {}", i, cut.devices[cut.pieces[i].device],
                             added.error().text)};
    }
  }
  return runner;
}

Status CutRunner::add(const Graph& graph, const CutPiece& piece) {
  Device& device = *devices_[piece.device];
  if (queues_[piece.device] == nullptr) queues_[piece.device] = TRY(device.make_queue());
  const Graph part = piece_of(graph, piece.nodes, piece.inputs, piece.outputs);
  TRY(part.sound());
  Stage& stage = stages_.emplace_back();
  stage.device = piece.device;
  stage.inputs = piece.inputs;
  stage.outputs = piece.outputs;
  stage.program = TRY(device.compile(part));
  for (const auto& [ids, operands] :
       {std::pair(&stage.inputs, &stage.from), std::pair(&stage.outputs, &stage.to)}) {
    for (const ValueId id : *ids) {
      const engine::Value& value = graph.value(id);
      const uint64_t bytes = TRY(engine::tensor_bytes(value.type, value.shapes.front()));
      host_[id.index].resize(bytes);
      stage.buffers.push_back(TRY(device.make_buffer(bytes)));
      operands->push_back({stage.buffers.back().get(), 0});
    }
  }
  return {};
}

CutRunner::~CutRunner() {
  queues_.clear();
  for (const Stage& stage : stages_) devices_[stage.device]->drop(stage.program);
}

// A queue runs in order and what fails in it fails all behind it: the last fence stands for all.
Result<PieceTime> CutRunner::run_stage(const Stage& stage, Instant deadline, Clock& clock) {
  Queue& queue = *queues_[stage.device];
  std::unique_ptr<Fence> last;
  // A queue that is full takes more when those before are done.
  const auto submit = [&](auto command) -> Status {
    auto fence = command();
    if (!fence && fence.error().code == Code::kUnavailable && last != nullptr) {
      TRY(last->wait(deadline));
      fence = command();
    }
    last = TRY(std::move(fence));
    return {};
  };
  PieceTime took;
  Instant start = clock.now();
  const auto waited = [&](double& ns) -> Status {
    if (last != nullptr) TRY(last->wait(deadline));
    const Instant now = clock.now();
    ns += static_cast<double>((now - start).count());
    start = now;
    return {};
  };
  for (size_t i = 0; i < stage.inputs.size(); ++i) {
    const Bytes from = host_[stage.inputs[i].index];
    TRY(submit([&] { return queue.write(*stage.from[i].buffer, 0, from); }));
  }
  if (apart_) TRY(waited(took.copy_ns));
  TRY(submit([&] { return queue.run(stage.program, stage.from, stage.to); }));
  if (apart_) TRY(waited(took.run_ns));
  for (size_t i = 0; i < stage.outputs.size(); ++i) {
    const MutableBytes to = host_[stage.outputs[i].index];
    TRY(submit([&] { return queue.read(*stage.to[i].buffer, 0, to); }));
  }
  TRY(waited(apart_ ? took.copy_ns : took.run_ns));
  return took;
}

Status CutRunner::run(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs,
                      Instant deadline, Clock& clock) {
  if (inputs.size() != inputs_.size() || outputs.size() != outputs_.size()) {
    return Error{Code::kInvalid,
                 formatted("a graph with {} inputs and {} outputs is given {} and "
                           "{}",
                           inputs_.size(), outputs_.size(), inputs.size(), outputs.size())};
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::vector<uint8_t>& host = host_[inputs_[i].index];
    if (inputs[i].size() != host.size()) {
      return Error{Code::kInvalid, formatted("input {} has {} bytes, its shape needs {}", i,
                                             inputs[i].size(), host.size())};
    }
    std::ranges::copy(inputs[i], host.begin());
  }
  measured_.clear();
  for (size_t i = 0; i < stages_.size(); ++i) {
    const auto took = run_stage(stages_[i], deadline, clock);
    if (!took) {
      return Error{took.error().code, formatted("piece {} on {}: {}", i, names_[stages_[i].device],
                                                took.error().text)};
    }
    measured_.push_back(*took);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::vector<uint8_t>& host = host_[outputs_[i].index];
    if (outputs[i].size() != host.size()) {
      return Error{Code::kInvalid, formatted("output {} has {} bytes, its shape needs {}", i,
                                             outputs[i].size(), host.size())};
    }
    std::ranges::copy(host, outputs[i].begin());
  }
  return {};
}

}  // namespace casemate::driver
