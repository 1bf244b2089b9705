// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/run_place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/format.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

// The folder itself is the lock: nothing else needs to be made, and it cannot be lost.
Fd lock_folder(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.valid() && ::flock(fd.number(), LOCK_EX | LOCK_NB) != 0) fd.reset();
  return fd;
}

// False also when that cannot be told.
bool nobody_listens(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  path.copy(address.sun_path, path.size());
  // Not blocking: one who listens and takes nobody in lives as well.
  const Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return fd.valid() &&
         ::connect(fd.number(), static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                   sizeof address) != 0 &&
         (errno == ECONNREFUSED || errno == ENOENT);
}

bool digits(const std::string& name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

void sweep(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> places;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (digits(it->path().filename().string())) places.push_back(it->path().string());
  }
  for (const std::string& place : places) {
    const Fd lock = lock_folder(place);
    if (lock.valid() && nobody_listens(place + "/operator")) fs::remove_all(place, error);
  }
}

}  // namespace

Result<RunPlace> RunPlace::make(const std::string& folder) {
  // Nobody else sweeps until the new place is locked.
  const Fd turn(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!turn.valid() || ::flock(turn.number(), LOCK_EX) != 0)
    return errno_error(formatted("locking {}", folder));
  sweep(folder);
  const std::string path = formatted("{}/{}", folder, ::getpid());
  if (::mkdir(path.c_str(), 0700) != 0) return errno_error(formatted("making {}", path));
  RunPlace place(path, lock_folder(path));
  if (!place.lock_.valid() || ::mkdir(place.images().c_str(), 0700) != 0)
    return errno_error(formatted("making {}", path));
  return place;
}

RunPlace::RunPlace(RunPlace&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}

RunPlace::~RunPlace() {
  std::error_code error;
  if (!path_.empty()) fs::remove_all(path_, error);
}

}  // namespace casemate::launch
