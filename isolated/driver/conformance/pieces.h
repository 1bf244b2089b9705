// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: small pieces, what they compute by the operators' own functions, and what a device
// makes of them.

#include <gtest/gtest.h>

#include "isolated/driver/driver.h"
#include "isolated/driver/fake/stated.h"
#include "isolated/engine/interpret/interpreter.h"
#include "isolated/engine/passes/pass_graphs.h"

namespace casemate::driver {

using Floats = std::vector<float>;
using ByteList = std::vector<uint8_t>;

// Long enough for anything here, on any machine: a test that gets there has failed.
inline Instant in_the_end() { return system_clock().now() + std::chrono::seconds(100); }
inline Instant at_once() { return Instant{}; }

inline bool done_or_cancelled(const Status& ended) {
  return ended || ended.error().code == Code::kCancelled;
}

inline ByteList bytes_from(const Floats& values) {
  ByteList bytes(values.size() * sizeof(float));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}
inline Floats floats_from(const ByteList& bytes) {
  Floats values(bytes.size() / sizeof(float));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
inline ByteList pattern(size_t count, uint8_t first = 1) {
  ByteList bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(first + i * 7);
  return bytes;
}

// Numbers for all inputs of a piece, by type: reals, bytes of every kind, or zeros, which index
// something.
inline std::vector<ByteList> inputs_for(const engine::Graph& piece) {
  std::vector<ByteList> inputs;
  int next = 3;
  for (const engine::ValueId id : piece.inputs()) {
    const engine::Value& value = piece.value(id);
    const uint64_t bytes = *engine::tensor_bytes(value.type, value.shapes.front());
    if (value.type == ElementType::kInt8 || value.type == ElementType::kUint8) {
      inputs.push_back(pattern(bytes, static_cast<uint8_t>(next++)));
      continue;
    }
    if (value.type != ElementType::kFloat32) {
      inputs.emplace_back(bytes, uint8_t{0});
      continue;
    }
    Floats values(bytes / sizeof(float));
    for (float& each : values) each = static_cast<float>(next++ * 5 % 17) / 4 - 2;
    inputs.push_back(bytes_from(values));
  }
  return inputs;
}

// What the operators' own functions make.
inline std::vector<ByteList> reference(const engine::Graph& piece,
                                       const std::vector<ByteList>& inputs) {
  const engine::Graph stated = as_stated(piece);
  std::vector<engine::Datum> data;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const engine::Value& value = stated.value(stated.inputs()[i]);
    data.emplace_back(
        engine::Tensor::view(TensorView{value.type, value.shapes.front(), Bytes(inputs[i])}));
  }
  engine::Interpreter interpreter;
  const auto outputs = interpreter.run(stated, std::move(data));
  CHECK(outputs.has_value(), outputs ? "" : outputs.error().text.c_str());
  std::vector<ByteList> made;
  for (size_t i = 0; i < outputs->size(); ++i) {
    const engine::Tensor& output = *(*outputs)[i].tensor();
    EXPECT_EQ(output.shape(), piece.value(piece.outputs()[i]).shapes.front());
    const Bytes bytes = output.bytes();
    made.emplace_back(bytes.begin(), bytes.end());
  }
  return made;
}

// Buffers for the inputs and outputs of a piece.
struct Operands {
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;

