// SPDX-License-Identifier: Apache-2.0
#include "base/memory_file.h"

#include <linux/memfd.h>
#include <sys/mman.h>

#include <cerrno>

#include "base/format.h"

namespace casemate {

Result<Fd> make_memory_file(const char* name) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  Fd fd(::memfd_create(name, kFlags | MFD_NOEXEC_SEAL));
  // Linux before 6.3 does not know MFD_NOEXEC_SEAL. What goes without it there is one of several
  // reasons why memory cannot be executed; the filters are the others.
  if (!fd.valid() && errno == EINVAL) fd = Fd(::memfd_create(name, kFlags));
  if (!fd.valid()) return errno_error(formatted("making the memory file '{}'", name));
  return fd;
}

}  // namespace casemate
