// SPDX-License-Identifier: Apache-2.0
// The owner's key store, and what he can have sealed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/format.h"
#include "outside/seal/cut.h"
#include "tests/sealed/small_model.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

class KeyStore : public testing::Test {
 protected:
  Result<keys::Store> open(bool make = true) {
    return keys::Store::open(path_, system_clock(), system_random(), make);
  }
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
  // What somebody does to the database who has not the key beside it.
  void change(const char* sql) {
    auto database = keys::Database::open(fs::canonical(path_).string());
    ASSERT_TRUE(database) << database.error().text;
    const Status done = database->run(sql);
    ASSERT_TRUE(done) << done.error().text;
  }
  // A store with the keys of these versions, all of them open.
  void make_with(std::initializer_list<uint8_t> versions) {
    auto store = open();
    ASSERT_TRUE(store) << store.error().text;
    for (const uint8_t version : versions)
      ASSERT_TRUE(store->add(record(version), key(version), true));
  }
  std::string refusal(bool make = false) {
    const auto opened = open(make);
    return opened ? "" : opened.error().text;
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

TEST_F(KeyStore, refuses_a_row_in_which_anything_was_changed_that_decides_who_gets_the_key) {
  for (const char* change_of :
       {"policy = '{\"allow_software_root\": true}'", "measurement = randomblob(48)", "version = 2",
        "name = 'other'", "added = added + 1", "hidden = zeroblob(60)", "hidden = zeroblob(3)",
        "measurement = zeroblob(1)"}) {
    fs::remove(path_);
    fs::remove(path_ + ".key");
    make_with({1});
    change(formatted("UPDATE keys SET {}", change_of).c_str());
    auto store = open(false);
    ASSERT_TRUE(store) << change_of;
    const auto found = store->find(record(1).package);
    ASSERT_FALSE(found) << change_of;
    EXPECT_TRUE(found.error().text.contains(path_)) << found.error().text;
    EXPECT_TRUE(found.error().text.contains("damaged or was changed")) << found.error().text;
    EXPECT_FALSE(store->key_of(record(1))) << change_of;
    EXPECT_FALSE(store->set_policy("small", 1, "{}")) << "it would be vouched for";
  }
}

TEST_F(KeyStore, gives_no_package_the_key_or_the_policy_of_another) {
  make_with({1, 2});
  change("UPDATE keys SET hidden = (SELECT hidden FROM keys WHERE version = 2) WHERE version = 1");
  auto store = open(false);
  ASSERT_TRUE(store);
  EXPECT_FALSE(store->find(record(1).package));
  EXPECT_TRUE(store->find(record(2).package));
}

TEST_F(KeyStore, keeps_the_key_when_its_policy_is_exchanged_and_asks_again_about_the_old_one) {
  make_with({1, 2});
  auto store = open(false);
  ASSERT_TRUE(store);
  const auto before = store->find(record(1).package);
  ASSERT_TRUE(before);
  ASSERT_TRUE(store->set_policy("small", 1, R"({"allow_software_root": true})"));
  const auto after = store->find(record(1).package);
  ASSERT_TRUE(after) << after.error().text;
  EXPECT_EQ(after->policy, R"({"allow_software_root": true})");
  EXPECT_EQ(*store->key_of(*after), key(1));
  EXPECT_EQ(store->key_of(*before).error().code, Code::kUnavailable);
  EXPECT_EQ(store->find(record(2).package)->policy, "{}");
}

TEST_F(KeyStore, says_from_which_line_on_its_log_was_changed) {
  const std::pair<const char*, const char*> changes[] = {
      {"UPDATE audit SET line = 'fine' WHERE number = 2", "line 2"},
      {"UPDATE audit SET released = 0 WHERE number = 3", "line 3"},
      {"UPDATE audit SET evidence = zeroblob(32) WHERE number = 2", "line 2"},
      {"UPDATE audit SET at = at + 1 WHERE number = 4", "line 4"},
      {"DELETE FROM audit WHERE number = 1", "line 1"},
      {"DELETE FROM audit WHERE number = 2", "line 2"},
      {"DELETE FROM audit WHERE number = 4", "line 4"},
      {"DELETE FROM audit", "line 1"},
      {"DELETE FROM audit WHERE number = 2; UPDATE audit SET number = number - 1 WHERE number > 2",
       "line 2"},
      {"DELETE FROM facts WHERE name = 'audit end'", "line 5"},
      {"DELETE FROM audit; DELETE FROM facts WHERE name = 'audit end'", "line 1"},
      {"UPDATE audit SET number = 9223372036854775807 WHERE number = 4", "line 4"}};
  for (const auto& [sql, where] : changes) {
    fs::remove(path_);
    fs::remove(path_ + ".key");
    make_with({});
    auto store = open(false);
    ASSERT_TRUE(store);
    EXPECT_TRUE(store->check_audit()) << "nothing is in it yet";
    for (uint32_t i = 0; i < 4; ++i) {
      const keys::AuditLine line{.released = true, .name = "small", .version = i, .line = "why"};
      ASSERT_TRUE(store->write_audit(line, key(static_cast<uint8_t>(i))));
    }
    const Status good = store->check_audit();
    EXPECT_TRUE(good) << good.error().text;
    change(sql);
    const Status checked = store->check_audit();
    ASSERT_FALSE(checked) << sql;
    EXPECT_TRUE(checked.error().text.contains(where)) << sql << ": " << checked.error().text;
    EXPECT_TRUE(store->audit(10)) << "what is left can be read";
    static_cast<void>(store->write_audit({.name = "small", .line = "later"}, key(9)));
    EXPECT_FALSE(store->check_audit()) << sql << ": the next line covers it up";
  }
}

TEST_F(KeyStore, is_made_where_that_was_asked_for_alone) {
  EXPECT_EQ(open(false).error().code, Code::kNotFound);
  EXPECT_TRUE(refusal().contains("no key store is there")) << refusal();
  EXPECT_FALSE(fs::exists(path_) || fs::exists(path_ + ".key")) << "a question made something";
  // As a process leaves it that was killed when it began.
  std::ofstream(path_).close();
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(refusal().contains("no key store is there")) << refusal();
  ASSERT_TRUE(open());
  ASSERT_TRUE(open(false));
  fs::remove(path_);
  EXPECT_TRUE(refusal(true).contains("put the store back")) << refusal(true);
}

TEST_F(KeyStore, of_another_release_or_what_is_none_is_refused) {
  make_with({1});
  change("PRAGMA user_version = 1");
  EXPECT_TRUE(refusal(true).contains("no key store of this release")) << refusal(true);
  change("PRAGMA user_version = 0");
  EXPECT_TRUE(refusal(true).contains("no key store of this release")) << refusal(true);
  std::ofstream(path_) << "no database, and long enough to be one: " << std::string(4096, 'x');
  EXPECT_TRUE(refusal(true).contains(path_)) << refusal(true);
  EXPECT_TRUE(refusal(true).contains("restore a backup")) << refusal(true);
}

TEST_F(KeyStore, is_refused_in_a_folder_where_others_write_or_behind_a_link) {
  make_with({1});
  const fs::path folder = fs::path(path_).parent_path();
  for (const fs::perms others : {fs::perms::group_write, fs::perms::others_write}) {
    fs::permissions(folder, others, fs::perm_options::add);
    EXPECT_EQ(open(false).error().code, Code::kDenied);
    EXPECT_TRUE(refusal().contains("others may write to the folder")) << refusal();
    fs::permissions(folder, others, fs::perm_options::remove);
  }
  EXPECT_EQ(refusal(), "");
  fs::rename(path_, path_ + ".moved");
  fs::create_symlink(path_ + ".moved", path_);
  EXPECT_EQ(open(false).error().code, Code::kDenied);
}

TEST_F(KeyStore, takes_no_journal_that_somebody_else_may_have_put_beside_it) {
  make_with({1});
  for (const char* suffix : {"-journal", "-wal", "-shm"}) {
    std::ofstream(path_ + suffix) << "x";
    fs::permissions(path_ + suffix, fs::perms::owner_read | fs::perms::others_write);
    EXPECT_EQ(open(false).error().code, Code::kDenied) << suffix;
    fs::remove(path_ + suffix);
    fs::create_symlink("/dev/null", path_ + suffix);
    EXPECT_EQ(open(false).error().code, Code::kDenied) << suffix;
    fs::remove(path_ + suffix);
  }
  EXPECT_EQ(refusal(), "");
}

TEST_F(KeyStore, is_whole_in_its_two_files_while_others_have_it_open) {
  auto store = open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->add(record(1), key(1), false));
  ASSERT_TRUE(store->write_audit({.name = "small", .line = "why"}, key(0)));
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(path_).parent_path())) {
    ++files;
    EXPECT_TRUE(entry.path() == path_ || entry.path() == path_ + ".key") << entry.path();
  }
  EXPECT_EQ(files, 2u);
  fs::copy(path_, folder_.path("copy"));
  fs::copy(path_ + ".key", folder_.path("copy.key"));
  auto copy = keys::Store::open(folder_.path("copy"), system_clock(), system_random());
  ASSERT_TRUE(copy) << copy.error().text;
  EXPECT_TRUE(copy->find(record(1).package));
  EXPECT_EQ(copy->audit(10)->size(), 1u);
}

