// SPDX-License-Identifier: Apache-2.0
// MatMul with ONNX's (NumPy's) broadcasting, and Gemm = A' B' + C without scalars, which the
// importer has folded. Gemm may also read an image [N,C,spatial...] whose flattening was absorbed.
#include <algorithm>

#include "isolated/engine/kernels/few_rows.h"
#include "isolated/engine/kernels/gemm_rows.h"
#include "isolated/engine/kernels/post_ops.h"

namespace casemate::engine {
namespace {

using dnnl::memory;
using From = DnnlArgument;

// The operands as matrices: [batch..., M, K] x [batch..., K, N] -> [batch..., M, N].
struct Matrices {
  memory::dims a, b, c;
  bool transpose_a = false;
  bool transpose_b = false;
};

memory::desc matrix_desc(const memory::dims& dims, bool transposed) {
  memory::dims strides = dense_strides(dims);
  if (transposed) {
    const size_t last = dims.size() - 1;
    strides[last - 1] = 1;
    strides[last] = dims[last - 1];
  }
  return {dims, memory::data_type::f32, strides};
}

// A vector is a matrix of one row on the left side, of one column on the right.
memory::dims matrix_dims(const Shape& shape, bool left) {
  memory::dims dims(shape.dims().begin(), shape.dims().end());
  if (dims.size() == 1) dims.insert(left ? dims.begin() : dims.end(), 1);
  return dims;
}

Matrices matrices_of_gemm(const KernelRequest& request) {
  Matrices result;
  result.transpose_a = request.node.attributes.integer("transA", 0) != 0;
  result.transpose_b = request.node.attributes.integer("transB", 0) != 0;
  result.a = matrix_dims(request.input_shape(0), true);
  result.b = matrix_dims(request.input_shape(1), false);
  if (result.transpose_a) std::swap(result.a[0], result.a[1]);
  if (result.transpose_b) std::swap(result.b[0], result.b[1]);
  result.c = {result.a[0], result.b[1]};
  return result;
}

Matrices matrices_of_matmul(const KernelRequest& request) {
  Matrices result{
      matrix_dims(request.input_shape(0), true), matrix_dims(request.input_shape(1), false), {}};
  const bool one_matrix =
      std::all_of(result.b.begin(), result.b.end() - 2, [](int64_t d) { return d == 1; });
  if (one_matrix) {
    // Every batch meets the same right side, so they are rows of one tall matrix.
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < result.a.size(); ++i) rows *= result.a[i];
    result.a = {rows, result.a.back()};
    result.b = {result.b.end()[-2], result.b.back()};
  }
  const size_t rank = std::max(result.a.size(), result.b.size());
  result.a.insert(result.a.begin(), rank - result.a.size(), 1);
  result.b.insert(result.b.begin(), rank - result.b.size(), 1);
  for (size_t i = 0; i + 2 < rank; ++i) result.c.push_back(std::max(result.a[i], result.b[i]));
  result.c.push_back(result.a[rank - 2]);
  result.c.push_back(result.b[rank - 1]);
  return result;
}

// True when the operand is one constant row, which oneDNN can add as a bias.
bool bias_row(const KernelRequest& request, size_t operand, int64_t columns) {
  const Tensor* constant = request.constant(operand);
  return constant != nullptr && static_cast<int64_t>(constant->count()) == columns &&
         (constant->shape().rank() == 0 ||
          constant->shape()[constant->shape().rank() - 1] == columns);
}

struct Compiled {
  dnnl::primitive_attr attributes = base_attributes();
  std::vector<DnnlArgument> arguments;
  KernelNeeds needs;
  memory::desc bias;
};

// Layouts, post-operations and addend, which product and inner product share.
Result<Compiled> compile(const KernelRequest& request, Layout source, const memory::dims& target) {
  Compiled made;
  made.needs.inputs.resize(request.node.inputs.size());
  made.needs.inputs[0] = source;
  made.needs.outputs = {Layout::kRowMajor};
  Node node = request.node;
  if (node.op == "Gemm" && node.input(2).present()) {
    node.post_ops.insert(node.post_ops.begin(), PostOp{.op = "Add", .operand = 2});
  }
  const int64_t columns = target.back();
  if (!node.post_ops.empty() && node.post_ops[0].op == "Add" &&
      bias_row(request, static_cast<size_t>(node.post_ops[0].operand), columns)) {
    const Tensor& row = *request.constant(static_cast<size_t>(node.post_ops[0].operand));
    memory::dims dims(target.size(), 1);
    dims.back() = columns;
    made.bias = memory::desc(dims, memory::data_type::f32, dense_strides(dims));
    made.arguments.push_back(From::packed(DNNL_ARG_BIAS, TRY(request.packer.pack(row)), made.bias));
    node.post_ops.erase(node.post_ops.begin());
  }
  const KernelRequest inner{request.graph,     node,
                            request.variant,   request.layouts,
                            request.preferred, request.overwrite_operand,
                            request.packer,    request.fixed};
  TRY(append_post_ops(inner, Layout::kRowMajor, target, made.attributes, made.arguments,
                      made.needs));
  return made;
}

// The product on our own loops, where it is one of rows by constants.
Result<std::unique_ptr<Kernel>> rows_by_constant(const KernelRequest& request,
                                                 const Matrices& matrices) {
  if (request.constant(1) == nullptr || matrices.transpose_a || matrices.a.size() != 2)
    return nullptr;
  const int64_t depth = matrices.b[0];
  const int64_t columns = matrices.b[1];
  const bool transposed = matrices.transpose_b;
  return make_gemm_product(request, {.rows = matrices.a[0],
                                     .depth = {1, 0, depth, transposed ? 1 : columns},
                                     .columns = columns,
                                     .column_stride = transposed ? depth : 1});
}

// The product by our own loops, where it is one of a few rows.
std::optional<KernelResult> few_rows(const KernelRequest& request, const Matrices& matrices) {
  if (request.constant(1) == nullptr || request.constant(0) != nullptr || matrices.transpose_a ||
      matrices.a.size() != 2) {
    return std::nullopt;
  }
  return make_few_rows(request, matrices.a[0], matrix_desc(matrices.b, matrices.transpose_b));
}

KernelResult make_matrix_product(const KernelRequest& request, const Matrices& matrices) {
  if (auto ours = TRY(rows_by_constant(request, matrices))) return ours;
  if (request.fixed) return Error{Code::kUnsupported, "its loops are generated"};
  if (auto made = few_rows(request, matrices)) return *std::move(made);
  Compiled made = TRY(compile(request, Layout::kRowMajor, matrices.c));
  const auto a = matrix_desc(matrices.a, matrices.transpose_a);
  const auto b = matrix_desc(matrices.b, matrices.transpose_b);
  const auto c = matrix_desc(matrices.c, false);
  const Tensor* weights = request.constant(1);
  const memory::desc any(matrices.b, memory::data_type::f32, memory::format_tag::any);
  const dnnl::matmul::primitive_desc description(cpu_engine(), a, weights == nullptr ? b : any,
                                                 made.bias, c, made.attributes);
  std::vector<DnnlArgument> arguments = std::move(made.arguments);
  arguments.push_back(From::input(DNNL_ARG_SRC, 0, a));
  arguments.push_back(From::output(DNNL_ARG_DST, c));
  if (weights == nullptr) {
    made.needs.inputs[1] = Layout::kRowMajor;
    arguments.push_back(From::input(DNNL_ARG_WEIGHTS, 1, b));
  } else {
    const auto form = description.weights_desc();
    const Bytes packed = TRY(pack_reordered(request.packer, *weights, b, form));
    arguments.push_back(From::packed(DNNL_ARG_WEIGHTS, packed, form));
  }
  return dnnl_kernel<dnnl::matmul>(std::move(made.needs), description, std::move(arguments));
}

// The product of an image, channels last, on our own loops.
Result<std::unique_ptr<Kernel>> image_by_constant(const KernelRequest& request, int64_t columns,
                                                  bool transposed) {
  const Shape& image = request.input_shape(0);
  if (request.layouts[0] != Layout::kChannelsLast && request.layouts[0] != Layout::kRowMajor)
    return nullptr;
  const bool last = request.layouts[0] == Layout::kChannelsLast;
  const int64_t channels = image[1];
  const int64_t depth = static_cast<int64_t>(TRY(image.element_count())) / image[0];
  const int64_t pixels = depth / channels;
  const int64_t step = transposed ? 1 : columns;
  return make_gemm_product(request,
                           {.rows = image[0],
                            .depth = last ? gemm::Rows{pixels, step, channels, pixels * step}
                                          : gemm::Rows{1, 0, depth, step},
                            .columns = columns,
                            .column_stride = transposed ? depth : 1,
                            .layout = request.layouts[0]});
}

// Gemm over an image: the weights are brought into the image's layout once, so that the image need
// not be brought into row-major order for every request.
KernelResult make_image_product(const KernelRequest& request) {
  const Tensor* weights = request.constant(1);
  CHECK(weights != nullptr, "only constant weights absorb a flattening");
  const bool transposed = request.node.attributes.integer("transB", 0) != 0;
  const int64_t columns = weights->shape()[transposed ? 0 : 1];
  const Layout layout = request.layouts[0];
  const uint64_t items = TRY(request.input_shape(0).element_count()) /
                         static_cast<uint64_t>(request.input_shape(0)[0]);
  if (weights->count() != items * static_cast<uint64_t>(columns)) {
    return Error{Code::kInvalid, "its weights do not fit the image"};
  }
  const Shape& source = request.input_shape(0);
  if (auto ours = TRY(image_by_constant(request, columns, transposed))) return ours;
  if (request.fixed) return Error{Code::kUnsupported, "its loops are generated"};
  Compiled made = TRY(compile(request, layout, {source[0], columns}));
  memory::dims dims = dnnl_dims(source);
  dims[0] = columns;
  memory::dims strides = dense_strides(dims);
  if (!transposed) {
    for (int64_t& stride : strides) stride *= columns;
    strides[0] = 1;
  }
  const memory::desc plain(dims, memory::data_type::f32, strides);
  const memory::desc any(dims, memory::data_type::f32, memory::format_tag::any);
  const memory::desc bias = made.bias.is_zero() ? made.bias : made.bias.reshape({columns});
  const dnnl::inner_product_forward::primitive_desc description(
      cpu_engine(), dnnl::prop_kind::forward_inference,
      describe(ElementType::kFloat32, source, layout), any, bias,
      describe(ElementType::kFloat32, request.output_shape(), Layout::kRowMajor), made.attributes);
  std::vector<DnnlArgument> arguments = std::move(made.arguments);
  for (DnnlArgument& argument : arguments) {
    if (argument.id == DNNL_ARG_BIAS) argument.desc = bias;
  }
  arguments.push_back(From::input(DNNL_ARG_SRC, 0, description.src_desc()));
  arguments.push_back(From::output(DNNL_ARG_DST, description.dst_desc()));
  const auto form = description.weights_desc();
  const Bytes packed = TRY(pack_reordered(request.packer, *weights, plain, form));
  arguments.push_back(From::packed(DNNL_ARG_WEIGHTS, packed, form));
  return dnnl_kernel<dnnl::inner_product_forward>(std::move(made.needs), description,
                                                  std::move(arguments));
}

KernelResult make_gemm(const KernelRequest& request) {
  if (request.input_shape(0).rank() > 2) return make_image_product(request);
  return make_matrix_product(request, matrices_of_gemm(request));
}

KernelResult make_matmul(const KernelRequest& request) {
  return make_matrix_product(request, matrices_of_matmul(request));
}

}  // namespace

void register_product(Registry& registry) {
  registry.add("Gemm", ElementType::kFloat32, Device::kCpu, make_gemm);
  registry.add("MatMul", ElementType::kFloat32, Device::kCpu, make_matmul);
}

}  // namespace casemate::engine
