// SPDX-License-Identifier: Apache-2.0
#pragma once
// Kernels: what runs one node of a graph on one device, compiled for fixed shapes.
//
// A kernel is made while a model is loaded: it chooses an implementation, packs the node's
// constants and generates its machine code. From then on it is immutable, needs no memory of its
// own but what the plan gives it, and never makes memory executable again. What belongs to one
// executor is in a KernelState.
//
//   Owns     its compiled code; packed constants belong to the weight store.
//   Threads  made by one thread without starting others; run() uses the threads of set_threads().
//   Trust    shapes and constants were checked on import; input data may be anything.
//   Fails    makers return kUnsupported with a reason; run() returns kPlatform.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isolated/engine/graph/graph.h"
#include "isolated/engine/kernels/layout.h"
#include "isolated/engine/kernels/packer.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {

enum class Device : uint8_t { kCpu };

// A node to be compiled, and where it stands.
struct KernelRequest {
  const Graph& graph;
  const Node& node;
  size_t variant;               // which shapes of the graph's values
  std::vector<Layout> layouts;  // of each input as it is now
  Layout preferred;             // for [N,C,spatial...] where the kernel has the choice
  // The input that a post-operation "Add" reads and that dies here: add in place.
  std::optional<size_t> overwrite_operand;
  Packer& packer;
  // No machine code may be generated: what needs some runs its operator's function.
  bool fixed = false;
  // What an operator's own function may take in between, beside what the plan gives it.
  uint64_t work_bytes_max = 4ull << 30;
  // Channels from pixel to pixel of input 0, and those that output 0 had better have; 0: as many as
  // there are. A kernel that can do with that says so in its needs.
  int64_t input_pitch = 0;
  int64_t output_pitch = 0;

  [[nodiscard]] const Shape& input_shape(size_t index) const;
  [[nodiscard]] const Shape& output_shape(size_t index = 0) const;
  [[nodiscard]] ElementType input_type(size_t index) const;
  [[nodiscard]] ElementType output_type(size_t index = 0) const;
  // The constant at that input, if it is one.
  [[nodiscard]] const Tensor* constant(size_t index) const;
};

// What a kernel asks of the plan.
struct KernelNeeds {
  std::vector<std::optional<Layout>> inputs = {};  // none: not read when it runs
  std::vector<Layout> outputs = {};
  uint64_t scratch_bytes = 0;
  // Each thread has so many. Kernels of a plan have theirs at the same place, where nothing else
  // lies: it stays in that thread's own caches.
  bool scratch_of_each_thread = false;
  std::optional<size_t> overwrites = {};   // output 0 starts as, and replaces, this input
  std::vector<size_t> may_overwrite = {};  // output 0 may lie where one of these inputs lies
  bool reads_pitched = false;              // input 0 has the pitch of the request
  bool writes_pitched = false;             // ditto output 0
  bool view = false;                       // output 0 is the bytes of input 0; nothing runs
  bool slow = false;                       // only a reference implementation was to be had
  std::string implementation = {};         // for the printed plan
};

// What one executor keeps for one kernel.
class KernelState {
 public:
  virtual ~KernelState() = default;
};

// Where the operands of one run lie, in the order of the node; nullptr where nothing is read.
struct KernelArguments {
  std::span<uint8_t* const> inputs;
  std::span<uint8_t* const> outputs;
  uint8_t* scratch = nullptr;
  KernelState* state = nullptr;
  uint64_t scratch_stride = 0;  // from thread to thread, where each has its own

  [[nodiscard]] uint8_t* scratch_of(int thread) const {
    return scratch + static_cast<uint64_t>(thread) * scratch_stride;
  }
};

class Kernel {
 public:
  explicit Kernel(KernelNeeds needs) : needs_(std::move(needs)) {}
  virtual ~Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  [[nodiscard]] const KernelNeeds& needs() const { return needs_; }
  [[nodiscard]] virtual Result<std::unique_ptr<KernelState>> make_state() const { return nullptr; }
  virtual Status run(const KernelArguments& arguments) const = 0;

 private:
  KernelNeeds needs_;
};

using KernelResult = Result<std::unique_ptr<Kernel>>;

// A kernel for the node. Fails with kUnsupported when the device has none for its operator and
// type; the error names the node.
KernelResult make_kernel(const KernelRequest& request, Device device = Device::kCpu);

// A kernel that runs the operator's own function, for a node as its operator set has it. Fails with
// kUnsupported when there is none.
KernelResult make_operator_kernel(const KernelRequest& request);
// A kernel that copies a tensor from one layout to another.
KernelResult make_reorder(ElementType type, const Shape& shape, Layout from, Layout to);
// The same between row-major and channels-last without generated code. Fails with kUnsupported for
// other layouts, and elements that are not of four bytes.
KernelResult make_fixed_reorder(ElementType type, const Shape& shape, Layout from, Layout to);
// A kernel that copies an image, channels last, to where its pixels lie so many channels apart,
// from where they lie `from` apart; 0: as many as there are.
KernelResult make_pitched_copy(const Shape& shape, int64_t from, int64_t to);
// A kernel that copies a tensor as it is.
KernelResult make_copy(ElementType type, const Shape& shape, Layout layout);
// A kernel without inputs that writes the constant, row-major.
KernelResult make_constant_writer(const Tensor& constant, Packer& packer);

// Generates the machine code that oneDNN's matrix product would otherwise generate when it first
// runs. Call when all kernels are made.
Status finish_kernels();

}  // namespace casemate::engine
