// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/format.h"
#include "base/growing.h"

namespace casemate::zoo {
namespace {

// Where the file really lies: a link stays, and what it names is replaced.
Result<std::filesystem::path> place_of(const std::filesystem::path& path) {
  if (!path.has_filename())
    return Error{Code::kInvalid, formatted("'{}' names no file", path.string())};
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0)
    return path;  // creating it says what is wrong, if anything
  if (!S_ISREG(facts.st_mode))
    return Error{Code::kInvalid, formatted("{} is there and is no regular file", path.string())};
  std::error_code wrong;
  const auto real = std::filesystem::canonical(path, wrong);
  return wrong ? path : real;
}

// A name that nothing else has.
std::filesystem::path growing_beside(const std::filesystem::path& place) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return place.parent_path() / formatted("{}{}-{}", kGrowingPrefix, ::getpid(), now);
}

// Only of files that have the names that we give.
bool grown_by_us(std::string_view name) {
  return name.starts_with(kGrowingPrefix) &&
         name.find_first_not_of("0123456789-", kGrowingPrefix.size()) == name.npos;
}

// Whose writers have ended without finishing them: their locks went with them. What cannot be
// looked at or removed harms nobody.
void remove_left(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (!grown_by_us(it->path().filename().string())) continue;
    const Fd fd(::open(it->path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat facts{};
    if (fd.valid() && ::fstat(fd.number(), &facts) == 0 && S_ISREG(facts.st_mode) &&
        facts.st_uid == ::geteuid() && ::flock(fd.number(), LOCK_EX | LOCK_NB) == 0)
      ::unlink(it->path().c_str());
  }
}

// Takes the lock that says that the file is being written; a file system without locks clears
// nothing up either. False where somebody took the file away before.
bool keep(const Fd& fd) {
  while (::flock(fd.number(), LOCK_EX) != 0 && errno == EINTR) {
  }
  struct stat facts{};
  return ::fstat(fd.number(), &facts) == 0 && facts.st_nlink != 0;
}

}  // namespace

OutputFile::OutputFile(std::string path, std::string growing, Fd fd)
    : path_(std::move(path)), growing_(std::move(growing)), fd_(std::move(fd)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      growing_(std::exchange(other.growing_, {})),
      fd_(std::move(other.fd_)) {}

OutputFile::~OutputFile() {
  if (!growing_.empty()) ::unlink(growing_.c_str());
}

Result<OutputFile> OutputFile::make(const std::string& path, uint64_t size) {
  const std::filesystem::path place = TRY(place_of(path));
  remove_left(place.has_parent_path() ? place.parent_path() : ".");
  const std::string growing = growing_beside(place);
  Fd fd(::open(growing.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!fd.valid()) return errno_error("create " + path);
  if (!keep(fd)) {
    return Error{
        Code::kUnavailable,
        formatted("{}: another command has cleared up beside it just now; try again", path)};
  }
  OutputFile file(place, growing, std::move(fd));
  // Not every file system can reserve; those that cannot will say so when they are full.
  if (::fallocate(file.fd_.number(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) != 0 &&
      errno != EOPNOTSUPP && errno != ENOSYS) {
    return errno_error(formatted("reserve {} bytes for {}", size, path));
  }
  return file;
}

Status OutputFile::append(Bytes data) {
  while (!data.empty()) {
    const ssize_t size = ::write(fd_.number(), data.data(), data.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error("write " + path_);
    data = data.subspan(static_cast<size_t>(size));
  }
  return {};
}

Status OutputFile::sync() const {
  return ::fsync(fd_.number()) == 0 ? Status() : errno_error("write " + path_);
}

Status OutputFile::sync_place() const {
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const Fd place(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (place.valid() && ::fsync(place.number()) == 0) return {};
  return errno_error("keep " + path_);
}

Status OutputFile::commit() {
  // The lock ends with the last descriptor, and others would clear up what has no lock and no name.
  const Fd locked(::fcntl(fd_.number(), F_DUPFD_CLOEXEC, 0));
  if (::close(fd_.release()) != 0) return errno_error("close " + path_);
  if (::rename(growing_.c_str(), path_.c_str()) != 0) return errno_error("rename to " + path_);
  growing_.clear();
  return {};
}

}  // namespace casemate::zoo
