// SPDX-License-Identifier: Apache-2.0
#pragma once
// A product of all rows of an input with packed constants, by gemm.h: a fully connected layer, or a
// convolution of single pixels.

#include "isolated/engine/kernels/epilogue.h"
#include "isolated/engine/kernels/kernels.h"

namespace casemate::engine {

class GemmRows final : public Kernel {
 public:
  // `product` without what comes when it runs: input 0 is A, output 0 is C, what `form` says
  // follows.
  GemmRows(KernelNeeds needs, gemm::Product product, int64_t rows, int threads,
           const gemm::InstructionSet& set, const EpilogueForm& form)
      : Kernel(std::move(needs)),
        product_(product),
        rows_(rows),
        threads_(threads),
        set_(set),
        form_(form) {}

  Status run(const KernelArguments& arguments) const override;

 private:
  // Rows [begin, end) of some panels, a block at a time.
  void run_part(const gemm::Product& product, int64_t begin, int64_t end, int64_t panel_begin,
                int64_t panel_end) const;

  gemm::Product product_;
  int64_t rows_;
  int threads_;
  const gemm::InstructionSet& set_;
  EpilogueForm form_;
};

// A Gemm or MatMul [M,K] x [K,N], the right side constant, its rows in the order in which input 0,
// which comes in `layout`, has what they are multiplied by. None where post-operations are not
// gemm.h's.
struct RowsByConstant {
  int64_t rows;
  gemm::Rows depth;
  int64_t columns;
  int64_t column_stride;
  Layout layout = Layout::kRowMajor;
};
Result<std::unique_ptr<Kernel>> make_gemm_product(const KernelRequest& request,
                                                  const RowsByConstant& sizes);

}  // namespace casemate::engine