  static Result<Operands> make(Device& device, const engine::Graph& piece) {
    Operands made;
    for (const bool out : {false, true}) {
      for (const engine::ValueId id : out ? piece.outputs() : piece.inputs()) {
        const engine::Value& value = piece.value(id);
        const uint64_t bytes = TRY(engine::tensor_bytes(value.type, value.shapes.front()));
        made.buffers.push_back(TRY(device.make_buffer(bytes)));
        (out ? made.outputs : made.inputs).push_back({made.buffers.back().get(), 0});
      }
    }
    return made;
  }
};

// What a device makes of a piece that it has compiled.
inline Result<std::vector<ByteList>> run_on(Device& device, Queue& queue,
                                            const engine::Graph& piece, Program program,
                                            const std::vector<ByteList>& inputs) {
  const Operands operands = TRY(Operands::make(device, piece));
  for (size_t i = 0; i < inputs.size(); ++i)
    TRY(TRY(queue.write(*operands.inputs[i].buffer, 0, inputs[i]))->wait(in_the_end()));
  TRY(TRY(queue.run(program, operands.inputs, operands.outputs))->wait(in_the_end()));
  std::vector<ByteList> outputs;
  for (const Operand& output : operands.outputs) {
    outputs.emplace_back(output.buffer->bytes());
    TRY(TRY(queue.read(*output.buffer, 0, outputs.back()))->wait(in_the_end()));
  }
  return outputs;
}

inline Result<std::vector<ByteList>> run_on(Device& device, const engine::Graph& piece,
                                            const std::vector<ByteList>& inputs) {
  const Program program = TRY(device.compile(piece));
  const auto queue = TRY(device.make_queue());
  auto outputs = TRY(run_on(device, *queue, piece, program, inputs));
  device.drop(program);
  return outputs;
}

inline void expect_near(const std::vector<ByteList>& got, const std::vector<ByteList>& wanted,
                        float tolerance = 1e-4F) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const Floats a = floats_from(got[i]);
    const Floats b = floats_from(wanted[i]);
    ASSERT_EQ(a.size(), b.size()) << "output " << i;
    for (size_t k = 0; k < a.size(); ++k)
      ASSERT_NEAR(a[k], b[k], tolerance * (1 + std::abs(b[k]))) << "output " << i << ", " << k;
  }
}

// Reals nearly, integers as they are.
inline void expect_results(const engine::Graph& piece, const std::vector<ByteList>& got,
                           const std::vector<ByteList>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    SCOPED_TRACE(i);
    if (piece.value(piece.outputs()[i]).type == ElementType::kFloat32) {
      expect_near({got[i]}, {wanted[i]});
    } else {
      EXPECT_EQ(got[i], wanted[i]);
    }
  }
}

// y = x + x
inline engine::Graph doubling(const Shape& shape = {4, 5}) {
  engine::Draft d;
  const engine::ValueId x = d.input(shape);
  return d.finish({d.add(x, x)});
}

// A constant of bytes of every kind.
inline engine::ValueId constant_bytes(engine::Draft& d, const char* name, ElementType type,
                                      const Shape& shape, uint8_t first) {
  engine::Tensor tensor = *engine::Tensor::zeros(type, shape);
  std::ranges::copy(pattern(tensor.count(), first), tensor.mutable_bytes().begin());
  return d.graph.add_constant(name, std::move(tensor));
}

// Signed rows by a signed matrix whose columns have zero points of their own.
inline engine::Graph integer_product(int64_t rows, int64_t depth, int64_t columns) {
  engine::Draft d;
  using enum ElementType;
  const engine::ValueId x = d.graph.add_input({"x", kInt8, {Shape{rows, depth}}});
  const engine::ValueId w = constant_bytes(d, "w", kInt8, {depth, columns}, 3);
  const engine::ValueId x_zero = constant_bytes(d, "x_zero", kInt8, {}, 5);
  const engine::ValueId w_zeros = constant_bytes(d, "w_zeros", kInt8, {columns}, 11);
  return d.finish({d.graph.add_node(
      {.op = "MatMulInteger", .name = "product", .inputs = {x, w, x_zero, w_zeros}},
      {{"sums", kInt32, {Shape{rows, columns}}}})});
}

