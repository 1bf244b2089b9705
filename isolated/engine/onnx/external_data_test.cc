// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/external_data.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/onnx/read.h"

namespace casemate::engine {
namespace {

namespace fs = std::filesystem;

// A folder of its own with inner/weights.bin (16 bytes) and, beside inner, secret.bin.
class ExternalDataTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "external-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    fs::create_directory(root_ / "inner");
    fs::create_directory(root_ / "inner/sub");
    write("inner/weights.bin", "0123456789abcdef");
    write("inner/sub/deep.bin", "deep");
    write("secret.bin", "sixteen byte key");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(root_ / name) << content;
  }

  Result<std::string> read(const std::string& location, int64_t offset = 0,
                           int64_t length = -1) const {
    return ExternalData::make((root_ / "inner").string())->read(location, offset, length, 1 << 20);
  }
  void expect_denied(const std::string& location, std::string_view words) const {
    const auto refused = read(location);
    ASSERT_FALSE(refused) << location << " gave " << *refused;
    EXPECT_NE(refused.error().text.find(words), std::string::npos) << refused.error().text;
  }

  fs::path root_;
};

TEST_F(ExternalDataTest, reads_below_the_folder) {
  EXPECT_EQ(*read("weights.bin"), "0123456789abcdef");
  EXPECT_EQ(*read("weights.bin", 4, 3), "456");
  EXPECT_EQ(*read("weights.bin", 16), "");
  EXPECT_EQ(*read("sub/deep.bin"), "deep");
  EXPECT_EQ(*read("sub/../weights.bin", 0, 1), "0");
}

TEST_F(ExternalDataTest, does_not_leave_the_folder_by_name) {
  expect_denied("../secret.bin", "leads out of the model's folder");
  expect_denied("sub/../../secret.bin", "leads out of the model's folder");
  expect_denied("a/../../b", "");
  expect_denied((root_ / "secret.bin").string(), "leads out of the model's folder");
  expect_denied("/dev/zero", "leads out");
  expect_denied("/proc/self/mem", "leads out");
  expect_denied("", "is no file name");
  expect_denied(std::string("weights.bin\0x", 13), "is no file name");
}

TEST_F(ExternalDataTest, does_not_leave_the_folder_by_links) {
  fs::create_symlink("../secret.bin", root_ / "inner/link");
  fs::create_symlink("weights.bin", root_ / "inner/harmless");
  fs::create_directory_symlink("..", root_ / "inner/up");
  expect_denied("link", "symbolic link");
  expect_denied("harmless", "symbolic link");
  expect_denied("up/secret.bin", "symbolic link");
}

TEST_F(ExternalDataTest, reads_hard_links_for_every_file_of_a_jail_is_one) {
  fs::create_hard_link(root_ / "inner/weights.bin", root_ / "stored");
  EXPECT_EQ(*read("weights.bin"), "0123456789abcdef");
}

TEST_F(ExternalDataTest, reads_plain_files_only_and_never_waits) {
  ASSERT_EQ(::mkfifo((root_ / "inner/fifo").c_str(), 0600), 0);
  expect_denied("fifo", "is not a regular file");
  expect_denied("sub", "is not a regular file");
  expect_denied(".", "is not a regular file");
  expect_denied("missing.bin", "there is no such file");
}

TEST_F(ExternalDataTest, reads_only_what_the_file_has) {
  for (const auto& [offset, length] :
       {std::pair<int64_t, int64_t>{17, 0}, {0, 17}, {16, 1}, {INT64_MAX, 1}, {1, INT64_MAX}}) {
    EXPECT_EQ(read("weights.bin", offset, length).error().code, Code::kInvalid);
  }
  EXPECT_EQ(
      ExternalData::make((root_ / "inner").string())->read("weights.bin", 0, -1, 15).error().code,
      Code::kTooLarge);
}

TEST_F(ExternalDataTest, reads_nothing_without_a_folder) {
  EXPECT_EQ(ExternalData::make("")->read("weights.bin", 0, -1, 100).error().code, Code::kDenied);
  EXPECT_FALSE(ExternalData::make((root_ / "none").string()));
}

