// SPDX-License-Identifier: Apache-2.0
// A process that is killed before any one of its system calls that change files: nothing is lost,
// and nothing that is half there opens. It is stepped from call to call with ptrace(2), so that the
// code knows nothing of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "isolated/sealed/unsealer.h"
#include "tests/sealed/small_model.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

bool changes_files(const user_regs_struct& call) {
  static const std::set<long> changing = {
      SYS_write,     SYS_pwrite64,  SYS_pwritev,  SYS_writev,    SYS_fsync,  SYS_fdatasync,
      SYS_ftruncate, SYS_rename,    SYS_renameat, SYS_link,      SYS_linkat, SYS_unlink,
      SYS_unlinkat,  SYS_fallocate, SYS_chmod,    SYS_renameat2, SYS_fchmod};
  const auto number = static_cast<long>(call.orig_rax);
  return changing.contains(number) || (number == SYS_openat && (call.rdx & O_CREAT) != 0) ||
         (number == SYS_open && (call.rsi & O_CREAT) != 0);
}

enum class End { kKilled, kDone, kFailed };

// Runs `work` in a process that is killed before its `count`-th such call.
End run_killed(uint64_t count, const std::function<bool()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    ::_exit(work() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
    return End::kFailed;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  bool entering = false;
  while (true) {
    if (::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) != 0) return End::kFailed;
    if (::waitpid(child, &status, 0) != child) return End::kFailed;
    if (WIFEXITED(status)) return WEXITSTATUS(status) == 0 ? End::kDone : End::kFailed;
    if (!WIFSTOPPED(status)) return End::kFailed;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
    entering = !entering;
    user_regs_struct call{};
    if (!entering || ::ptrace(PTRACE_GETREGS, child, nullptr, &call) != 0 || !changes_files(call))
      continue;
    if (--count != 0) continue;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return End::kKilled;
  }
}

std::vector<uint8_t> bytes_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class KilledWhileSealing : public testing::Test {
 protected:
  void SetUp() override { std::ofstream(folder_.path("model.onnx")) << small_model(); }

  // Seals the model as that version into the folder `at`.
  static Result<seal::Done> seal_in(const std::string& at, uint32_t version) {
    seal::Order order = small_order();
    order.version = version;
    keys::Store store = TRY(keys::Store::open(at + "/keys", system_clock(), system_random()));
    return seal::seal_model(at + "/../model.onnx", at + "/model.sealed", order, store,
                            system_clock(), system_random());
  }
  // Whether what is at the place opens with a key of the store there, to the model that was sealed.
  static Status opens(const std::string& at, const std::string& package) {
    const auto file = bytes_in(package);
    const auto unsealer = TRY(sealed::Unsealer::make(file));
    keys::Store store = TRY(keys::Store::open(at + "/keys", system_clock(), system_random()));
    const auto record = TRY(store.find(unsealer.package().header.package));
    const Mapping plain = TRY(unsealer.open_with(TRY(store.key_of(record))));
    return text_of(plain.bytes()) == small_model() ? Status()
                                                   : Status(Error{Code::kInvalid, "not it"});
  }
  std::string fresh(const std::string& name) {
    fs::remove_all(folder_.path(name));
    fs::create_directory(folder_.path(name));
    return folder_.path(name);
  }

  Folder folder_;
};

TEST_F(KilledWhileSealing, for_the_first_time_leaves_nothing_or_a_model_that_opens) {
  uint64_t steps = 0;
  for (End end = End::kKilled; end != End::kDone;) {
    const std::string at = fresh("first");
    end = run_killed(++steps, [&] { return seal_in(at, 1).has_value(); });
    ASSERT_NE(end, End::kFailed) << steps;
    const std::string package = at + "/model.sealed";
    if (fs::exists(package)) {
      const Status opened = opens(at, package);
      EXPECT_TRUE(opened) << steps << ": " << opened.error().text;
    }
    const auto again = seal_in(at, 1);
    ASSERT_TRUE(again) << steps << ": " << again.error().text;
    EXPECT_TRUE(opens(at, package)) << steps;
  }
  EXPECT_GT(steps, 20u);  // it was stepped at all
}

TEST_F(KilledWhileSealing, a_newer_version_leaves_the_old_or_the_new_one_and_every_key) {
  const std::string before = fresh("before");
  ASSERT_TRUE(seal_in(before, 1));
  uint64_t steps = 0;
  for (End end = End::kKilled; end != End::kDone;) {
    const std::string at = folder_.path("newer");
    fs::remove_all(at);
    fs::copy(before, at);
    end = run_killed(++steps, [&] { return seal_in(at, 2).has_value(); });
    ASSERT_NE(end, End::kFailed) << steps;
    const Status opened = opens(at, at + "/model.sealed");
    EXPECT_TRUE(opened) << steps << ": " << opened.error().text;
    EXPECT_TRUE(opens(at, before + "/model.sealed")) << steps;  // its key is still there
    // What grows beside the place is no package until it is complete.
    for (const auto& entry : fs::directory_iterator(at)) {
      const auto name = entry.path().filename().string();
      if (name.starts_with(".casemate-") && sealed::Unsealer::make(bytes_in(entry.path()))) {
        EXPECT_EQ(entry.file_size(), fs::file_size(before + "/model.sealed")) << steps;
      }
    }
  }
  EXPECT_GT(steps, 15u);
}

}  // namespace
}  // namespace casemate::tests