TEST_F(KeyStore, closes_by_hand_what_was_sealed_and_never_all_of_a_model) {
  make_with({1, 2, 3});
  auto store = open(false);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->close_below("other", 1).error().code, Code::kNotFound);
  EXPECT_EQ(store->close_below("small", 4).error().code, Code::kInvalid);
  EXPECT_EQ(*store->floor("small"), 0u);
  const auto closed = store->close_below("small", 3);
  ASSERT_TRUE(closed) << closed.error().text;
  ASSERT_EQ(closed->size(), 2u);
  EXPECT_EQ(closed->front().version, 1u);
  EXPECT_EQ(*store->floor("small"), 3u);
  EXPECT_TRUE(store->close_below("small", 2)->empty()) << "they were closed before";
  EXPECT_EQ(*store->floor("small"), 3u);
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

TEST(Cutting, finds_weights_that_lie_elsewhere_wherever_a_model_can_name_them) {
  const auto code = [](const std::string& model) {
    const auto parts = seal::cut(bytes_of(std::string_view(model)));
    return parts ? Code::kOk : parts.error().code;
  };
  const std::string here = field(7, field(2, "graph"));
  const std::string tensor{14 << 3, 1};
  const std::string sparse = field(1, tensor);
  const std::string node = field(1, field(5, field(6, field(5, tensor))));
  EXPECT_EQ(code(here), Code::kOk);
  const std::pair<const char*, std::string> places[] = {
      {"an attribute", field(7, field(1, field(5, field(5, tensor))))},
      {"a list in an attribute", field(7, field(1, field(5, field(10, tensor))))},
      {"a sparse attribute", field(7, field(1, field(5, field(22, sparse))))},
      {"a list of sparse ones", field(7, field(1, field(5, field(23, sparse))))},
      {"a branch", field(7, node)},
      {"a list of graphs", field(7, field(1, field(5, field(11, field(5, tensor)))))},
      {"a branch in a branch", field(7, field(1, field(5, field(6, node))))},
      {"a sparse initialiser", field(7, field(15, sparse))},
      {"indices of one", field(7, field(15, field(2, tensor)))},
      {"a function", here + field(25, field(7, field(5, field(5, tensor))))},
      {"a function's default", here + field(25, field(11, field(5, tensor)))},
      {"training", here + field(20, field(1, field(5, tensor)))},
      {"more training", here + field(20, field(2, field(5, tensor)))}};
  for (const auto& [what, model] : places) EXPECT_EQ(code(model), Code::kUnsupported) << what;
  std::string deep = tensor;
  for (int i = 0; i < 1000; ++i) deep = field(1, field(5, field(6, deep)));
  EXPECT_EQ(code(field(7, deep)), Code::kInvalid);
}

}  // namespace
}  // namespace casemate::tests