// Somebody else cuts the file and makes it grow again while it is read.
TEST_F(ExternalDataTest, says_when_a_file_became_shorter_while_it_was_read) {
  constexpr int64_t kBytes = 32 << 20;
  const fs::path path = root_ / "inner/weights.bin";
  std::jthread writer([&](const std::stop_token& stop) {
    for (uint64_t size = 0; !stop.stop_requested(); size = size == 0 ? kBytes : 0) {
      fs::resize_file(path, size);  // sparse: no disk
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  const ExternalData external = *ExternalData::make((root_ / "inner").string());
  bool seen = false;
  for (int i = 0; i < 2000 && !seen; ++i) {
    const auto result = external.read("weights.bin", 0, kBytes, kBytes);
    if (result) {
      EXPECT_EQ(result->size(), static_cast<size_t>(kBytes));
      continue;
    }
    EXPECT_EQ(result.error().code, Code::kInvalid) << result.error().text;
    seen = result.error().text.contains("became shorter while it was read");
    EXPECT_TRUE(seen || result.error().text.contains("pass its end")) << result.error().text;
  }
  EXPECT_TRUE(seen);
}

// y = x + w, w four floats of external data described by these entries.
ModelBuilder external_model(const std::vector<std::pair<std::string, std::string>>& entries) {
  ModelBuilder b;
  b.input("x", {4});
  b.output("y", {4});
  b.node("Add", {"x", "w"}, "y");
  auto& tensor = b.floats("w", {4}, {});
  tensor.clear_raw_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  return b;
}

TEST_F(ExternalDataTest, a_model_gets_its_weights_from_a_file_beside_it) {
  const std::string bytes =
      external_model({{"location", "weights.bin"}, {"offset", "0"}, {"length", "16"}}).bytes();
  const auto model =
      read_onnx(bytes_of(std::string_view(bytes)), {.directory = (root_ / "inner").string()});
  ASSERT_TRUE(model) << model.error().text;
  const Tensor* weights = model->graph.constant(model->graph.nodes()[0].inputs[1]);
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(text_of(weights->bytes()), "0123456789abcdef");
}

TEST_F(ExternalDataTest, a_model_is_refused_with_the_tensor_and_the_reason) {
  const struct {
    std::vector<std::pair<std::string, std::string>> entries;
    std::string words;
  } cases[] = {
      {{{"location", "../secret.bin"}},
       "initializer 'w': external data '../secret.bin': leads out"},
      {{{"location", "weights.bin"}, {"offset", "-1"}}, "offset '-1', which is no number"},
      {{{"location", "weights.bin"}, {"offset", "9223372036854775808"}}, "which is no number"},
      {{{"location", "weights.bin"}, {"offset", "0x10"}}, "which is no number"},
      {{{"location", "weights.bin"}, {"offset", " 1"}}, "which is no number"},
      {{{"location", "weights.bin"}, {"offset", "9223372036854775807"}}, "pass its end"},
      {{{"location", "weights.bin"}, {"offset", "8"}}, "pass its end at 16 bytes"},
      {{{"location", "weights.bin"}, {"length", "12"}}, "has 12 bytes, its shape needs 16"},
      {{{"location", "weights.bin"}, {"length", "99999999999999999999"}}, "which is no number"},
      {{}, "is no file name"},
  };
  for (const auto& given : cases) {
    const std::string bytes = external_model(given.entries).bytes();
    const auto refused =
        read_onnx(bytes_of(std::string_view(bytes)), {.directory = (root_ / "inner").string()});
    ASSERT_FALSE(refused) << given.words;
    EXPECT_NE(refused.error().text.find(given.words), std::string::npos) << refused.error().text;
  }
}

TEST_F(ExternalDataTest, a_model_cannot_read_more_than_its_memory) {
  fs::resize_file(root_ / "inner/weights.bin", 1ull << 33);  // sparse: no disk
  ModelBuilder b = external_model({{"location", "weights.bin"}});
  b.graph().mutable_initializer(0)->set_dims(0, 1ll << 31);
  const std::string bytes = b.bytes();
  const auto refused =
      read_onnx(bytes_of(std::string_view(bytes)),
                {.directory = (root_ / "inner").string(), .memory_bytes_max = 1 << 20});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge) << refused.error().text;
}

}  // namespace
}  // namespace casemate::engine
