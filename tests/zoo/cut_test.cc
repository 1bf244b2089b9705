// SPDX-License-Identifier: Apache-2.0
// Models of `casemate zoo`, cut over devices: results are those of the whole.
#include <gtest/gtest.h>

#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/devices/plan_over.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/engine/compiler.h"
#include "isolated/engine/onnx/read.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/model_stream.h"
#include "outside/zoo/zoo.h"

namespace casemate {
namespace {

using driver::OpenDevice;

std::string bytes_of_model(const zoo::Graph& graph) {
  std::string bytes;
  const Status done = zoo::ModelStream(graph, 1).write([&](Bytes piece) -> Status {
    bytes += text_of(piece);
    return {};
  });
  CHECK(done.has_value(), "a string takes everything");
  return bytes;
}

// The graph for one picture; the others of the shape are the model's.
engine::Graph shaped(const std::string& bytes, const Shape& picture) {
  auto read = engine::read_onnx(bytes_of(std::string_view(bytes)), {});
  CHECK(read.has_value(), "what the zoo writes can be read");
  engine::Compiler compiler(1 << 30);
  auto made = compiler.shaped(read->graph, {engine::Fact::of(ElementType::kFloat32, picture)});
  CHECK(made.has_value() && made->has_value(), "its shapes are known");
  return **std::move(made);
}

driver::PlanOver planned(const engine::Graph& graph, OpenDevice other) {
  std::vector<OpenDevice> devices;
  devices.push_back({"cpu:0", driver::make_cpu({.memory_bytes = 256 << 20})});
  const std::string name = other.name;
  devices.push_back(std::move(other));
  auto plan = driver::plan_over(graph, devices,
                                {.measure = {.rounds = 1},
                                 .rounds = 1,
                                 .prefer = name,
                                 .whole = {.memory_bytes = 256 << 20}});
  CHECK(plan.has_value(), plan ? "" : plan.error().text.c_str());
  return *std::move(plan);
}

size_t nodes_on(const driver::PlanOver& plan, size_t device) {
  size_t count = 0;
  for (const driver::CutPiece& piece : plan.cut.cut.pieces)
    count += piece.device == device ? piece.nodes.size() : 0;
  return count;
}

TEST(CutModel, of_the_zoo_computes_on_two_devices_what_it_computes_as_a_whole) {
  for (const auto& [name, picture, least] :
       {std::tuple("lenet-5", Shape{1, 1, 32, 32}, 2u),
        std::tuple("squeezenet", Shape{1, 3, 224, 224}, 11u)}) {
    SCOPED_TRACE(name);
    const engine::Graph graph =
        shaped(bytes_of_model(zoo::find_architecture(name)->build()), picture);
    auto fake = *driver::make_fake(
        {.memory_bytes = 256 << 20, .operators = {"MaxPool", "AveragePool", "Concat", "Tanh"}});
    const driver::PlanOver plan = planned(graph, {"fake:0", std::move(fake)});
    EXPECT_GE(nodes_on(plan, 1), least) << plan.cut.cut.text(graph);
    EXPECT_GE(plan.cut.cut.pieces.size(), 2 * least - 3) << plan.cut.cut.text(graph);
    EXPECT_LT(plan.agreement.difference_max, 1e-5);
  }
}

}  // namespace
}  // namespace casemate
