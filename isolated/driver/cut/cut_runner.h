// SPDX-License-Identifier: Apache-2.0
#pragma once
// CutRunner: the pieces of a cut, compiled on their devices and run one after the other. What
// crosses between two of them is read into the host's memory and written from there.
//
//   Owns     a program for each piece, buffers for what it reads and makes, a queue for each
//            device, and the host's copies of what crosses. Programs are dropped when it goes.
//   Threads  one.
//   Trust    none in inputs.
//   Fails    as the devices do, with the piece and the device in front. A runner that failed stays
//            so where its device did: make another when that has been reset.

#include "isolated/driver/cut/cut.h"

namespace casemate::driver {

class CutRunner final {
 public:
  // Requires: a device for each of the cut's, all of which outlive the runner; the cut is of this
  // graph.
  static Result<CutRunner> make(const engine::Graph& graph, const Cut& cut,
                                const std::vector<Device*>& devices);

  CutRunner(CutRunner&&) noexcept = default;
  CutRunner& operator=(CutRunner&&) = delete;
  ~CutRunner();

  // Inputs and outputs are those of the graph, in its order. Fails with kInvalid when one has not
  // the bytes of its shape, and with kTimedOut at the deadline: devices may still write to the
  // runner's memory then, until it goes.
  Status run(std::span<const Bytes> inputs, std::span<const MutableBytes> outputs, Instant deadline,
             Clock& clock = system_clock());

  // What each piece of the last run took. Its copies were waited for apart from its run, as when
  // costs are measured, if that was asked for before; otherwise they are in what it ran.
  [[nodiscard]] const std::vector<PieceTime>& measured() const { return measured_; }
  void time_copies(bool apart) { apart_ = apart; }

 private:
  struct Stage {
    size_t device = 0;
    Program program;
    std::vector<engine::ValueId> inputs;
    std::vector<engine::ValueId> outputs;
    std::vector<std::unique_ptr<Buffer>> buffers;
    std::vector<Operand> from;
    std::vector<Operand> to;
  };

  explicit CutRunner(const Cut& cut) : names_(cut.devices) {}
  Status add(const engine::Graph& graph, const CutPiece& piece);
  Result<PieceTime> run_stage(const Stage& stage, Instant deadline, Clock& clock);

  std::vector<std::string> names_;
  std::vector<Device*> devices_;
  std::vector<Stage> stages_;
  std::vector<std::vector<uint8_t>> host_;  // by value: what crosses
  std::vector<engine::ValueId> inputs_;
  std::vector<engine::ValueId> outputs_;
  std::vector<PieceTime> measured_;
  bool apart_ = false;
  std::vector<std::unique_ptr<Queue>> queues_;  // by device; go first, and with them all that runs
};

}  // namespace casemate::driver
