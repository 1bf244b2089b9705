// SPDX-License-Identifier: Apache-2.0
// The real monitor with a wrong description in descriptor 3: it says so and ends before it starts
// anything.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/fd.h"
#include "base/format.h"
#include "outside/certify/development_pki.h"
#include "tests/manifest/scratch.h"
#include "wire/abi/system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

std::string monitor_program() {
  if (const char* build = std::getenv("CASEMATE_BUILD"); build != nullptr)
    return std::string(build) + "/bin/casemate-monitor";
  // Run by hand: the first folder above this program that has the monitor.
  fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  while (folder.has_relative_path() && !fs::exists(folder / "bin/casemate-monitor"))
    folder = folder.parent_path();
  return folder / "bin/casemate-monitor";
}

struct End {
  int code = -1;
  std::string said;
};

// Runs the monitor with `content` in descriptor 3 until it ends.
End run_monitor(Bytes content, bool sealed = true) {
  const Scratch scratch;
  for (const char* part : {"state", "images"}) fs::create_directory(scratch.path(part));
  fs::permissions(scratch.path("state"), fs::perms::owner_all);
  EXPECT_TRUE(certify::install_development_pki(scratch.path("state"), system_random()));
  const Fd description(::memfd_create("system", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  EXPECT_EQ(::write(description.number(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  const int seals = sealed ? F_SEAL_WRITE : 0;
  EXPECT_EQ(::fcntl(description.number(), F_ADD_SEALS, seals), 0);
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd read(ends[0]);
  Fd write(ends[1]);
  const std::string program = monitor_program();
  const std::string state = scratch.path("state");
  const std::string images = scratch.path("images");
  const pid_t child = ::fork();
  if (child == 0) {
    const int from = ::fcntl(description.number(), F_DUPFD, 50);
    ::dup2(write.number(), STDERR_FILENO);
    ::dup2(from, 3);
    ::alarm(60);  // one that starts after all ends by that
    ::execl(program.c_str(), "casemate-monitor", state.c_str(), images.c_str(), nullptr);
    ::_exit(127);
  }
  write.reset();
  End end;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(read.number(), buffer.data(), buffer.size())) > 0;)
    end.said.append(buffer.data(), static_cast<size_t>(got));
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
  return end;
}

void expect_refused(const End& end, const std::string& expected) {
  EXPECT_EQ(end.code, 1);
  EXPECT_NE(end.said.find(expected + "\n"), std::string::npos) << end.said;
}

std::string bytes_instead(size_t found) {
  return formatted(
      "the system description has {} bytes instead of {}: start monitor and command of one build",
      found, sizeof(SystemDescription));
}

TEST(MonitorStart, refuses_a_description_that_could_still_change) {
  const auto d = std::make_unique<SystemDescription>();
  expect_refused(run_monitor(bytes_of(*d), false),
                 "descriptor 3 is no sealed system description; start the monitor with casemate "
                 "serve");
}

TEST(MonitorStart, refuses_a_description_of_another_size) {
  const auto d = std::make_unique<SystemDescription>();
  std::vector<uint8_t> content(sizeof *d);
  std::ranges::copy(bytes_of(*d), content.begin());
  content.pop_back();
  expect_refused(run_monitor(content), bytes_instead(sizeof *d - 1));
  content.resize(sizeof *d + 1);
  expect_refused(run_monitor(content), bytes_instead(sizeof *d + 1));
  expect_refused(run_monitor({}), bytes_instead(0));
}

TEST(MonitorStart, checks_the_description_before_it_uses_it) {
  const auto d = std::make_unique<SystemDescription>();
  d->enclave_count = 0xFFFFFFFF;
  expect_refused(run_monitor(bytes_of(*d)),
                 "system description: counts 4294967295 enclaves, but has room for 128; describe "
                 "fewer");
}

// Whose program is that file.
std::unique_ptr<SystemDescription> one_enclave(const std::string& program) {
  auto d = std::make_unique<SystemDescription>();
  d->image_count = d->program_count = d->partition_count = d->enclave_count = 1;
  d->images[0] = {Text<256>::from(program), Text<256>::from("/bin/mos")};
  d->programs[0] = {Text<64>::from("mos"), 0, 1};
  PartitionDescription& p = d->partitions[0];
  p.name = Text<64>::from("p");
  p.processes_max = 8;
  p.memory_bytes = 64 << 20;
  p.backoff_ms_first = p.backoff_ms_max = p.failures_max = p.stable_ms = p.hang_ms = p.load_ms =
      100;
  EnclaveDescription& e = d->enclaves[0];
  e.name = Text<64>::from("e");
  e.kind = static_cast<uint32_t>(EnclaveKind::kModel);
  e.memory_bytes = 16 << 20;
  e.processes_max = 2;
  EXPECT_EQ(refusal(check_description(*d)), "");
  return d;
}

TEST(MonitorStart, refuses_an_image_that_is_no_file) {
  expect_refused(run_monitor(bytes_of(*one_enclave("/dev/null"))), "/dev/null: is no regular file");
}

TEST(MonitorStart, refuses_shares_that_no_cgroup_would_enforce) {
  const pid_t child = ::fork();
  if (child == 0) {
    // A machine without control groups, for this process alone.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", "/sys/fs/cgroup", "tmpfs", 0, nullptr) != 0)
      ::_exit(2);
    const auto d = one_enclave(monitor_program());
    d->partitions[0].device.kind = static_cast<uint32_t>(DeviceKind::kCpu);
    d->enclaves[0].share = 100;
    const End end = run_monitor(bytes_of(*d));
    const bool told = end.said.contains(
        "enclaves have shares, and no cgroup of 'cpu' can be written here to "
        "hold them to it (no cgroup of this process can be written");
    if (!told) std::fputs(end.said.c_str(), stderr);
    ::_exit(told && end.code == 3 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "only root can hide its control groups";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace casemate::tests
