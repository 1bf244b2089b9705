// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/opencl_device.h"

#include <sys/wait.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "base/format.h"
#include "base/log.h"
#include "outside/launch/programs.h"

namespace casemate::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDriverProgram = "casemate-inspect-opencl";
constexpr int kRefusedFrom = 64;  // + a Code: as casemate-inspect's
constexpr uint64_t kDriverTextMax = 64 << 10;
constexpr Duration kDriverPatience = std::chrono::seconds(30);
constexpr size_t kDriverReasonMax = 2000;
// Pieces, and what crosses between two of them.
constexpr srpc::StreamShape kDriverStream{64, 64 << 20, 64 << 20, false};

std::string shape_text() {
  return formatted("{}:{}:{}", kDriverStream.slots, kDriverStream.bulk_in_bytes,
                   kDriverStream.bulk_out_bytes);
}

child::Command driver_command(const std::string& programs, std::vector<std::string> words) {
  words.insert(words.begin(), kDriverProgram);
  // As for casemate-inspect: glibc insists on registering threads for restartable sequences if it
  // could register the first one, and the filter forbids that.
  return {.program = formatted("{}/{}", programs, kDriverProgram),
          .arguments = std::move(words),
          .environment = {"GLIBC_TUNABLES=glibc.pthread.rseq=0"}};
}

// Nothing where it did what it was asked.
std::optional<Error> failure_in(const child::Said& said, std::string_view device) {
  const std::string reason = printable(said.err.substr(0, said.err.find('\n')), kDriverReasonMax);
  if (WIFSIGNALED(said.status)) {
    const char* signal = ::sigabbrev_np(WTERMSIG(said.status));
    return Error{
        Code::kPartitionFailed,
        formatted("{}: the program that drives it was ended by SIG{}, behind its walls; "
                  "this machine took no harm{}{}",
                  device, signal == nullptr ? "?" : signal, reason.empty() ? "" : ": ", reason)};
  }
  const int code = WEXITSTATUS(said.status);
  if (code == 0) return std::nullopt;
  const auto refused =
      code < kRefusedFrom ? Code::kPlatform : code_from(static_cast<uint32_t>(code - kRefusedFrom));
  return Error{refused,
               formatted("{}: {}", device,
                         reason.empty() ? formatted("{} ended with code {}", kDriverProgram, code)
                                        : reason)};
}

}  // namespace

Result<ScratchFolder> ScratchFolder::make() {
  std::error_code wrong;
  std::string path = (fs::temp_directory_path(wrong) / "casemate-XXXXXX").string();
  if (wrong || ::mkdtemp(path.data()) == nullptr)
    return errno_error(formatted("making a folder as {}", path));
  return ScratchFolder(std::move(path));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<uint32_t> opencl_device_count(const std::string& programs) {
  const ScratchFolder folder = TRY(ScratchFolder::make());
  const child::Command command = driver_command(programs, {folder.path(), "count"});
  TRY(launch::check_program(command.program));
  const auto said =
      TRY(child::run(command, kDriverTextMax, system_clock().now() + kDriverPatience));
  if (auto failure = failure_in(said, "OpenCL")) return *std::move(failure);
  uint32_t count = 0;
  std::from_chars(said.out.data(), said.out.data() + said.out.size(), count);
  return count;
}

Result<std::unique_ptr<OpenclDevice>> OpenclDevice::start(const std::string& programs,
                                                          const Wanted& wanted) {
  ScratchFolder folder = TRY(ScratchFolder::make());
  srpc::StreamPair pair = TRY(srpc::StreamPair::make({1}, {1}, kDriverStream));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wanted.patience).count();
  child::Command command =
      driver_command(programs, {folder.path(), std::to_string(wanted.number),
                                std::to_string(wanted.threads), std::to_string(wanted.memory_bytes),
                                std::to_string(seconds + 1), formatted("3:{}", shape_text())});
  TRY(launch::check_program(command.program));
  srpc::StreamEnd caller = TRY(pair.caller_end());
  const srpc::StreamEnd callee = TRY(pair.callee_end());
  command.descriptors = {callee.requests.number(), callee.replies.number(), callee.bulk_in.number(),
                         callee.bulk_out.number()};
  auto running = TRY(child::Running::start(command));
  std::unique_ptr<OpenclDevice> made(
      new OpenclDevice(wanted, std::move(folder), std::move(pair), std::move(running)));
  made->end_ = std::move(caller);
  made->thread_ = std::jthread([device = made.get()] { device->hear(); });
  return made;
}

OpenclDevice::~OpenclDevice() {
  running_.kill();
  thread_.join();
}

std::string OpenclDevice::name() const { return formatted("opencl:{}", wanted_.number); }

std::vector<int> OpenclDevice::descriptors() const {
  return {end_.requests.number(), end_.replies.number(), end_.bulk_in.number(),
          end_.bulk_out.number()};
}

std::string OpenclDevice::word(size_t first_descriptor) const {
  return formatted("remote={}={}:{}", name(), first_descriptor, shape_text());
}

void OpenclDevice::hear() {
  const auto said = running_.listen(kDriverTextMax, system_clock().now() + wanted_.patience);
  const std::lock_guard held(lock_);
  if (said) {
    failure_ = failure_in(*said, name());
  } else {
    failure_ = Error{said.error().code, formatted("{}: {}", name(), said.error().text)};
  }
  // Whoever waits for an answer of it gets none.
  pair_.revoke();
}

std::optional<Error> OpenclDevice::failure() {
  const std::lock_guard held(lock_);
  return failure_;
}

}  // namespace casemate::cli
