// SPDX-License-Identifier: Apache-2.0
// Subgraphs as files have them: what they declare, capture and nest, loaded and run.
#include <gtest/gtest.h>

#include "base/format.h"
#include "isolated/engine/run_model.h"
#include "isolated/engine/shape_model.h"

namespace casemate::engine {
namespace {

constexpr int kInteger = onnx::TensorProto::INT64;

// next = v + x, as often as the input "trips" says, or the constant of that name; where x is
// captured. Makes the last of them and all of them.
ModelBuilder repeated_sum(bool rows_declared = true) {
  ModelBuilder body;
  body.input("i", {}, kInteger);
  body.input("go", {}, onnx::TensorProto::BOOL);
  body.input("v", {3}, kInteger);
  body.node("Add", {"v", "x"}, "next");
  body.node("Identity", {"next"}, "row");
  body.output("go", {}, onnx::TensorProto::BOOL);
  body.output("next", {3}, kInteger);
  body.output("row", {3}, kInteger);
  if (!rows_declared) body.graph().mutable_output(2)->clear_type();
  ModelBuilder b;
  b.input("x", {3}, kInteger);
  auto& loop = b.node("Loop", {"trips", "", "x"}, "last");
  loop.add_output("rows");
  set_graph(loop, "body", body);
  b.output("last", {3}, kInteger);
  b.output("rows", {-1, 3}, kInteger);
  return b;
}

Result<Model> loaded(const ModelBuilder& b) {
  const std::string bytes = b.bytes();
  return Model::load(bytes_of(std::string_view(bytes)), {});
}

class HeldIntegers final : public OutputSink {
 public:
  Result<MutableBytes> memory(size_t, ElementType type, const Shape& shape,
                              uint64_t bytes) override {
    EXPECT_EQ(type, ElementType::kInt64);
    shapes.push_back(shape);
    auto& held = values.emplace_back(bytes / sizeof(int64_t));
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(held.data())), bytes);
  }
  std::vector<Shape> shapes;
  std::vector<std::vector<int64_t>> values;
};

TensorView view_of(const Shape& shape, const std::vector<int64_t>& values) {
  return {ElementType::kInt64,
          shape,
          {static_cast<const uint8_t*>(static_cast<const void*>(values.data())),
           values.size() * sizeof(int64_t)}};
}

const std::vector<int64_t> kX = {1, 20, 300};

TEST(ControlFlow, a_loop_that_runs_not_once_makes_what_its_file_declares) {
  ModelBuilder b = repeated_sum();
  b.input("trips", {}, kInteger);
  const auto model = loaded(b);
  ASSERT_TRUE(model) << model.error().text;
  Executor executor = *Executor::make(*model);
  const struct {
    int64_t trips;
    std::vector<int64_t> last;
    std::vector<int64_t> rows;
  } cases[] = {{2, {3, 60, 900}, {2, 40, 600, 3, 60, 900}}, {0, kX, {}}, {INT64_MIN, kX, {}}};
  for (const auto& given : cases) {
    SCOPED_TRACE(given.trips);
    const std::vector<int64_t> trips = {given.trips};
    const TensorView inputs[] = {view_of({3}, kX), view_of({}, trips)};
    HeldIntegers sink;
    const Status ran = executor.run(inputs, sink);
    ASSERT_TRUE(ran) << ran.error().text;
    EXPECT_EQ(sink.values[0], given.last);
    EXPECT_EQ(sink.values[1], given.rows);
    EXPECT_EQ(sink.shapes[1], (Shape{static_cast<int64_t>(given.rows.size()) / 3, 3}));
  }
}

TEST(ControlFlow, a_loop_of_constants_is_folded_to_what_it_would_make) {
  for (const int64_t trips : {0, 2}) {
    ModelBuilder b = repeated_sum();
    b.graph().clear_input();
    b.integers("x", {3}, kX);
    b.integers("trips", {}, {trips});
    const Graph graph = shape_model(b);
    EXPECT_TRUE(graph.nodes().empty()) << graph.text();
    const Tensor* rows = graph.constant(graph.outputs()[1]);
    ASSERT_NE(rows, nullptr);
    EXPECT_EQ(rows->type(), ElementType::kInt64);
    EXPECT_EQ(rows->shape(), (Shape{trips, 3}));
  }
}

TEST(ControlFlow, a_loop_whose_rows_nobody_declares_needs_an_iteration) {
  ModelBuilder b = repeated_sum(false);
  b.input("trips", {}, kInteger);
  const auto model = loaded(b);
  ASSERT_TRUE(model) << model.error().text;
  Executor executor = *Executor::make(*model);
  for (const int64_t count : {1, 0}) {
    const std::vector<int64_t> trips = {count};
    const TensorView inputs[] = {view_of({3}, kX), view_of({}, trips)};
    HeldIntegers sink;
    const Status ran = executor.run(inputs, sink);
    EXPECT_EQ(ran.has_value(), count > 0);
    if (ran) continue;
    EXPECT_TRUE(ran.error().text.starts_with("node 'last' (Loop): without an iteration nothing"))
        << ran.error().text;
  }
}

std::string load_error(const ModelBuilder& b) {
  const auto model = loaded(b);
  return model ? "no error" : model.error().text;
}

TEST(ControlFlow, a_body_that_does_not_fit_its_node_is_refused_when_it_is_loaded) {
  ModelBuilder greedy = repeated_sum();
  greedy.input("trips", {}, kInteger);
  greedy.graph().mutable_node(0)->add_output("extra");
  EXPECT_EQ(load_error(greedy),
            "node 'last' (Loop): its subgraph 'body' makes 3 outputs, the node needs 4");
  greedy.graph().mutable_input()->RemoveLast();
  greedy.integers("trips", {}, {0});
  EXPECT_EQ(load_error(greedy),
            "node 'last' (Loop): its subgraph 'body' makes 3 outputs, the node needs 4");
}

