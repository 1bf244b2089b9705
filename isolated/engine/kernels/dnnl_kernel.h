// SPDX-License-Identifier: Apache-2.0
#pragma once
// DnnlKernel: any oneDNN primitive as a Kernel. An operator's file describes the primitive; the
// rest, from memory objects to error codes, is here. Included only by sources of this folder.
//
//   Owns     the primitive. A DnnlState owns the memory objects of one executor.
//   Threads  as Kernel.
//   Trust    as Kernel.
//   Fails    constructors may throw dnnl::error, which make_kernel() catches.

#include <oneapi/dnnl/dnnl.hpp>

#include "isolated/engine/kernels/registry.h"

namespace casemate::engine {

// oneDNN's CPU engine of this process; made once, without threads.
const dnnl::engine& cpu_engine();

// How oneDNN is told of a tensor. Throws on a type that oneDNN does not know.
dnnl::memory::data_type dnnl_type(ElementType type);
dnnl::memory::dims dnnl_dims(const Shape& shape);
dnnl::memory::desc describe(ElementType type, const Shape& shape, Layout layout);
// Row-major with `rank` dimensions: ones are put in front. Requires: rank >= shape.rank().
Shape widened(const Shape& shape, uint32_t rank);
// Dense row-major strides, in elements.
dnnl::memory::dims dense_strides(const dnnl::memory::dims& dims);

// True when the implementation that oneDNN chose is one of its slow reference loops.
bool reference(const dnnl::primitive_desc_base& primitive);

// The attributes every primitive has: scratch memory comes from the plan.
dnnl::primitive_attr base_attributes();

// One argument of a primitive, and where it comes from when it runs.
struct DnnlArgument {
  enum class From : uint8_t { kInput, kOutput, kPacked };
  int id;  // DNNL_ARG_...
  From from;
  size_t index;         // of the node's input or output
  const uint8_t* data;  // kPacked: where
  dnnl::memory::desc desc;

  static DnnlArgument input(int id, size_t index, dnnl::memory::desc desc) {
    return {id, From::kInput, index, nullptr, std::move(desc)};
  }
  static DnnlArgument output(int id, dnnl::memory::desc desc) {
    return {id, From::kOutput, 0, nullptr, std::move(desc)};
  }
  static DnnlArgument packed(int id, Bytes bytes, dnnl::memory::desc desc) {
    return {id, From::kPacked, 0, bytes.data(), std::move(desc)};
  }
};

class DnnlKernel final : public Kernel {
 public:
  DnnlKernel(KernelNeeds needs, const dnnl::primitive_desc_base& description,
             const dnnl::primitive& primitive, std::vector<DnnlArgument> arguments);

  [[nodiscard]] Result<std::unique_ptr<KernelState>> make_state() const override;
  Status run(const KernelArguments& arguments) const override;

 private:
  dnnl::primitive primitive_;
  dnnl::memory::desc scratch_;
  std::vector<DnnlArgument> arguments_;
};

// A kernel that runs `Primitive` made from its description; fills in scratch and implementation.
template <class Primitive>
KernelResult dnnl_kernel(KernelNeeds needs, const typename Primitive::primitive_desc& description,
                         std::vector<DnnlArgument> arguments) {
  needs.slow = reference(description);
  return std::make_unique<DnnlKernel>(std::move(needs), description, Primitive(description),
                                      std::move(arguments));
}

// A constant brought from one memory form into another, packed once; row-major sources only.
Result<Bytes> pack_reordered(Packer& packer, const Tensor& source, const dnnl::memory::desc& from,
                             const dnnl::memory::desc& to);

}  // namespace casemate::engine
