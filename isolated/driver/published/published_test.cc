// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/published/published.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "isolated/engine/conformance/skips.h"

namespace casemate::driver {
namespace {

constexpr const char* kFolder = "/usr/share/libonnx-testdata/data";

bool quantised(const engine::Case& tested) {
  for (const auto& skip : engine::kSkips) {
    if (tested.name.contains(skip.part)) return false;
  }
  for (const char* part : {"convinteger", "matmulinteger", "qlinear", "quantizelinear"}) {
    if (tested.name.contains(part)) return true;
  }
  return false;
}

TEST(PublishedTests, of_quantised_operators_come_out_right_from_the_accelerator_and_the_processor) {
  if (!std::filesystem::is_directory(kFolder)) GTEST_SKIP() << "ONNX's tests are not installed";
  const auto devices = open_devices("npu:0,cpu:0", {.memory_bytes = 256 << 20});
  ASSERT_TRUE(devices) << devices.error().text;
  int all = 0;
  int on_npu = 0;
  for (const engine::Case& tested : engine::find_cases(kFolder)) {
    if (!quantised(tested)) continue;
    SCOPED_TRACE(tested.name);
    const CaseOutcome outcome = run_case(tested, *devices);
    ++all;
    // It takes one matrix, and scales of 32 bits.
    const bool integers = tested.name.contains("integer") ||
                          (tested.name.contains("qlinear") && !tested.name.contains("3D") &&
                           !tested.name.contains("float16"));
    const bool used = !outcome.nodes.empty() && outcome.nodes[0] > 0;
    on_npu += used ? 1 : 0;
    EXPECT_EQ(used, integers) << outcome.why;
    EXPECT_TRUE(outcome.kind == CaseOutcome::Kind::kRight ||
                outcome.kind == CaseOutcome::Kind::kFolded)
        << outcome.why;
  }
  std::printf("%d of %d cases used the accelerator\n", on_npu, all);
  EXPECT_GT(on_npu, 0);
}

}  // namespace
}  // namespace casemate::driver
