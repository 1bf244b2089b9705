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

Error not_there(const std::string& path) { return {Code::kNotFound, path + ": is not there"}; }

Result<uint64_t> private_bytes(const std::string& path, const struct stat& facts) {
  if (S_ISREG(facts.st_mode) && (facts.st_mode & 077) == 0 && facts.st_uid == ::geteuid())
    return static_cast<uint64_t>(facts.st_size);
  return Error{Code::kDenied, formatted("{}: must be a file of this user's that no other can open, "
                                        "and no link; chmod 600 it, or name another",
                                        path)};
}

Error cannot(std::string_view what, const std::string& path) {
  const std::string said = errno_error(formatted("{} {}", what, path)).text;
  return {Code::kPlatform, said + "; keys are kept on a local disk that this user can write to"};
}

// As much as there is, but for `most` and one byte.
Result<std::vector<uint8_t>> read_private(const std::string& path, size_t most) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid() && errno == ENOENT) return not_there(path);
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0) return cannot("opening", path);
  TRY(private_bytes(path, facts));
  std::vector<uint8_t> content(most + 1);
  const ssize_t got = ::read(fd.number(), content.data(), content.size());
  if (got < 0) return cannot("reading", path);
  content.resize(static_cast<size_t>(got));
  return content;
}

}  // namespace

Result<uint64_t> private_file_bytes(const std::string& path) {
  struct stat facts{};
  if (::lstat(path.c_str(), &facts) == 0) return private_bytes(path, facts);
  return errno == ENOENT ? not_there(path) : cannot("looking at", path);
}

Result<std::vector<uint8_t>> read_private_file(const std::string& path, size_t size) {
  auto content = TRY(read_private(path, size));
  if (content.size() == size) return content;
  clear_secret(content);
  return Error{Code::kInvalid,
               formatted("{}: should have {} bytes; restore a backup of it", path, size)};
}

Result<std::vector<uint8_t>> read_private_text(const std::string& path, size_t most) {
  auto content = TRY(read_private(path, most));
  if (content.size() <= most) return content;
  clear_secret(content);
  return Error{Code::kTooLarge, formatted("{}: should have {} bytes at most", path, most)};
}

Status write_private_file(const std::string& path, Bytes content) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const std::string folder = parent.empty() ? "." : parent;
  const Fd fd(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  const Fd place(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto size = static_cast<ssize_t>(content.size());
  if (!fd.valid() || !place.valid() ||
      ::write(fd.number(), content.data(), content.size()) != size || ::fsync(fd.number()) != 0)
    return cannot("writing", path);
  // Only root may give a file its name by the descriptor itself.
  const std::string unnamed = formatted("/proc/self/fd/{}", fd.number());
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno == EEXIST) return Error{Code::kDenied, path + ": is there already"};
    return cannot("writing", path);
  }
  return ::fsync(place.number()) == 0 ? Status() : cannot("keeping", path);
}

}  // namespace casemate::keys
