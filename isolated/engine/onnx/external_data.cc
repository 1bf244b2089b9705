// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/external_data.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "base/format.h"
#include "isolated/engine/graph/name_text.h"

namespace casemate::engine {
namespace {

Error refused(Code code, const std::string& location, std::string_view reason) {
  return {code, formatted("external data '{}': {}", name_text(location), reason)};
}

}  // namespace

Result<ExternalData> ExternalData::make(const std::string& directory) {
  if (directory.empty()) return ExternalData(Fd());
  Fd folder(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return errno_error(formatted("opening the model's folder {}", directory));
  return ExternalData(std::move(folder));
}

Result<Fd> ExternalData::open(const std::string& location) const {
  if (!folder_.valid()) {
    return refused(Code::kDenied, location, "the model was given without a folder to read it from");
  }
  if (location.empty() || location.contains('\0')) {
    return refused(Code::kDenied, location, "is no file name");
  }
  open_how how{};
  // O_NONBLOCK: opening a FIFO must not wait for a writer that never comes.
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long number = ::syscall(SYS_openat2, folder_.number(), location.c_str(), &how, sizeof how);
  if (number >= 0) return Fd(static_cast<int>(number));
  switch (errno) {
    case EXDEV:
      return refused(Code::kDenied, location, "leads out of the model's folder");
    case ELOOP:
      return refused(Code::kDenied, location, "is, or passes through, a symbolic link");
    case ENOENT:
      return refused(Code::kNotFound, location, "there is no such file beside the model");
    default:
      return Error(errno_error(formatted("external data '{}'", name_text(location))));
  }
}

Result<std::string> ExternalData::read(const std::string& location, int64_t offset, int64_t length,
                                       uint64_t bytes_max) const {
  const Fd file = TRY(open(location));
  struct stat facts{};
  if (::fstat(file.number(), &facts) != 0)
    return errno_error(formatted("external data '{}'", name_text(location)));
  if (!S_ISREG(facts.st_mode)) return refused(Code::kDenied, location, "is not a regular file");
  if (offset > facts.st_size || (length >= 0 && length > facts.st_size - offset)) {
    return refused(Code::kInvalid, location,
                   formatted("offset {} and length {} pass its end at {} bytes", offset, length,
                             static_cast<int64_t>(facts.st_size)));
  }
  const auto count = static_cast<uint64_t>(length >= 0 ? length : facts.st_size - offset);
  if (count > bytes_max) {
    return refused(
        Code::kTooLarge, location,
        formatted("{} bytes are more than the {} that the model may still use", count, bytes_max));
  }
  std::string bytes(count, '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::pread(file.number(), bytes.data() + done, bytes.size() - done,
                                offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(formatted("reading external data '{}'", name_text(location)));
    if (got == 0) return refused(Code::kInvalid, location, "became shorter while it was read");
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace casemate::engine
