// SPDX-License-Identifier: Apache-2.0
// The owner's key store, and what he can have sealed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "outside/seal/cut.h"
#include "tests/sealed/small_model.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

class KeyStore : public testing::Test {
 protected:
  Result<keys::Store> open() { return keys::Store::open(path_, system_clock(), system_random()); }
  static keys::Record record(uint32_t version) {
    keys::Record made{.name = "small", .version = version, .policy = "{}"};
    made.package.fill(static_cast<uint8_t>(version));
    return made;
  }
  static SecretKey key(uint8_t byte) {
    SecretKey key;
    key.fill(byte);
    return key;
  }

  Folder folder_;
  std::string path_ = folder_.path("keys");
};

TEST_F(KeyStore, keeps_keys_and_its_signing_key_and_shows_none_in_its_file) {
  std::vector<uint8_t> maker;
  {
    auto store = open();
    ASSERT_TRUE(store) << store.error().text;
    maker = store->maker().public_der();
    ASSERT_TRUE(store->add(record(1), key(0xA7), true));
  }
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_EQ(store->maker().public_der(), maker);
  const auto found = store->find(record(1).package);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->version, 1u);
  const auto kept = store->key_of(*found);
  ASSERT_TRUE(kept) << kept.error().text;
  EXPECT_EQ(*kept, key(0xA7));
  EXPECT_FALSE(store->find(record(2).package));
  for (const auto& entry : fs::directory_iterator(fs::path(path_).parent_path())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_FALSE(bytes.contains(std::string(32, '\xA7'))) << entry.path();
    EXPECT_EQ(entry.status().permissions() & fs::perms::all,
              fs::perms::owner_read | fs::perms::owner_write)
        << entry.path();
  }
}

TEST_F(KeyStore, is_refused_where_others_can_read_it_or_its_key_is_not_its_own) {
  ASSERT_TRUE(open());
  for (const std::string& file : {path_, path_ + ".key"}) {
    fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
    EXPECT_EQ(open().error().code, Code::kDenied) << file;
    fs::permissions(file, fs::perms::group_read, fs::perm_options::remove);
  }
  ASSERT_TRUE(open());
  fs::rename(path_ + ".key", path_ + ".away");
  EXPECT_EQ(open().error().code, Code::kNotFound);
  std::ofstream(path_ + ".key") << std::string(32, 'x');
  fs::permissions(path_ + ".key", fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(open().error().code, Code::kInvalid);
}

TEST_F(KeyStore, has_a_lowest_version_that_rises_with_what_is_sealed_and_never_falls) {
  auto store = open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->add(record(2), key(2), false));
  EXPECT_EQ(*store->floor("small"), 2u);
  ASSERT_TRUE(store->add(record(5), key(5), true));
  EXPECT_EQ(*store->floor("small"), 2u);
  ASSERT_TRUE(store->raise_floor("small", 4));
  ASSERT_TRUE(store->raise_floor("small", 3));
  EXPECT_EQ(*store->floor("small"), 4u);
  EXPECT_EQ(store->add(record(3), key(3), true).error().code, Code::kDenied);
  EXPECT_EQ(*store->floor("other"), 0u);
  EXPECT_EQ(store->list()->size(), 2u);
  EXPECT_EQ(store->set_policy("small", 3, "{}").error().code, Code::kNotFound);
}

TEST(Cutting, refuses_what_is_no_model_and_what_has_its_weights_elsewhere) {
  const std::string model = small_model();
  const auto cut = [](std::string_view text) { return seal::cut(bytes_of(text)); };
  ASSERT_TRUE(cut(model));
  for (size_t size = 0; size < model.size(); size += 1 + size / 20)
    EXPECT_FALSE(cut(std::string_view(model).substr(0, size))) << size;
  EXPECT_FALSE(cut("no model"));
  const std::string outside = field(7, field(5, std::string{14 << 3, 1}));
  EXPECT_EQ(cut(outside).error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace casemate::tests
