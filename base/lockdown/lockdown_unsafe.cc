// SPDX-License-Identifier: Apache-2.0
// SAFETY: raw system calls whose structures the kernel headers define (sock_fprog, capability sets,
// landlock rules). All pointers passed are to locals or constants that outlive the call.
#include "base/lockdown/lockdown.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "base/check.h"
#include "base/fd.h"

namespace casemate::lockdown {
namespace {

#include "base/lockdown/filters.inc"

std::span<const sock_filter> code_of(Filter filter) {
  switch (filter) {
    case Filter::kStart:
      return kStart;
    case Filter::kMos:
      return kMos;
    case Filter::kTemplate:
      return kTemplate;
    case Filter::kSealed:
      return kSealed;
    case Filter::kModel:
      return kModel;
    case Filter::kGateway:
      return kGateway;
    case Filter::kInspect:
      return kInspect;
    case Filter::kReader:
      return kReader;
    case Filter::kProgram:
      return kProgram;
  }
  CHECK(false, "the enum is closed");
}

// Landlock grew with the kernel; newer bits are refused by older ones, so ask for what the ABI
// knows.
uint64_t file_rights(int abi) {
  uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // ABI 1: everything up to MAKE_SYM
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
  if (abi >= 5) rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
  return rights;
}

constexpr uint64_t kReading =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

Status allow(const Fd& rules, const char* folder, uint64_t rights) {
  const Fd root(::open(folder, O_PATH | O_CLOEXEC));
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = rights;
  beneath.parent_fd = root.number();
  if (!root.valid() || ::syscall(SYS_landlock_add_rule, rules.number(), LANDLOCK_RULE_PATH_BENEATH,
                                 &beneath, 0) != 0)
    return errno_error(folder);
  return {};
}

}  // namespace

Status forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return errno_error("forbidding new privileges");
  return {};
}

Status apply(Filter filter) {
  const auto code = code_of(filter);
  const sock_fprog program{static_cast<unsigned short>(code.size()),
                           const_cast<sock_filter*>(code.data())};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
    return errno_error("installing a system-call filter");
  }
  return {};
}

Status drop_capabilities() {
  constexpr int kBits = SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_SETUID_FIXUP |
                        SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                        SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (::prctl(PR_SET_SECUREBITS, kBits, 0, 0, 0) != 0 && errno != EPERM)
    return errno_error("locking securebits");
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM) {
      return errno_error("dropping a capability from the bounding set");
    }
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return errno_error("dropping capabilities");
  return {};
}

Status make_undumpable() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return errno_error("making the process undumpable");
  return {};
}

Result<int> restrict_files(const char* folder, const char* writable) {
  const auto abi = static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  if (abi <= 0) return 0;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = file_rights(abi);
  if (abi >= 4)
    attributes.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
  if (abi >= 6) attributes.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
  const Fd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules.valid()) return errno_error("making landlock rules");
  if (folder != nullptr) TRY(allow(rules, folder, kReading));
  if (writable != nullptr) TRY(allow(rules, writable, file_rights(abi)));
  if (::syscall(SYS_landlock_restrict_self, rules.number(), 0) != 0)
    return errno_error("applying landlock rules");
  return abi;
}

Status limit_resources(const ResourceLimits& limits) {
  const auto set = [](auto resource, uint64_t value) {
    // Only root may raise a hard limit: what is already lower stays.
    rlimit now{};
    if (::getrlimit(resource, &now) != 0) return false;
    const rlim_t bound = std::min<rlim_t>(value, now.rlim_max);
    const rlimit limit{bound, bound};
    return ::setrlimit(resource, &limit) == 0;
  };
  if (!set(RLIMIT_CORE, 0) || !set(RLIMIT_NOFILE, limits.files) || !set(RLIMIT_MSGQUEUE, 0) ||
      !set(RLIMIT_MEMLOCK, limits.locked_bytes) ||
      (limits.data_bytes != 0 && !set(RLIMIT_DATA, limits.data_bytes))) {
    return errno_error("setting resource limits");
  }
  return {};
}

Status close_from(int first) {
  if (::close_range(static_cast<unsigned>(first), ~0u, 0) != 0)
    return errno_error("closing inherited descriptors");
  return {};
}

}  // namespace casemate::lockdown
