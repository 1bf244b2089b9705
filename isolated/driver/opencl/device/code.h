// SPDX-License-Identifier: Apache-2.0
#pragma once
// OpenclCode: a piece as recipes, its constants on the device, and for each queue that runs it at
// the same time a seat: kernels and memory of its own.
//
//   Owns     constants and seats.
//   Threads  any number may take seats; a seat is one thread's at a time.
//   Trust    the piece was shaped by the engine.
//   Fails    compile() with kUnsupported and the node, kUnavailable where the device has no room,
//            kPlatform; run() with kInvalid for an index that points nowhere, and kPlatform.

#include "isolated/driver/opencl/device/launches.h"
#include "isolated/driver/serial/machine.h"

namespace casemate::driver {

class OpenclCode final : public MachineCode {
 public:
  struct Seat {
    OwnedBuffer arena;
    OwnedBuffer product_scratch;
    OwnedBuffer flag;
    std::vector<OwnedBuffer> parts;  // of the arena
    std::vector<OwnedKernel> kernels;
    std::vector<cl_mem> node_scratch;
    Bound bound;
  };

  OpenclCode(std::shared_ptr<Hardware> hardware, uint64_t seats_max)
      : hardware_(std::move(hardware)), seats_max_(seats_max) {}

  // Runs it once, on zeros: what is compiled late is compiled then.
  Status compile(const engine::Graph& piece, uint64_t bytes_max);
  [[nodiscard]] uint64_t bytes() const override;

  Result<std::unique_ptr<Seat>> take();
  void give_back(std::unique_ptr<Seat> seat);
  // Requires: memory for each input and output of the piece, in its order.
  void bind(Seat& seat, std::span<const cl_mem> inputs, std::span<const cl_mem> outputs) const;
  // Runs some nodes from `begin` on, and waits for them. Returns the node to go on with: at
  // node_count() all is done. Requires: the seat is bound.
  Result<size_t> run(cl_command_queue lane, Seat& seat, size_t begin) const;
  [[nodiscard]] size_t node_count() const { return nodes_.size(); }

 private:
  struct PlannedNode {
    Recipe recipe;
    size_t first_kernel = 0;
  };
  struct PlacedBlock {
    engine::ValueId value;  // of a scratch: none
    size_t node = 0;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };

  Status lower(const engine::Graph& graph);
  Status place(const engine::Graph& graph);
  void place_outputs(const engine::Graph& graph);
  void place_arena(const engine::Graph& graph);
  Status upload(const engine::Graph& graph, cl_command_queue lane);
  Status learn_product_scratch(cl_command_queue lane);
  Status warm(const engine::Graph& piece, cl_command_queue lane);
  Result<std::unique_ptr<Seat>> make_seat();
  [[nodiscard]] uint64_t seat_bytes() const;

  std::shared_ptr<Hardware> hardware_;
  uint64_t seats_max_;
  std::vector<PlannedNode> nodes_;
  std::string checked_;            // the nodes whose indices are checked, for a person
  std::vector<uint32_t> root_;     // by value: which value's memory it has
  std::vector<uint32_t> inputs_;   // by input: where it is bound
  std::vector<uint32_t> outputs_;  // by output: ditto
  size_t slots_ = 0;               // values, and outputs that are copies of others
  std::vector<PlacedBlock> blocks_;
  uint64_t arena_bytes_ = 0;
  uint64_t product_scratch_bytes_ = 0;
  uint64_t constant_bytes_ = 0;
  std::vector<std::pair<uint32_t, OwnedBuffer>> constants_;  // by value
  std::mutex lock_;
  std::vector<std::unique_ptr<Seat>> idle_;
};

}  // namespace casemate::driver
