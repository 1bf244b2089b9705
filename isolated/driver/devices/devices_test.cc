// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/devices/devices.h"

#include "base/format.h"
#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/opencl/device/kernel_cache.h"

namespace casemate::driver {
namespace {

Code refusal_of(std::string_view names) {
  const auto open = open_devices(names);
  return open ? Code::kOk : open.error().code;
}

TEST(Devices, are_opened_by_name_in_the_order_named) {
  const auto open = open_devices("fake:0,cpu:0", {.memory_bytes = 4 << 20});
  ASSERT_TRUE(open) << open.error().text;
  ASSERT_EQ(open->size(), 2u);
  EXPECT_EQ((*open)[0].name, "fake:0");
  EXPECT_EQ((*open)[0].device->kind(), "fake");
  EXPECT_EQ((*open)[1].device->kind(), "cpu");
  EXPECT_EQ((*open)[1].device->limits().memory_bytes, 4u << 20);
}

TEST(Devices, that_are_none_are_refused_with_what_there_is) {
  for (const char* wrong : {"", "cpu", "cpu:", ":0", "cpu:0,", ",cpu:0", "cpu:-1", "cpu:0x",
                            "cpu: 0", "cpu:99999999999", "cpu:0,cpu:0"})
    EXPECT_EQ(refusal_of(wrong), Code::kInvalid) << wrong;
  EXPECT_EQ(refusal_of("cpu:1"), Code::kNotFound);
  EXPECT_EQ(refusal_of("cuda:0"), Code::kUnsupported);
  EXPECT_EQ(open_devices("cuda:0").error().text,
            "this build has no driver for 'cuda': it has cpu, fake and opencl");
}

TEST(Devices, of_opencl_are_numbered_by_platform_and_device) {
  const uint32_t count = opencl_device_count();
  EXPECT_EQ(refusal_of(formatted("opencl:{}", count)), Code::kNotFound);
  if (count == 0) GTEST_SKIP() << kNoOpencl;
  const auto open = open_devices("cpu:0,opencl:0", {.memory_bytes = 8 << 20});
  ASSERT_TRUE(open) << open.error().text;
  EXPECT_EQ((*open)[1].device->kind(), "opencl");
  EXPECT_EQ((*open)[1].device->limits().memory_bytes, 8u << 20);
}

TEST(PlanOver, has_the_costs_of_each_device_and_a_time_for_each_piece) {
  engine::Draft d;
  const engine::ValueId x = d.same("Relu", d.convolution(d.input({1, 4, 8, 8}), 8));
  const engine::Graph graph = d.finish({d.same("Tanh", x)});
  const auto devices = open_devices("cpu:0,fake:0", {.memory_bytes = 32 << 20});
  ASSERT_TRUE(devices);
  const auto plan = plan_over(graph, *devices, {.measure = {.rounds = 1}, .rounds = 2});
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->costs.size(), 2u);
  EXPECT_EQ(plan->costs[0].nodes.size(), 3u);
  ASSERT_GE(plan->cut.pieces.size(), 1u);
  ASSERT_EQ(plan->measured_ns.size(), plan->cut.pieces.size());
  for (const double ns : plan->measured_ns) EXPECT_GT(ns, 0);
  EXPECT_TRUE(plan->cut.text(graph, plan->measured_ns).contains(", measured "));
}

TEST(PlanOver, says_which_device_failed) {
  engine::Draft d;
  const engine::Graph graph = d.finish({d.same("Relu", d.input({4}))});
  std::vector<OpenDevice> devices;
  devices.push_back({"fake:7", *make_fake({.fault_at = 2})});
  const auto plan = plan_over(graph, devices);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kPlatform);
  EXPECT_TRUE(plan.error().text.starts_with("fake:7: ")) << plan.error().text;
}

}  // namespace
}  // namespace casemate::driver
