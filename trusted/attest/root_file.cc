// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/root_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/format.h"

namespace casemate::attest {
namespace {

constexpr size_t kLine = 31;  // Text<32> holds it

struct Hint {
  int error;
  Code code;
  std::string_view what;
};
// As Documentation/ABI/testing/configfs-tsm-report of Linux has them.
constexpr Hint kHints[] = {
    {ENXIO, Code::kNotFound,
     "nothing here provides evidence: load the guest's driver (modprobe sev-guest, tdx_guest or "
     "arm-cca-guest), or start with another --root"},
    {EACCES, Code::kDenied, "may be used by root alone: start as root, or with another --root"},
    {EPERM, Code::kDenied, "may be used by root alone: start as root, or with another --root"},
    {EROFS, Code::kDenied, "cannot be written: in a container, mount it writable"},
    {EINVAL, Code::kPlatform,
     "the kernel does not take what was written: see its log, and update it"},
    {EFBIG, Code::kTooLarge,
     "the evidence is larger than this kernel passes on: update the kernel, or have the host "
     "provide fewer certificates"},
    {EBUSY, Code::kUnavailable,
     "somebody else writes to it and does not read: find and stop that program, then try again"},
    {ETIMEDOUT, Code::kTimedOut,
     "the host does not answer: have its operator look at the service that makes quotes"}};

}  // namespace

Error root_file_error(const std::string& path) {
  const auto hint = std::ranges::find(kHints, errno, &Hint::error);
  if (hint != std::end(kHints)) return {hint->code, formatted("{}: {}", path, hint->what)};
  Error error = errno_error(path);
  error.text += "; the kernel's log may say more";
  return error;
}

Result<std::vector<uint8_t>> read_root_file(const std::string& path, size_t most) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return root_file_error(path);
  std::vector<uint8_t> content(most + 1);
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = ::read(fd.number(), content.data() + size, content.size() - size);
    if (got < 0) return root_file_error(path);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > most)
    return Error{Code::kTooLarge,
                 formatted("{}: has more than the {} bytes that evidence has room for; have the "
                           "host provide fewer certificates",
                           path, most)};
  content.resize(size);
  return content;
}

Result<std::string> read_root_line(const std::string& path) {
  const auto content = TRY(read_root_file(path, kLine + 1));
  std::string line(text_of(content));
  if (line.ends_with('\n')) line.pop_back();
  if (line.empty() || line.size() > kLine ||
      !std::ranges::all_of(line, [](char c) { return c > ' ' && c < 127; }))
    return Error{Code::kInvalid,
                 formatted("{}: is no word of 1 to {} letters; update the kernel", path, kLine)};
  return line;
}

Status write_root_file(const std::string& path, Bytes content) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return root_file_error(path);
  const ssize_t written = ::write(fd.number(), content.data(), content.size());
  if (written < 0) return root_file_error(path);
  if (written != static_cast<ssize_t>(content.size()))
    return Error{Code::kPlatform, formatted("{}: took {} of {} bytes; update the kernel", path,
                                            written, content.size())};
  return {};
}

}  // namespace casemate::attest
