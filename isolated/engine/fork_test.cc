// SPDX-License-Identifier: Apache-2.0
// A model is loaded in a process that is then forked: the child must run it with threads of its
// own, without opening a file or making memory executable.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/fd.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/run_model.h"

namespace casemate::engine {
namespace {

constexpr size_t kItem = 144;

Model load_small(int threads) {
  const std::string bytes = small_network().bytes();
  auto model = Model::load(bytes_of(std::string_view(bytes)), {.threads = threads});
  CHECK(model.has_value(), "the small network loads");
  return *std::move(model);
}

size_t own_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

// From here on this process dies of SIGSYS when it opens a file or asks for executable memory.
bool forbid_files_and_code() {
  constexpr uint32_t kArgument2 = offsetof(seccomp_data, args) + 2 * sizeof(uint64_t);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 8, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 7, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 6, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pkey_mprotect, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArgument2),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

std::vector<float> images(size_t batch) {
  std::vector<float> values(batch * kItem);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 17;
  return values;
}

TEST(Fork, loading_starts_no_thread) {
  const size_t before = own_threads();
  const Model model = load_small(2);
  EXPECT_EQ(own_threads(), before);
}

TEST(Fork, a_child_runs_with_two_threads_what_its_parent_loaded) {
  Model model = load_small(2);
  ASSERT_TRUE(model.seal());
  const auto input = images(13);
  // A second child computes what the first is compared with: this process must not start threads.
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const expected = static_cast<float*>(memory);
  const auto run_child = [&](bool first) {
    return in_child([&] {
      auto executor = Executor::make(model);
      if (!executor) return false;
      const auto result = run(*executor, {{Shape{13, 1, 12, 12}, input}});
      if (!result || own_threads() != 2) return false;
      const auto& values = result->front().values;
      if (first) std::ranges::copy(values, expected);
      return std::ranges::equal(values, std::span(expected, values.size()));
    });
  };
  EXPECT_EQ(run_child(true), 0);
  EXPECT_EQ(run_child(false), 0);
  ::munmap(memory, 4096);
}

TEST(Fork, a_child_makes_no_memory_executable_and_opens_no_file) {
  for (const int threads : {1, 2}) {
    const Model model = load_small(threads);
    const int status = in_child([&] {
      if (!forbid_files_and_code()) return false;
      auto executor = Executor::make(model);
      if (!executor) return false;
      for (const int64_t batch : {8, 4, 2, 1, 15}) {
        if (!run(*executor, {{Shape{batch, 1, 12, 12}, images(static_cast<size_t>(batch))}}))
          return false;
      }
      return true;
    });
    EXPECT_EQ(status, 0) << "killed by signal " << WTERMSIG(status);
  }
}

// A thread that has never run a kernel knows nothing yet, and may not look into files for it.
TEST(Fork, a_child_opens_no_file_when_items_run_side_by_side) {
  ModelBuilder b;
  b.input("x", {-1, 3, 32, 32});
  b.output("y", {-1, 16, 1, 1});
  b.noise("w", {16, 3, 3, 3});
  b.node("Conv", {"x", "w"}, "c");
  b.node("GlobalAveragePool", {"c"}, "y");
  const std::string bytes = b.bytes();
  const auto model = Model::load(bytes_of(std::string_view(bytes)), {.threads = 2});
  ASSERT_TRUE(model && model->item() != nullptr);
  const int status = in_child([&] {
    if (!forbid_files_and_code()) return false;
    auto executor = Executor::make(*model);
    if (!executor) return false;
    const std::vector<float> values(size_t{8} * 3 * 32 * 32, 1);
    bool ran = true;
    // So often that the other thread comes in time for some of it.
    for (int i = 0; ran && i < 300; ++i)
      ran = run(*executor, {{Shape{8, 3, 32, 32}, values}}).has_value();
    return ran;
  });
  EXPECT_EQ(status, 0) << "killed by signal " << WTERMSIG(status);
}

TEST(Fork, no_page_is_writable_and_executable_once_a_model_is_sealed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer stands where mprotect is watched";
#endif
  Model model = load_small(2);
  const auto writable_code = [] {
    std::ifstream maps("/proc/self/maps");
    std::string found;
    for (std::string line; std::getline(maps, line);) {
      if (line.contains("rwx")) found += line + "\n";
    }
    return found;
  };
  // What the small network does without, and other models need: code that oneDNN leaves writable.
  ASSERT_TRUE(finish_kernels());
  EXPECT_NE(writable_code(), "") << "otherwise this proves nothing";
  ASSERT_TRUE(model.seal());
  EXPECT_EQ(writable_code(), "");
  Executor executor = *Executor::make(model);
  EXPECT_TRUE(run(executor, {{Shape{8, 1, 12, 12}, images(8)}}));
}

TEST(Fork, the_filter_of_these_tests_does_kill) {
  EXPECT_TRUE(WIFSIGNALED(in_child([] {
    if (!forbid_files_and_code()) return false;
    return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
  })));
  EXPECT_TRUE(
      WIFSIGNALED(in_child([] { return forbid_files_and_code() && ::open("/dev/null", 0) >= 0; })));
}

// The memfd of the weights and where it is mapped, as /proc tells it.
struct Weights {
  int fd = -1;
  uint8_t* mapped = nullptr;
};

Weights weights_of_this_process() {
  Weights weights;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.starts_with("/memfd:casemate-weights"))
      weights.fd = std::stoi(entry.path().filename());
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; weights.mapped == nullptr && std::getline(maps, line);) {
    if (line.find("memfd:casemate-weights") != std::string::npos)
      weights.mapped = std::bit_cast<uint8_t*>(std::stoul(line, nullptr, 16));
  }
  return weights;
}

