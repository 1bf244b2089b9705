// SPDX-License-Identifier: Apache-2.0
// A model in canonical form, stated again, computes what the model as it was written computes.
#include "isolated/driver/fake/stated.h"

#include "isolated/driver/conformance/pieces.h"
#include "isolated/engine/compiler.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/onnx/read.h"

namespace casemate::driver {
namespace {

using engine::ModelBuilder;
using engine::set_int;
using engine::set_ints;

void compare(const ModelBuilder& model, const char* what) {
  SCOPED_TRACE(what);
  const std::string file = model.bytes();
  const auto read = engine::read_onnx(bytes_of(std::string_view(file)), {});
  ASSERT_TRUE(read) << read.error().text;
  const Shape shape(read->inputs[0].dims);
  engine::Compiler compiler(1 << 30);
  const auto made = compiler.shaped(read->graph, {engine::Fact::of(ElementType::kFloat32, shape)});
  ASSERT_TRUE(made && *made) << (made ? "" : made.error().text);
  const engine::Graph& canonical = **made;
  ASSERT_TRUE(std::ranges::any_of(canonical.nodes(), [](const auto& node) { return !node.raw; }))
      << canonical.text();
  const auto inputs = inputs_for(canonical);
  engine::Interpreter interpreter;
  const auto wanted = interpreter.run(
      read->graph, {engine::Tensor::view(TensorView{ElementType::kFloat32, shape, inputs[0]})});
  ASSERT_TRUE(wanted) << wanted.error().text;
  const auto got = reference(canonical, inputs);
  ASSERT_EQ(got.size(), wanted->size());
  for (size_t i = 0; i < got.size(); ++i) {
    const Bytes bytes = (*wanted)[i].tensor()->bytes();
    expect_near({got[i]}, {ByteList(bytes.begin(), bytes.end())}, 1e-6F);
  }
}

TEST(Stated, movement_computes_what_was_written) {
  {
    ModelBuilder b;
    b.input("x", {2, 3, 8});
    b.output("y", {2, 2, 3});
    b.integers("starts", {2}, {2, -2});
    b.integers("ends", {2}, {0, -100});
    b.integers("axes", {2}, {1, 2});
    b.integers("steps", {2}, {-1, -3});
    b.node("Slice", {"x", "starts", "ends", "axes", "steps"}, "y");
    compare(b, "slices that run backwards");
  }
  {
    ModelBuilder b;
    b.input("x", {2, 8});
    b.output("y", {2, 3});
    b.integers("starts", {1}, {1});
    b.integers("ends", {1}, {7});
    b.integers("axes", {1}, {1});
    b.integers("steps", {1}, {2});
    b.node("Slice", {"x", "starts", "ends", "axes", "steps"}, "y");
    compare(b, "a slice of every other element");
  }
  {
    ModelBuilder b;
    b.input("x", {2, 3});
    b.output("y", {5, 3});
    b.output("z", {4, 2, 3});
    b.output("f", {6});
    b.integers("pads", {4}, {1, 0, 2, 0});
    b.floats("fill", {}, {0.5F});
    b.node("Pad", {"x", "pads", "fill"}, "y");
    b.integers("to", {3}, {4, 1, 3});
    b.node("Expand", {"x", "to"}, "z");
    b.integers("flat", {1}, {-1});
    b.node("Reshape", {"x", "flat"}, "f");
    compare(b, "a pad, an expansion and a reshape");
  }
}

TEST(Stated, reductions_and_bounds_compute_what_was_written) {
  {
    ModelBuilder b;
    b.input("x", {2, 3, 4});
    b.output("a", {2, 1, 4});
    b.output("b", {2, 4});
    b.output("c", {});
    set_ints(b.node("ReduceMean", {"x"}, "a"), "axes", {1});
    auto& dropping = b.node("ReduceMax", {"x"}, "b");
    set_ints(dropping, "axes", {-2});
    set_int(dropping, "keepdims", 0);
    set_int(b.node("ReduceMin", {"x"}, "c"), "keepdims", 0);
    compare(b, "reductions");
  }
  {
    ModelBuilder b;
    b.input("x", {2, 3});
    b.output("y", {2, 3});
    b.output("z", {2, 3});
    b.floats("low", {}, {-0.5F});
    b.floats("high", {}, {0.75F});
    b.node("Clip", {"x", "low", "high"}, "y");
    b.integers("two", {}, {2});
    b.node("Pow", {"x", "two"}, "z");
    compare(b, "bounds, and a power of another type");
  }
  {
    ModelBuilder b(11);
    b.input("x", {2, 3, 4});
    b.output("y", {2, 3, 4});
    set_int(b.node("Softmax", {"x"}, "y"), "axis", 1);
    compare(b, "a softmax of all that is behind an axis");
  }
}

}  // namespace
}  // namespace casemate::driver
