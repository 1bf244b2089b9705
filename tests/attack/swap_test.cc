// SPDX-License-Identifier: Apache-2.0
// Files that change after they were measured. The monitor has copies of its own: what runs, and
// what starts again, is what the measurements say.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

TEST(Swap, of_a_model_file_after_it_was_measured_changes_nothing) {
  SmallSystem system({{"model", "p1"}}, [](SystemDescription& d) {
    // Every start loads again: no standby has read the file before it was swapped.
    for (uint32_t p = 0; p < d.partition_count; ++p) d.partitions[p].standby = 0;
  });
  ASSERT_TRUE(system.answers("model"));
  const auto measured = system.enclave("model").model_measurement;
  const fs::path file = system.folder() + "/models/model";
  uint32_t epoch = 1;
  const auto expect_unchanged = [&](const char* how) {
    ASSERT_TRUE(system.kill("p1"));
    ASSERT_TRUE(system.started("p1", ++epoch)) << how;
    EXPECT_TRUE(system.answers("model")) << how;
    EXPECT_EQ(system.enclave("model").model_measurement, measured) << how;
  };
  std::ofstream(file) << "refuse";
  expect_unchanged("written in place");
  std::ofstream(file.string() + ".new") << "refuse";
  fs::rename(file.string() + ".new", file);
  expect_unchanged("renamed over");
  fs::remove(file);
  fs::create_symlink("/etc/passwd", file);
  expect_unchanged("a link to another");
  fs::remove(file);
  expect_unchanged("removed");
}

TEST(Swap, of_a_model_file_is_seen_by_the_next_system) {
  const auto measure = [](const char* behaviour) {
    SmallSystem system({{"model", "p1", behaviour}});
    EXPECT_TRUE(eventually([&] { return system.enclave("model").state != 0; }));
    return system.enclave("model");
  };
  const auto fine = measure("fine");
  EXPECT_EQ(measure("fine").model_measurement, fine.model_measurement);
  const auto other = measure("fine!");
  EXPECT_NE(other.model_measurement, fine.model_measurement);
  EXPECT_EQ(other.program_measurement, fine.program_measurement);
}

}  // namespace
}  // namespace casemate::tests