onnx::TensorShapeProto& declared_row(ModelBuilder& b) {
  auto& body = *b.graph().mutable_node(0)->mutable_attribute(0)->mutable_g();
  return *body.mutable_output(2)->mutable_type()->mutable_tensor_type()->mutable_shape();
}

TEST(ControlFlow, what_a_body_declares_beyond_reason_is_in_nobodys_way_when_it_runs) {
  const auto deepen = [](onnx::TensorShapeProto& shape) {
    for (int i = 0; i < 8; ++i) shape.add_dim()->set_dim_value(1);
  };
  const auto negate = [](onnx::TensorShapeProto& shape) {
    shape.mutable_dim(0)->set_dim_value(INT64_MIN);
  };
  using Case = std::pair<void (*)(onnx::TensorShapeProto&), Shape>;
  for (const auto& [spoil, none] : {Case(deepen, Shape{0}), Case(negate, Shape{0, 0})}) {
    ModelBuilder b = repeated_sum();
    spoil(declared_row(b));
    ModelBuilder folded = b;
    b.input("trips", {}, kInteger);
    const auto model = loaded(b);
    ASSERT_TRUE(model) << model.error().text;
    Executor executor = *Executor::make(*model);
    const std::vector<int64_t> trips = {1};
    const TensorView inputs[] = {view_of({3}, kX), view_of({}, trips)};
    HeldIntegers sink;
    const Status ran = executor.run(inputs, sink);
    ASSERT_TRUE(ran) << ran.error().text;
    EXPECT_EQ(sink.values[1], (std::vector<int64_t>{2, 40, 600}));
    // Without an iteration it is all that there is, and says nothing.
    folded.graph().clear_input();
    folded.integers("x", {3}, kX);
    folded.integers("trips", {}, {0});
    const Graph graph = shape_model(folded);
    const Tensor* rows = graph.constant(graph.outputs()[1]);
    ASSERT_NE(rows, nullptr);
    EXPECT_EQ(rows->shape(), none);
  }
}

// x + 1 inside of so many branches, each of which is taken where `go` is true.
ModelBuilder branches(int depth) {
  ModelBuilder b;
  const std::string result = formatted("r{}", depth);
  if (depth == 0) {
    b.integers("one", {}, {1});
    b.node("Add", {"x", "one"}, result);
  } else {
    ModelBuilder other;
    other.node("Neg", {"x"}, "negative");
    other.output("negative", {3}, kInteger);
    auto& node = b.node("If", {"go"}, result);
    set_graph(node, "then_branch", branches(depth - 1));
    set_graph(node, "else_branch", other);
  }
  b.output(result, {3}, kInteger);
  return b;
}

TEST(ControlFlow, branches_inside_each_other_see_what_is_around_them_all) {
  ModelBuilder b = branches(10);
  b.input("x", {3}, kInteger);
  b.input("go", {1}, onnx::TensorProto::BOOL);
  const auto model = loaded(b);
  ASSERT_TRUE(model) << model.error().text;
  Executor executor = *Executor::make(*model);
  for (const uint8_t go : std::initializer_list<uint8_t>{1, 0}) {
    const TensorView inputs[] = {view_of({3}, kX), {ElementType::kBool, {1}, Bytes(&go, 1)}};
    HeldIntegers sink;
    const Status ran = executor.run(inputs, sink);
    ASSERT_TRUE(ran) << ran.error().text;
    EXPECT_EQ(sink.values[0],
              go != 0 ? (std::vector<int64_t>{2, 21, 301}) : (std::vector<int64_t>{-1, -20, -300}));
  }
}

TEST(ControlFlow, branches_inside_too_many_others_are_refused) {
  ModelBuilder b = branches(40);
  b.input("x", {3}, kInteger);
  b.input("go", {1}, onnx::TensorProto::BOOL);
  EXPECT_NE(load_error(b).find("nested too deep"), std::string::npos);
}

// What a function holds is there once for each of its calls: a subgraph's ports, too.
TEST(ControlFlow, ports_of_subgraphs_count_against_the_memory_of_a_model) {
  ModelBuilder branch;
  for (int i = 0; i < 10000; ++i) branch.graph().add_output()->set_name("in");
  ModelBuilder b;
  auto& set = *b.model.add_opset_import();
  set.set_domain("f");
  set.set_version(1);
  auto& function = *b.model.add_functions();
  function.set_name("Choose");
  function.set_domain("f");
  function.add_input("in");
  function.add_input("go");
  function.add_output("out");
  function.add_opset_import()->set_version(17);
  auto& node = *function.add_node();
  node.set_op_type("If");
  node.add_input("go");
  node.add_output("out");
  set_graph(node, "then_branch", branch);
  set_graph(node, "else_branch", branch);
  b.input("x", {3}, kInteger);
  b.input("go", {1}, onnx::TensorProto::BOOL);
  for (int i = 0; i < 200; ++i) b.node("Choose", {"x", "go"}, formatted("y{}", i)).set_domain("f");
  b.output("y0", {3}, kInteger);
  const std::string bytes = b.bytes();
  const auto model =
      Model::load(bytes_of(std::string_view(bytes)), {.memory_bytes_max = 256ull << 20});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kTooLarge);
  EXPECT_NE(model.error().text.find("(If): its subgraph: "), std::string::npos)
      << model.error().text;
}

}  // namespace
}  // namespace casemate::engine