// Tries every way to write the weights; the first that went through, "" when none did.
std::string write_weights(const Weights& weights) {
  const uint8_t byte = 0xA5;
  if (::pwrite(weights.fd, &byte, 1, 0) >= 0) return "pwrite";
  if (::write(weights.fd, &byte, 1) >= 0) return "write";
  if (::ftruncate(weights.fd, 0) == 0) return "ftruncate to nothing";
  if (::ftruncate(weights.fd, 1 << 30) == 0) return "ftruncate to more";
  if (::fallocate(weights.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0)
    return "fallocate";
  if (::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, weights.fd, 0) != MAP_FAILED)
    return "mmap";
  const std::string path = "/proc/self/fd/" + std::to_string(weights.fd);
  const Fd again(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (again.valid() && ::pwrite(again.number(), &byte, 1, 0) >= 0) return "a fresh descriptor";
  if (::open(path.c_str(), O_RDWR | O_TRUNC | O_CLOEXEC) >= 0) return "truncating by open";
  const Fd memory(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  const auto at = static_cast<off_t>(std::bit_cast<uintptr_t>(weights.mapped));
  // Where the mapping is private, this and the next write a copy of one's own.
  if (memory.valid()) static_cast<void>(::pwrite(memory.number(), &byte, 1, at) < 0);
  if (::mprotect(weights.mapped, 4096, PROT_READ | PROT_WRITE) == 0) *weights.mapped = byte;
  return "";
}

std::vector<uint8_t> content_of(const Weights& weights) {
  std::vector<uint8_t> content(4096);
  const ssize_t size = ::pread(weights.fd, content.data(), content.size(), 0);
  content.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return content;
}

TEST(Fork, weights_can_be_written_before_the_model_is_sealed) {
  const Model model = load_small(1);
  const Weights weights = weights_of_this_process();
  ASSERT_GE(weights.fd, 0);
  ASSERT_NE(weights.mapped, nullptr);
  EXPECT_EQ(write_weights(weights), "pwrite") << "or the next test shows nothing";
}

TEST(Fork, weights_cannot_be_written_after_the_model_is_sealed) {
  Model model = load_small(1);
  // The model closes its own descriptor; one that somebody has kept is of no more use to him.
  Weights weights = weights_of_this_process();
  const Fd kept(::dup(weights.fd));
  ASSERT_TRUE(kept.valid());
  ASSERT_TRUE(model.seal());
  weights.fd = kept.number();
  ASSERT_NE(weights.mapped, nullptr);
  const auto content = content_of(weights);
  ASSERT_FALSE(content.empty());
  const std::vector<uint8_t> mapped(weights.mapped, weights.mapped + content.size());
  EXPECT_EQ(mapped, content);
  Executor executor = *Executor::make(model);
  const auto before = run(executor, {{Shape{1, 1, 12, 12}, images(1)}});
  ASSERT_TRUE(before);
  // A child that was taken over shares the pages with its template and siblings.
  EXPECT_EQ(in_child([&] { return write_weights(weights).empty(); }), 0);
  EXPECT_EQ(content_of(weights), content);
  EXPECT_TRUE(std::ranges::equal(std::span(weights.mapped, content.size()), content));
  const auto after = run(executor, {{Shape{1, 1, 12, 12}, images(1)}});
  ASSERT_TRUE(after);
  EXPECT_EQ(after->front().values, before->front().values);
  EXPECT_EQ(write_weights(weights), "") << "nor by the template itself";
}

}  // namespace
}  // namespace casemate::engine
