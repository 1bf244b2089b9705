// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/crypto.h"
#include "base/fd.h"
#include "base/format.h"

namespace casemate::keys {

namespace {

// As much as there is, but for `most` and one byte.
Result<std::vector<uint8_t>> read_private(const std::string& path, size_t most) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid() && errno == ENOENT) return Error{Code::kNotFound, path + ": is not there"};
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0)
    return errno_error(formatted("opening {}", path));
  if (!S_ISREG(facts.st_mode) || (facts.st_mode & 077) != 0 || facts.st_uid != ::geteuid()) {
    return Error{Code::kDenied, formatted("{}: must be a file that only this user can read; "
                                          "chmod 600 it",
                                          path)};
  }
  std::vector<uint8_t> content(most + 1);
  const ssize_t got = ::read(fd.number(), content.data(), content.size());
  if (got < 0) return errno_error(formatted("reading {}", path));
  content.resize(static_cast<size_t>(got));
  return content;
}

}  // namespace

Result<std::vector<uint8_t>> read_private_file(const std::string& path, size_t size) {
  auto content = TRY(read_private(path, size));
  if (content.size() == size) return content;
  clear_secret(content);
  return Error{Code::kInvalid, formatted("{}: should have {} bytes", path, size)};
}

Result<std::vector<uint8_t>> read_private_text(const std::string& path, size_t most) {
  auto content = TRY(read_private(path, most));
  if (content.size() <= most) return content;
  clear_secret(content);
  return Error{Code::kTooLarge, formatted("{}: should have {} bytes at most", path, most)};
}

Status write_private_file(const std::string& path, Bytes content) {
  const std::string half = formatted("{}.{}", path, ::getpid());
  ::unlink(half.c_str());  // of a process with our number that crashed here
  const Fd fd(::open(half.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Fd place(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool written = fd.valid() && place.valid() &&
                       ::write(fd.number(), content.data(), content.size()) ==
                           static_cast<ssize_t>(content.size()) &&
                       ::fsync(fd.number()) == 0 && ::link(half.c_str(), path.c_str()) == 0;
  const Status failure = written ? Status() : errno_error(formatted("writing {}", path));
  ::unlink(half.c_str());
  TRY(failure);
  return ::fsync(place.number()) == 0 ? Status() : errno_error(formatted("keeping {}", path));
}

}  // namespace casemate::keys
