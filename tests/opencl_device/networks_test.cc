// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/cut/cut_runner.h"
#include "isolated/driver/opencl/device/kernel_cache.h"
#include "isolated/engine/compiler.h"
#include "isolated/engine/onnx/read.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/model_stream.h"
#include "outside/zoo/zoo.h"

namespace casemate {
namespace {

using driver::Cut;
using driver::Device;
using engine::Graph;

// The network in canonical form, for one image of that extent.
Graph network(const char* name, int64_t channels, int64_t extent) {
  const zoo::Graph drawn = zoo::find_architecture(name)->build();
  std::string bytes;
  const Status done = zoo::ModelStream(drawn, 1).write([&](Bytes piece) -> Status {
    bytes += text_of(piece);
    return {};
  });
  CHECK(done.has_value(), "a string takes everything");
  const auto read = engine::read_onnx(bytes_of(std::string_view(bytes)), {});
  CHECK(read.has_value(), "the zoo's files can be read");
  engine::Compiler compiler(4ull << 30);
  auto made = compiler.shaped(
      read->graph, {engine::Fact::of(ElementType::kFloat32, Shape{1, channels, extent, extent})});
  CHECK(made && *made, "shapes decide all of a network");
  return **std::move(made);
}

std::vector<float> image(const Graph& graph) {
  const Shape& shape = graph.value(graph.inputs()[0]).shapes.front();
  std::vector<float> values(*shape.element_count());
  zoo::NumberStream(7, "image").fill({}, 0, values);
  return values;
}

std::vector<float> run(const Graph& graph, const Cut& cut, const std::vector<Device*>& devices) {
  auto runner = driver::CutRunner::make(graph, cut, devices);
  EXPECT_TRUE(runner) << runner.error().text;
  if (!runner) return {};
  const std::vector<float> from = image(graph);
  std::vector<float> to(*graph.value(graph.outputs()[0]).shapes.front().element_count());
  const Bytes in(static_cast<const uint8_t*>(static_cast<const void*>(from.data())),
                 from.size() * sizeof(float));
  const MutableBytes out(static_cast<uint8_t*>(static_cast<void*>(to.data())),
                         to.size() * sizeof(float));
  const Status done = runner->run(std::span(&in, 1), std::span(&out, 1),
                                  system_clock().now() + std::chrono::seconds(100));
  EXPECT_TRUE(done) << done.error().text;
  return to;
}

void expect_close(const std::vector<float>& got, const std::vector<float>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  double square = 0;
  for (const float value : wanted) square += double{value} * value;
  const double size = std::sqrt(square / static_cast<double>(wanted.size()));
  ASSERT_GT(size, 0);
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 1e-3 * size) << i;
}

void compare(const char* name, int64_t channels, int64_t extent) {
  if (driver::opencl_device_count() == 0) GTEST_SKIP() << driver::kNoOpencl;
  const Graph graph = network(name, channels, extent);
  const auto cpu = driver::make_cpu();
  const auto opencl = driver::make_opencl();
  ASSERT_TRUE(opencl) << opencl.error().text;
  const driver::MeasureOptions quickly{.rounds = 1};
  const auto on_cpu = driver::measure(*cpu, graph, quickly);
  const auto on_opencl = driver::measure(**opencl, graph, quickly);
  ASSERT_TRUE(on_cpu) << on_cpu.error().text;
  ASSERT_TRUE(on_opencl) << on_opencl.error().text;
  EXPECT_TRUE(on_opencl->refused.empty()) << on_opencl->text();
  const driver::Candidate first = candidate("cpu:0", *cpu, *on_cpu, graph);
  const driver::Candidate second = candidate("opencl:0", **opencl, *on_opencl, graph);
  const std::vector<float> wanted = run(graph, *driver::make_cut(graph, {first}), {cpu.get()});
  {
    SCOPED_TRACE("all of it on opencl:0");
    expect_close(run(graph, *driver::make_cut(graph, {second}), {opencl->get()}), wanted);
  }
  // Where nodes alternate, every value crosses.
  driver::Candidate odd = second;
  driver::Candidate even = first;
  for (size_t i = 0; i < graph.nodes().size(); ++i)
    (i % 3 == 0 ? odd : even).refusals[i] = "it is the other's turn";
  const auto cut = driver::make_cut(graph, {even, odd});
  ASSERT_TRUE(cut) << cut.error().text;
  EXPECT_GE(cut->pieces.size(), 3u);
  expect_close(run(graph, *cut, {cpu.get(), opencl->get()}), wanted);
  const auto cheapest = driver::make_cut(graph, {first, second});
  ASSERT_TRUE(cheapest) << cheapest.error().text;
  expect_close(run(graph, *cheapest, {cpu.get(), opencl->get()}), wanted);
}

TEST(OpenclNetworks, lenet_5_computes_what_the_processor_computes) { compare("lenet-5", 1, 32); }
TEST(OpenclNetworks, squeezenet_computes_what_the_processor_computes) {
  compare("squeezenet", 3, 64);
}
TEST(OpenclNetworks, mobilenet_v1_computes_what_the_processor_computes) {
  compare("mobilenet-v1", 3, 64);
}

}  // namespace
}  // namespace casemate
