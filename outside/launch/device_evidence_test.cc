// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/device_evidence.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "base/format.h"
#include "outside/launch/builder.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

class DeviceEvidenceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string scratch = "/tmp/casemate-test-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    folder_ = fs::canonical(scratch);
    for (const auto& [kind, index] : {std::pair(DeviceKind::kNone, 0u),
                                      {DeviceKind::kCpu, 0u},
                                      {DeviceKind::kNpu, 0u},
                                      {DeviceKind::kNpu, 1u}}) {
      DeviceDescription& device = d_->partitions[d_->partition_count++].device;
      device.kind = static_cast<uint32_t>(kind);
      device.index = index;
    }
    d_->file_count = 2;
    d_->enclave_count = 1;
    d_->enclaves[0].file_count = 2;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name, size_t size = 100) const {
    std::ofstream(folder_ + "/" + name) << std::string(size, 'e');
    return folder_ + "/" + name;
  }
  std::string added(const std::vector<std::string>& given) {
    const Status done = add_device_evidence(*d_, given);
    return done ? "" : done.error().text;
  }

  std::string folder_;
  std::unique_ptr<SystemDescription> d_ = std::make_unique<SystemDescription>();
};

TEST_F(DeviceEvidenceTest, goes_behind_the_files_of_enclaves_and_to_its_device_alone) {
  const std::string one = file("one");
  const std::string two = file("two", kDeviceEvidenceBytes);
  fs::create_symlink(two, folder_ + "/link");
  EXPECT_EQ(added({"npu:1=" + folder_ + "/link", "npu:0=" + one}), "");
  ASSERT_EQ(d_->file_count, 4u);
  EXPECT_EQ(d_->files[2].source.view(), two);
  EXPECT_EQ(d_->files[3].source.view(), one);
  const uint32_t expected[] = {0, 0, 4, 3};
  for (uint32_t p = 0; p < 4; ++p) EXPECT_EQ(d_->partitions[p].device.evidence, expected[p]) << p;
}

TEST_F(DeviceEvidenceTest, is_refused_for_what_is_no_accelerator_of_a_partition) {
  const std::string path = file("f");
  EXPECT_TRUE(added({"cpu:0=" + path}).contains("name an accelerator"));
  EXPECT_TRUE(added({"none=" + path}).contains("name an accelerator"));
  for (const char* device : {"gpu:0", "npu", "npu:", "npu:x", "npu:16", "npu:00", "npu:0 ", ""})
    EXPECT_TRUE(added({device + ("=" + path)}).contains("one of npu:0 to npu:15")) << device;
  EXPECT_TRUE(added({path}).contains("DEVICE=FILE"));
  EXPECT_TRUE(added({"npu:2=" + path}).contains("there are: npu:0, npu:1;"));
  EXPECT_TRUE(added({"npu:0=" + path, "npu:0=" + path}).contains("evidence already"));
  d_->partition_count = 2;
  EXPECT_TRUE(added({"opencl:0=" + path}).contains("there are: none;"));
}

TEST_F(DeviceEvidenceTest, is_a_file_that_is_there_and_neither_empty_nor_too_large) {
  EXPECT_TRUE(added({"npu:0=" + folder_ + "/nobody"}).contains("no such file"));
  EXPECT_TRUE(added({"npu:0=" + folder_}).contains("no such file"));
  EXPECT_TRUE(added({"npu:0="}).contains("no such file"));
  EXPECT_TRUE(added({"npu:0"}).contains("no such file"));
  EXPECT_TRUE(added({"npu:0=" + file("empty", 0)}).contains("empty"));
  EXPECT_TRUE(
      added({"npu:0=" + file("large", kDeviceEvidenceBytes + 1)}).contains("at most 32768"));
  const std::string deep =
      folder_ + "/" + std::string(100, 'a') + "/" + std::string(100, 'b') + "/";
  fs::create_directories(deep);
  const std::string far = deep + std::string(60, 'c');
  std::ofstream(far) << "e";
  EXPECT_TRUE(added({"npu:0=" + far}).contains("move the file up"));
  d_->file_count = static_cast<uint32_t>(d_->files.size());
  EXPECT_TRUE(added({"npu:0=" + file("f")}).contains("too many files"));
}

TEST_F(DeviceEvidenceTest, names_programs_by_every_file_and_where_it_is) {
  const std::string one = file("one");
  const std::string two = file("two", 200);
  const auto measured = [](const std::vector<Placed>& files) {
    const auto digest = measurement_of(files);
    EXPECT_TRUE(digest) << digest.error().text;
    return digest ? to_hex(*digest) : "";
  };
  const std::string content(100, 'e');
  EXPECT_EQ(measured({{one, "/bin/one"}}),
            to_hex(Sha384()
                       .field(bytes_of(std::string_view("/bin/one")))
                       .field(sha384(bytes_of(std::string_view(content))))
                       .finish()));
  const std::string both = measured({{one, "/bin/one"}, {two, "/lib/two"}});
  EXPECT_NE(both, measured({{one, "/bin/one"}}));
  EXPECT_NE(both, measured({{two, "/lib/two"}, {one, "/bin/one"}}));
  EXPECT_NE(both, measured({{one, "/bin/one"}, {two, "/lib/other"}}));
  EXPECT_FALSE(measurement_of(std::vector<Placed>{{folder_ + "/nobody", "/bin/one"}}));
}

}  // namespace
}  // namespace casemate::launch
