// SPDX-License-Identifier: Apache-2.0
#include "outside/client/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/format.h"

namespace casemate::client {

Result<std::vector<uint8_t>> read_file(const std::string& path, uint64_t size_max) {
  // Not blocking: opening a FIFO would otherwise wait for a writer.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid() && errno == ENOENT)
    return Error{Code::kNotFound, formatted("there is no file {}", path)};
  if (!fd.valid()) return errno_error("open " + path);
  struct stat facts{};
  if (::fstat(fd.number(), &facts) != 0) return errno_error("stat " + path);
  if (!S_ISREG(facts.st_mode))
    return Error{Code::kInvalid, formatted("{} is no regular file", path)};
  if (static_cast<uint64_t>(facts.st_size) > size_max) {
    return Error{Code::kTooLarge,
                 formatted("{} has {} bytes, over the limit of {}", path, facts.st_size, size_max)};
  }
  std::vector<uint8_t> data(static_cast<size_t>(facts.st_size));
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t size = ::read(fd.number(), data.data() + done, data.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error("read " + path);
    if (size == 0) break;
    done += static_cast<size_t>(size);
  }
  data.resize(done);
  return data;
}

Status write_file(const std::string& path, Bytes data) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd.valid()) return errno_error("create " + path);
  while (!data.empty()) {
    const ssize_t size = ::write(fd.number(), data.data(), data.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error("write " + path);
    data = data.subspan(static_cast<size_t>(size));
  }
  if (::close(fd.release()) != 0) return errno_error("close " + path);
  return {};
}

}  // namespace casemate::client