// 3x3 over unsigned bytes, in steps of two along one axis, padded by its zero point on two sides.
inline engine::Graph integer_convolution() {
  engine::Draft d;
  using enum ElementType;
  const engine::ValueId x = d.graph.add_input({"x", kUint8, {Shape{1, 5, 8, 7}}});
  const engine::ValueId w = constant_bytes(d, "w", kInt8, {6, 5, 3, 3}, 9);
  const engine::ValueId zero = constant_bytes(d, "zero", kUint8, {}, 131);
  return d.finish({d.graph.add_node({.op = "ConvInteger",
                                     .name = "convolution",
                                     .inputs = {x, w, zero},
                                     .attributes = {{"kernel_shape", engine::Ints{3, 3}},
                                                    {"pads", engine::Ints{1, 0, 0, 1}},
                                                    {"strides", engine::Ints{2, 1}},
                                                    {"dilations", engine::Ints{1, 1}}}},
                                    {{"sums", kInt32, {Shape{1, 6, 4, 6}}}})});
}

inline bool takes_all(const Device& device, const engine::Graph& piece) {
  return std::ranges::all_of(piece.nodes(), [&](const engine::Node& node) {
    return device.takes(piece, node).has_value();
  });
}

// A piece that the device takes, of one input and one output of 4 * n * n bytes each: the sum of a
// number with itself, or, of bytes alone, a product.
inline engine::Graph square(const Device& device, int64_t n) {
  engine::Graph sum = doubling({n, n});
  return takes_all(device, sum) ? std::move(sum) : integer_product(n, 4 * n, n);
}

// Rows of a constant table, by indices that may point nowhere.
inline engine::Graph table(int64_t rows, int64_t wanted) {
  engine::Draft d;
  const engine::ValueId indices =
      d.graph.add_input({"indices", ElementType::kInt64, {Shape{wanted}}});
  engine::Node node{.op = "Gather", .name = "gather", .inputs = {d.weights({rows, 3}), indices}};
  node.raw = true;
  const engine::ValueId made =
      d.graph.add_node(std::move(node), {{"rows", ElementType::kFloat32, {Shape{wanted, 3}}}});
  return d.finish({made});
}

struct Piece {
  const char* what;
  engine::Graph graph;
};

inline std::vector<Piece> small_pieces() {
  const Shape image{1, 4, 6, 6};
  std::vector<Piece> pieces;
  pieces.push_back({"a sum", doubling()});
  pieces.push_back({"a sum of nothing", doubling({0, 3})});
  pieces.push_back({"a sum of scalars", doubling(Shape{})});
  {
    engine::Draft d;
    pieces.push_back({"a rectifier", d.finish({d.same("Relu", d.input({3, 17}))})});
  }
  {
    engine::Draft d;
    const engine::ValueId x = d.input({3, 8});
    pieces.push_back(
        {"a product by constants", d.finish({d.node("MatMul", {x, d.weights({8, 5})}, {3, 5})})});
  }
  {
    engine::Draft d;
    const engine::ValueId a = d.input({3, 8});
    const engine::ValueId b = d.input({8, 5});
    pieces.push_back({"a product of two inputs", d.finish({d.node("MatMul", {a, b}, {3, 5})})});
  }
  {
    engine::Draft d;
    pieces.push_back({"a convolution", d.finish({d.convolution(d.input(image), 6, true)})});
  }
  {
    engine::Draft d;
    const engine::ValueId x = d.input(image);
    const engine::ValueId r = d.same("Relu", d.convolution(x, 4));
    pieces.push_back({"a residual with two results",
                      d.finish({d.same("Relu", d.add(d.convolution(r, 4), x)), r})});
  }
  {
    engine::Draft d;
    const engine::ValueId flat = d.node("Reshape", {d.same("Tanh", d.input(image))}, {1, 144});
    pieces.push_back({"a flattened image",
                      d.finish({d.node("Gemm", {flat, d.weights({144, 7}), d.weights({7})}, {1, 7},
                                       {{"transA", int64_t{0}}, {"transB", int64_t{0}}})})});
  }
  pieces.push_back({"a product of bytes", integer_product(5, 70, 19)});
  pieces.push_back({"a convolution of bytes", integer_convolution()});
  return pieces;
}

}  // namespace casemate::driver
