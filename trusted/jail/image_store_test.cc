// SPDX-License-Identifier: Apache-2.0
#include "trusted/jail/image_store.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace casemate::jail {
namespace {

namespace fs = std::filesystem;

std::string text_in(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ImageStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      GTEST_SKIP() << "the image store needs a mount namespace of its own: run as root";
    std::string scratch = "/tmp/casemate-images-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    folder_ = scratch;
    fs::create_directory(folder_ + "/store");
    auto store = ImageStore::make(allow::assume_all_powers().spawn, folder_ + "/store");
    ASSERT_TRUE(store) << store.error().text;
    store_.emplace(std::move(*store));
  }

  void TearDown() override {
    if (folder_.empty()) return;
    ::umount2((folder_ + "/store").c_str(), MNT_DETACH);
    std::error_code error;
    fs::remove_all(folder_, error);
  }

  std::string write(const std::string& name, const std::string& content) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << content;
    return path;
  }

  std::string folder_;
  std::optional<ImageStore> store_;
};

TEST_F(ImageStoreTest, a_digest_is_that_of_the_whole_file) {
  // Around the size of the pieces in which a file is copied.
  for (const size_t size : {0ul, 1ul, (1ul << 20) - 1, 1ul << 20, (1ul << 20) + 1, 3ul << 20}) {
    const std::string content(size, 'x');
    const auto image = store_->add(write("file" + std::to_string(size), content));
    ASSERT_TRUE(image) << image.error().text;
    EXPECT_EQ(image->size, size);
    EXPECT_EQ(image->digest, sha384(bytes_of(std::string_view(content)))) << size;
  }
}

TEST_F(ImageStoreTest, a_file_is_read_once_and_its_copy_stays_as_it_was) {
  const std::string path = write("file", "as measured");
  const auto first = store_->add(path);
  ASSERT_TRUE(first);
  write("file", "swapped");
  const auto second = store_->add(path);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->number, first->number);
  EXPECT_EQ(second->digest, first->digest);
  const ImageStore::Link link{first->number, "/deep/in/file"};
  const auto root = store_->make_root("root", {&link, 1});
  ASSERT_TRUE(root) << root.error().text;
  EXPECT_EQ(text_in(*root + "/deep/in/file"), "as measured");
}

TEST_F(ImageStoreTest, a_root_holds_exactly_what_was_named) {
  const auto a = store_->add(write("a", "of a"));
  const auto b = store_->add(write("b", "of b"));
  ASSERT_TRUE(a && b);
  const ImageStore::Link links[] = {
      {a->number, "/bin/a"}, {a->number, "/a"}, {b->number, "/lib/b"}};
  const auto root = store_->make_root("root", links);
  ASSERT_TRUE(root);
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(*root))
    found.insert(entry.path().string().substr(root->size()));
  EXPECT_EQ(found, (std::set<std::string>{"/a", "/bin", "/bin/a", "/lib", "/lib/b"}));
  EXPECT_EQ(text_in(*root + "/a") + text_in(*root + "/lib/b"), "of aof b");
  EXPECT_FALSE(store_->make_root("root", {})) << "nobody gets another's root";
}

TEST_F(ImageStoreTest, what_is_no_regular_file_is_refused_by_name) {
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);  // opening it would wait for a writer
  for (const std::string& path : {pipe, folder_, std::string("/dev/null")}) {
    const auto refused = store_->add(path);
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_EQ(refused.error().text, path + ": is no regular file");
  }
  const auto missing = store_->add(folder_ + "/missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST_F(ImageStoreTest, nothing_changes_once_it_is_frozen) {
  const auto image = store_->add(write("file", "content"));
  ASSERT_TRUE(image);
  const ImageStore::Link link{image->number, "/file"};
  const auto root = store_->make_root("root", {&link, 1});
  ASSERT_TRUE(root && store_->freeze());
  EXPECT_FALSE(store_->add(write("other", "content")));
  EXPECT_FALSE(store_->make_root("another", {&link, 1}));
  EXPECT_FALSE(std::ofstream(*root + "/file").is_open());
  EXPECT_NE(::unlink((*root + "/file").c_str()), 0);
  EXPECT_EQ(text_in(*root + "/file"), "content");
}

}  // namespace
}  // namespace casemate::jail
