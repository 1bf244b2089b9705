// SPDX-License-Identifier: Apache-2.0
// Nodes for which there is no fast kernel run the function that defines their operator.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/kernels.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

// The plan has foretold all memory but what a function needs in between.
class KernelHost final : public Host {
 public:
  explicit KernelHost(uint64_t bytes_max) : bytes_max_(bytes_max) {}
  Status allow(uint64_t bytes) override {
    if (bytes <= bytes_max_) return {};
    return Error{Code::kTooLarge, formatted("{} bytes in between pass the limit of {}: allow the "
                                            "model more memory",
                                            bytes, bytes_max_)};
  }
  Result<std::vector<Datum>> run(const Graph&, std::vector<Datum>) override {
    return Error{Code::kUnsupported, "a plan runs no subgraphs"};
  }

 private:
  uint64_t bytes_max_;
};

// An input or output: its form, and for a constant its elements.
struct Operand {
  ElementType type = ElementType::kNone;
  Shape shape;
  uint64_t bytes = 0;
  std::optional<Datum> constant;
  bool present = false;
};

class OperatorKernel final : public Kernel {
 public:
  OperatorKernel(KernelNeeds needs, Node node, Compute compute, std::vector<Operand> inputs,
                 std::vector<Operand> outputs, uint64_t work_bytes_max)
      : Kernel(std::move(needs)),
        node_(std::move(node)),
        compute_(compute),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        work_bytes_max_(work_bytes_max) {}

  Status run(const KernelArguments& arguments) const override {
    std::vector<Datum> data(inputs_.size());
    std::vector<Fact> facts;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Operand& operand = inputs_[i];
      if (operand.present && !operand.constant)
        data[i] =
            Tensor::view({operand.type, operand.shape, Bytes(arguments.inputs[i], operand.bytes)});
      facts.push_back(Fact::of(operand.constant ? *operand.constant : data[i]));
    }
    std::vector<Tensor> places;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const Operand& operand = outputs_[i];
      if (!operand.present) {
        places.push_back(Tensor::of<float>({0}, {}));
        continue;
      }
      places.push_back(Tensor::view(operand.type, operand.shape,
                                    MutableBytes(arguments.outputs[i], operand.bytes)));
    }
    KernelHost host(work_bytes_max_);
    Computation computation(node_, std::move(facts), host, std::move(places));
    if (const Status done = compute_(computation); !done) {
      return Error{done.error().code, formatted("{}: {}", place_of(node_), done.error().text)};
    }
    return {};
  }

 private:
  Node node_;
  Compute compute_;
  std::vector<Operand> inputs_;
  std::vector<Operand> outputs_;
  uint64_t work_bytes_max_;
};

Result<Operand> operand_of(const KernelRequest& request, ValueId id) {
  if (!id.present()) return Operand{};
  const Value& value = request.graph.value(id);
  Operand operand{.type = value.type, .shape = value.shapes[request.variant], .present = true};
  if (value.type == ElementType::kString && !value.constant)
    return Error{Code::kUnsupported, "text is not kept in planned memory"};
  if (value.type != ElementType::kString)
    operand.bytes = TRY(tensor_bytes(operand.type, operand.shape));
  return operand;
}

// Operators that take each element for itself, wherever it lies.
constexpr std::string_view kElementwise[] = {
    "Abs",         "Add",       "Ceil",      "Clip",     "Div",  "Elu", "Erf", "Exp", "Floor",
    "HardSigmoid", "HardSwish", "LeakyRelu", "Log",      "Max",  "Min", "Mul", "Neg", "Pow",
    "Reciprocal",  "Relu",      "Sigmoid",   "Softplus", "Sqrt", "Sub", "Tanh"};

// The layout that all inputs have and the function need not know of.
Layout common_layout(const KernelRequest& request) {
  const Node& node = request.node;
  if (!std::ranges::contains(kElementwise, node.op)) return Layout::kRowMajor;
  const Layout layout = request.layouts[0];
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.inputs[i].present()) continue;
    const Tensor* const constant = request.constant(i);
    if (constant != nullptr
            ? constant->count() != 1
            : request.layouts[i] != layout || request.input_shape(i) != request.output_shape())
      return Layout::kRowMajor;
  }
  return layout == Layout::kChannelsLast ? layout : Layout::kRowMajor;
}

// A node in canonical form as an operator set has it: the newest, but for Clip, whose bounds are
// attributes as they were until operator set 10.
Node as_given(Node node) {
  if (!node.raw) node.since = node.op == "Clip" ? 6 : 0;
  return node;
}

}  // namespace

KernelResult make_operator_kernel(const KernelRequest& request) {
  const Node node = as_given(request.node);
  const Compute compute = Operators::instance().find(node.op);
  if (compute == nullptr || !node.post_ops.empty()) {
    return Error{Code::kUnsupported,
                 formatted("{}: this operator is not supported: export the model without it",
                           place_of(node))};
  }
  KernelNeeds needs{.slow = true, .implementation = "operator"};
  const Layout layout = common_layout(request);
  std::vector<Operand> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    Operand operand = TRY(operand_of(request, node.inputs[i]));
    const Tensor* constant = request.constant(i);
    if (constant != nullptr) {
      operand.constant = constant->type() == ElementType::kString
                             ? Datum(*constant)
                             : Datum(Tensor::view({constant->type(), constant->shape(),
                                                   TRY(request.packer.pack(*constant))}));
    }
    const bool read = operand.present && !operand.constant;
    needs.inputs.push_back(read ? std::optional(layout) : std::nullopt);
    inputs.push_back(std::move(operand));
  }
  std::vector<Operand> outputs;
  for (const ValueId id : node.outputs) {
    outputs.push_back(TRY(operand_of(request, id)));
    needs.outputs.push_back(layout);
  }
  return std::make_unique<OperatorKernel>(std::move(needs), node, compute, std::move(inputs),
                                          std::move(outputs), request.work_bytes_max);
}

}  // namespace casemate::engine
