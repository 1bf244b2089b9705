// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/few_rows.h"

#include <algorithm>

#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/kernels/vector_loops.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

constexpr int64_t kPanel = FewRowsProduct::kPanel;
// What threads take in turns.
constexpr int64_t kPieces = 12;

// What is done with a row of results, in this order.
struct Epilogue {
  std::optional<size_t> bias;    // an input of the node: one row
  std::optional<size_t> addend;  // ditto: of the result's shape
  Activate activation = Activate::kNone;
  bool activates_first = false;  // before the addend
};

std::optional<Activate> activation_of(const PostOp& post) {
  if (post.op == "Gelu") return Activate::kGelu;
  if (post.op == "GeluTanh") return Activate::kGeluTanh;
  if (post.op == "Relu") return Activate::kRelu;
  if (post.op == "Tanh") return Activate::kTanh;
  return std::nullopt;
}

bool row(const KernelRequest& request, size_t input, int64_t columns) {
  const Shape& shape = request.input_shape(input);
  return shape.rank() >= 1 && shape[shape.rank() - 1] == columns &&
         shape.element_count().value_or(0) == static_cast<uint64_t>(columns);
}

// None where an operation is not among those that the loops do.
std::optional<Epilogue> epilogue_of(const KernelRequest& request, int64_t rows, int64_t columns) {
  std::vector<PostOp> posts = request.node.post_ops;
  if (request.node.op == "Gemm" && request.node.input(2).present())
    posts.insert(posts.begin(), PostOp{.op = "Add", .operand = 2});
  Epilogue made;
  for (const PostOp& post : posts) {
    const auto input = static_cast<size_t>(post.operand);
    const bool done = made.activation != Activate::kNone;
    if (const auto activation = activation_of(post)) {
      if (done) return std::nullopt;
      made.activation = *activation;
      made.activates_first = !made.addend;
    } else if (post.op != "Add") {
      return std::nullopt;
    } else if (!made.bias && !done && !made.addend && row(request, input, columns) &&
               (rows == 1 || request.constant(input) != nullptr)) {
      made.bias = input;
    } else if (!made.addend && request.input_shape(input) == request.output_shape()) {
      made.addend = input;
    } else {
      return std::nullopt;
    }
  }
  return made;
}

struct FewRows {
  FewRowsProduct product{};
  LoopOperand x{};
  std::optional<LoopOperand> bias, addend;
  Epilogue epilogue;
  int64_t panels = 0;
  int64_t pieces = 1;

  void run(const KernelArguments& arguments, int64_t piece) const;
};

// Some panels, and all that is to be done with the columns they make.
void FewRows::run(const KernelArguments& arguments, int64_t piece) const {
  FewRowsProduct part = product;
  part.x = elements<float>(x.data(arguments));
  if (bias) part.bias = elements<float>(bias->data(arguments));
  part.y = elements<float>(arguments.outputs[0]);
  part.addend = addend ? elements<float>(addend->data(arguments)) : nullptr;
  part.activation = epilogue.activation;
  part.activates_first = epilogue.activates_first;
  part.first_panel = piece * panels / pieces;
  part.last_panel = (piece + 1) * panels / pieces;
  vector_loops().multiply_few_rows(part);
}

}  // namespace

std::optional<KernelResult> make_few_rows(const KernelRequest& request, int64_t rows,
                                          const dnnl::memory::desc& plain) {
  const auto dims = plain.get_dims();
  const int64_t depth = dims[0];
  const int64_t columns = dims[1];
  if (rows < 1 || rows > FewRowsProduct::kRowsMax || depth < 1 || columns < kPanel)
    return std::nullopt;
  const auto epilogue = epilogue_of(request, rows, columns);
  if (!epilogue) return std::nullopt;
  return [&]() -> KernelResult {
    FewRows made;
    KernelNeeds needs{.outputs = {Layout::kRowMajor}};
    made.x = TRY(loop_operand(request, 0, needs));
    if (epilogue->bias) made.bias = TRY(loop_operand(request, *epilogue->bias, needs));
    if (epilogue->addend) {
      made.addend = TRY(loop_operand(request, *epilogue->addend, needs));
      needs.may_overwrite = {*epilogue->addend};
    }
    // The form that oneDNN's kernel for many rows takes, too: plans for both share the weights.
    const dnnl::memory::desc form(dims, dnnl::memory::data_type::f32,
                                  dnnl::memory::format_tag::BA16a64b);
    const Bytes packed = TRY(pack_reordered(request.packer, *request.constant(1), plain, form));
    made.epilogue = *epilogue;
    made.panels = (columns + kPanel - 1) / kPanel;
    made.pieces = thread_count() == 1 ? 1 : std::min(kPieces, made.panels);
    made.product.panels = elements<float>(packed.data());
    made.product.panel_floats = (depth + 15) / 16 * 16 * kPanel;
    CHECK(packed.size() >= static_cast<uint64_t>(made.panels * made.product.panel_floats) * 4,
          "weights are packed in whole panels");
    made.product.rows = rows;
    made.product.depth = depth;
    made.product.columns = columns;
    needs.implementation = std::string(vector_loops().name) + " few rows";
    return loop_kernel(std::move(needs), [made](const KernelArguments& arguments) {
      parallel_for(made.pieces, [&](int64_t piece, int) { made.run(arguments, piece); });
    });
  }();
}

}  // namespace casemate::engine
