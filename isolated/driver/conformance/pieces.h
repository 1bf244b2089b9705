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

// Numbers for all inputs of a piece, by type.
inline std::vector<ByteList> inputs_for(const engine::Graph& piece) {
  std::vector<ByteList> inputs;
  int next = 3;
  for (const engine::ValueId id : piece.inputs()) {
    const engine::Value& value = piece.value(id);
    const uint64_t bytes = *engine::tensor_bytes(value.type, value.shapes.front());
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

// y = x + x
inline engine::Graph doubling(const Shape& shape = {4, 5}) {
  engine::Draft d;
  const engine::ValueId x = d.input(shape);
  return d.finish({d.add(x, x)});
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
  return pieces;
}

}  // namespace casemate::driver
