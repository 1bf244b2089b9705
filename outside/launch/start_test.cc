// SPDX-License-Identifier: Apache-2.0
// What is refused before a monitor is started, and in which folders its files may lie.
#include "outside/launch/start.h"
#include "base/format.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "wire/evidence/evidence.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

class Folders : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(scratch_.data()), nullptr);
    for (const char* name : {"CASEMATE_RUN", "CASEMATE_STATE", "XDG_RUNTIME_DIR"}) ::unsetenv(name);
  }
  void TearDown() override { fs::remove_all(scratch_); }

  std::string folder(const std::string& name, mode_t mode) {
    const std::string path = scratch_ + "/" + name;
    EXPECT_EQ(::mkdir(path.c_str(), mode), 0);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  static mode_t mode_of(const std::string& path) {
    struct stat facts{};
    return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 0777 : 0;
  }
  static std::string refusal(const Result<std::string>& result) {
    return result ? "nothing" : result.error().text;
  }

  std::string scratch_ = "/tmp/casemate-start-XXXXXX";
};

TEST_F(Folders, state_is_made_for_its_owner_alone) {
  ::setenv("CASEMATE_STATE", (scratch_ + "/a/b/").c_str(), 1);
  const auto state = state_folder();
  ASSERT_TRUE(state) << state.error().text;
  EXPECT_EQ(mode_of(scratch_ + "/a/b"), 0700u);
}

TEST_F(Folders, state_that_others_can_enter_is_refused_and_left_as_it_is) {
  const std::string open = folder("open", 0755);
  ::setenv("CASEMATE_STATE", open.c_str(), 1);
  EXPECT_EQ(refusal(state_folder()),
            open +
                ": can be entered by others (chmod 700 it), and must be a folder that only this "
                "user can enter; correct it, or set CASEMATE_STATE to another");
  EXPECT_EQ(mode_of(open), 0755u);
}

TEST_F(Folders, state_of_somebody_else_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  const std::string other = folder("other", 0700);
  if (::chown(other.c_str(), 12'345, 12'345) != 0) GTEST_SKIP() << "no other user is known here";
  ::setenv("CASEMATE_STATE", other.c_str(), 1);
  EXPECT_TRUE(refusal(state_folder()).contains("belongs to somebody else"));
}

TEST_F(Folders, state_that_is_a_link_or_cannot_be_made_is_refused) {
  fs::create_directory_symlink(folder("target", 0700), scratch_ + "/link");
  ::setenv("CASEMATE_STATE", (scratch_ + "/link").c_str(), 1);
  EXPECT_TRUE(refusal(state_folder()).contains("is no folder"));
  ::setenv("CASEMATE_STATE", "/proc/none/state", 1);
  EXPECT_TRUE(refusal(state_folder()).contains("cannot be made")) << refusal(state_folder());
}

TEST_F(Folders, sockets_lie_in_the_users_runtime_folder) {
  const std::string runtime = folder("runtime", 0700);
  ::setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
  EXPECT_EQ(run_folder().value_or(""), runtime + "/casemate");
  EXPECT_EQ(mode_of(runtime + "/casemate"), 0700u);
  const std::string chosen = folder("chosen", 0700);
  ::setenv("CASEMATE_RUN", chosen.c_str(), 1);
  EXPECT_EQ(run_folder().value_or(""), chosen);
}

TEST_F(Folders, sockets_lie_in_no_folder_that_others_can_enter) {
  ::setenv("CASEMATE_RUN", folder("open", 0750).c_str(), 1);
  EXPECT_TRUE(refusal(run_folder()).contains("set CASEMATE_RUN to another"));
  EXPECT_TRUE(refusal(find_socket("")).contains("can be entered by others"));
}

// As tools/enter.sh does it: user 0 inside, who is `outside` on the machine. Prints where sockets
// are put.
std::string run_folder_in_a_namespace(uid_t outside, const std::string& out) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool entered =
        ::setresuid(outside, outside, outside) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0 &&
        ::unshare(CLONE_NEWUSER) == 0 &&
        (std::ofstream("/proc/self/uid_map") << formatted("0 {} 1", outside) << std::flush);
    const auto folder = entered ? run_folder() : Result<std::string>("");
    std::ofstream(out) << (folder ? *folder : folder.error().text) << std::flush;
    if (folder) ::rmdir(folder->c_str());
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  std::ifstream in(out);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(Folders, sockets_of_users_that_are_all_zero_in_their_namespaces_lie_apart) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be several users";
  fs::permissions(scratch_, fs::perms::all);
  const std::string one = run_folder_in_a_namespace(1'879'000'001, scratch_ + "/one");
  const std::string two = run_folder_in_a_namespace(1'879'000'002, scratch_ + "/two");
  if (one.empty()) GTEST_SKIP() << "this machine refuses user namespaces";
  EXPECT_EQ(one, "/tmp/casemate-1879000001");
  EXPECT_EQ(two, "/tmp/casemate-1879000002");
}

TEST_F(Folders, a_system_without_a_built_monitor_is_refused_before_anything_is_made) {
  ::setenv("CASEMATE_RUN", (scratch_ + "/run").c_str(), 1);
  ::setenv("CASEMATE_STATE", (scratch_ + "/state").c_str(), 1);
  const auto description = std::make_unique<SystemDescription>();
  const auto system = RunningSystem::start(*description, GatewaySettings(), scratch_);
  ASSERT_FALSE(system);
  EXPECT_EQ(system.error().text,
            scratch_ + "/casemate-monitor: is not there; build it with ./dev build");
  EXPECT_TRUE(fs::is_empty(scratch_));
}

// A monitor that ends at once: what is made before one is started.
TEST_F(Folders, state_gets_the_keys_of_a_development_root_for_a_system_with_that_root_alone) {
  fs::create_symlink("/bin/true", scratch_ + "/casemate-monitor");
  ::setenv("CASEMATE_RUN", folder("run", 0700).c_str(), 1);
  const std::string state = folder("state", 0700);
  ::setenv("CASEMATE_STATE", state.c_str(), 1);
  auto description = std::make_unique<SystemDescription>();
  const auto started = [&](RootKind root) {
    description->root = static_cast<uint32_t>(root);
    auto system = RunningSystem::start(*description, Fd(::open("/dev/null", O_RDWR)), scratch_);
    return system ? "" : system.error().text;
  };
  for (const RootKind root : {RootKind::kTsm, RootKind::kGramine, RootKind::kTpm}) {
    EXPECT_EQ(started(root), "");
    EXPECT_TRUE(fs::is_empty(state)) << "its keys are the hardware's";
  }
  EXPECT_EQ(started(RootKind::kSoftware), "");
  for (const char* file : {kSoftwareKeyFile, kSoftwareChainFile})
    EXPECT_EQ(mode_of(formatted("{}/{}", state, file)), 0600u) << file;
}

}  // namespace
}  // namespace casemate::launch
