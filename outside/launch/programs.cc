// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/programs.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>

#include "base/fd.h"
#include "base/format.h"

namespace casemate::launch {
namespace {

// The ABI fixes its place (System V ABI, AMD64 supplement).
constexpr const char* kLoader = "/lib64/ld-linux-x86-64.so.2";

// What the loader prints for `--list PROGRAM`: "name => /path (0x...)" or "/path (0x...)" per line.
Result<std::string> list_of(const std::string& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("making a pipe");
  const Fd read(ends[0]);
  Fd write(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return errno_error("starting the loader");
  if (child == 0) {
    ::dup2(write.number(), STDOUT_FILENO);
    ::execl(kLoader, kLoader, "--list", program.c_str(), nullptr);
    ::_exit(127);
  }
  write.reset();
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  while ((got = ::read(read.number(), buffer.data(), buffer.size())) > 0)
    text.append(buffer.data(), static_cast<size_t>(got));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return errno_error("waiting for the loader");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error{
        Code::kPlatform,
        formatted("{}: its libraries cannot be listed; build it again (./dev build)", program)};
  }
  return text;
}

}  // namespace

Result<std::string> program_folder() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return Error{Code::kPlatform, formatted("/proc/self/exe: {}", error.message())};
  return self.parent_path().string();
}

Status check_program(const std::string& program) {
  if (::access(program.c_str(), X_OK) == 0) return {};
  return Error{Code::kNotFound, formatted("{}: {}; build it with ./dev build", program,
                                          errno == ENOENT ? "is not there" : "cannot be run")};
}

Result<std::vector<std::string>> images_of(const std::string& program) {
  TRY(check_program(program));
  return images_of_library(program);
}

Result<std::vector<std::string>> images_of_library(const std::string& program) {
  std::istringstream lines(TRY(list_of(program)));
  std::vector<std::string> images = {program, kLoader};
  for (std::string line; std::getline(lines, line);) {
    const size_t path = line.find('/');
    const size_t end = line.find(" (", path);
    if (path == std::string::npos || end == std::string::npos) continue;  // the vDSO has no file
    const std::string image = line.substr(path, end - path);
    if (std::ranges::find(images, image) == images.end()) images.push_back(image);
  }
  return images;
}

}  // namespace casemate::launch
