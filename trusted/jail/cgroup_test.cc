// SPDX-License-Identifier: Apache-2.0
#include "trusted/jail/cgroup.h"
#include "base/format.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace casemate::jail {
namespace {

namespace fs = std::filesystem;

// Adds the folders below `folder` that have that name. One that another test removes meanwhile is
// passed over, and what lies beside it is not.
void add_folders(const fs::path& folder, const std::string& name, std::vector<std::string>& found) {
  std::vector<fs::path> inside;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it->is_directory(gone) && !it->is_symlink(gone)) inside.push_back(it->path());
  }
  for (const fs::path& path : inside) {
    if (path.filename() == name) found.push_back(path.string());
    add_folders(path, name, found);
  }
}

std::vector<std::string> folders_named(const std::string& name) {
  std::vector<std::string> found;
  add_folders("/sys/fs/cgroup", name, found);
  return found;
}

Cgroups open(const std::string& name) {
  return Cgroups::open(allow::assume_all_powers().spawn, name);
}

// Groups of its own that a process with that name leaves when it is killed; where they are.
std::vector<std::string> leave(const std::string& name) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Cgroups groups = open(name);
    const auto partition = groups.make_group("p0", {}, false);
    const auto enclave = groups.make_group("p0/e0", {}, true);
    ::_exit(partition && enclave ? 0 : 1);  // no destructor runs
  }
  ::waitpid(child, nullptr, 0);
  return folders_named(name);
}

// The id of a process that has ended.
pid_t ended() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

class Sweep : public testing::Test {
 protected:
  void SetUp() override {
    if (!open(formatted("casemate-{}-probe", ::getpid())).limits_memory())
      GTEST_SKIP() << "no cgroup can be written here, so none is ever left";
  }
};

TEST_F(Sweep, takes_groups_of_the_dead) {
  const std::string dead = formatted("casemate-{}", ended());
  // A monitor that another test starts just now may take them first.
  for (int i = 0; i < 20 && leave(dead).empty(); ++i) {
  }
  const Cgroups groups = open(formatted("casemate-{}", ::getpid()));
  EXPECT_EQ(folders_named(dead), std::vector<std::string>());
}

TEST_F(Sweep, spares_groups_of_the_living) {
  const std::string living = formatted("casemate-{}", ::getppid());
  const auto left = leave(living);
  ASSERT_FALSE(left.empty());
  const Cgroups groups = open(formatted("casemate-{}", ::getpid()));
  EXPECT_EQ(folders_named(living), left);
  for (const std::string& folder : left) {
    for (const char* part : {"/p0/e0", "/p0", ""}) EXPECT_EQ(::rmdir((folder + part).c_str()), 0);
  }
}

TEST_F(Sweep, takes_groups_of_an_earlier_process_with_our_id_or_limits_would_be_missing) {
  const std::string ours = formatted("casemate-{}", ::getpid());
  ASSERT_FALSE(leave(ours).empty());
  const Cgroups groups = open(ours);
  EXPECT_TRUE(groups.limits_memory()) << groups.summary();
}

TEST_F(Sweep, spares_groups_that_are_not_ours) {
  const std::string foreign = formatted("casemate-fault-test-{}", ended());
  const auto left = leave(foreign);
  const Cgroups groups = open(formatted("casemate-{}", ::getpid()));
  EXPECT_EQ(folders_named(foreign), left);
  for (const std::string& folder : left) {
    for (const char* part : {"/p0/e0", "/p0", ""}) EXPECT_EQ(::rmdir((folder + part).c_str()), 0);
  }
}

}  // namespace
}  // namespace casemate::jail
