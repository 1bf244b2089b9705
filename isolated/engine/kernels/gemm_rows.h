// SPDX-License-Identifier: Apache-2.0
#pragma once
// A product of all rows of an input with packed constants, by gemm.h: a fully connected layer, or a
// convolution of single pixels.

#include "isolated/engine/kernels/gemm.h"
#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

class GemmRows final : public Kernel {
 public:
  // `product` without what comes when it runs: input 0 is A, output 0 is C, input `addend` is added.
  GemmRows(KernelNeeds needs, gemm::Product product, int64_t rows, int threads,
           const gemm::InstructionSet& set, std::optional<size_t> addend)
      : Kernel(std::move(needs)),
        product_(product),
        rows_(rows),
        threads_(threads),
        set_(set),
        addend_(addend) {}

  Status run(const KernelArguments& arguments) const override;

 private:
  gemm::Product product_;
  int64_t rows_;
  int threads_;
  const gemm::InstructionSet& set_;
  std::optional<size_t> addend_;
};

// A Gemm or MatMul [M,K] x [K,N], the right side constant and B[k, n] = b[k * depth_stride + n *
// column_stride]. None where post-operations are not gemm.h's.
struct RowsByConstant {
  int64_t rows, depth, columns;
  int64_t depth_stride, column_stride;
};
Result<std::unique_ptr<Kernel>> make_gemm_product(const KernelRequest& request,
                                                  const RowsByConstant& sizes);

}  // namespace casemate::engine
