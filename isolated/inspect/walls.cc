// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/walls.h"

#include <sys/resource.h>

#include <algorithm>
#include <ctime>

#include "base/lockdown/lockdown.h"

namespace casemate::inspect {
namespace {

// 0 to 4, the weights' memory file, and room for one more of a library's; four for each stream to a
// device.
constexpr uint64_t kFiles = 32;
// Beside weights and arena: the parsed file, the program, and a stream to measure memory with.
constexpr uint64_t kOverhead = 768ull << 20;
constexpr uint64_t kStack = 16ull << 20;  // of a thread, with what libraries keep for it

// Never above what is there already: only root may raise it.
Status limit(__rlimit_resource resource, uint64_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return errno_error("reading a resource limit");
  const rlim_t bound = std::min<rlim_t>(value, now.rlim_max);
  const rlimit limited{bound, bound};
  if (::setrlimit(resource, &limited) != 0) return errno_error("setting a resource limit");
  return {};
}

Status limit_resources(const Options& options) {
  const auto threads = static_cast<uint64_t>(options.threads);
  uint64_t data_bytes = options.memory_bytes_max + kOverhead + threads * kStack;
#ifdef __SANITIZE_ADDRESS__
  data_bytes = 0;  // its shadow of the whole address space would be counted
#endif
  TRY(lockdown::limit_resources({.files = kFiles, .data_bytes = data_bytes}));
  // Weights are in a memory file, which is no private memory.
  TRY(limit(RLIMIT_FSIZE, options.memory_bytes_max + (4ull << 20)));
  // Whoever started this ends it in time; should that one be gone, the kernel does.
  return limit(RLIMIT_CPU, options.seconds_max * threads + 5);
}

}  // namespace

Status raise_walls(const Options& options) {
  ::tzset();  // libc looks for the time zone's file once, and later cannot
  TRY(lockdown::forbid_new_privileges());
  TRY(lockdown::drop_capabilities());
  TRY(lockdown::make_undumpable());
  const std::string folder = options.folder();
  const int landlock = TRY(lockdown::restrict_files(folder.empty() ? nullptr : folder.c_str()));
  if (landlock == 0 && options.external_data) {
    return Error{Code::kUnsupported,
                 "this kernel has no Landlock, so that reading external data would mean reading "
                 "anything: put the weights into the model's own file"};
  }
  TRY(limit_resources(options));
  return lockdown::apply(options.external_data ? lockdown::Filter::kReader
                                               : lockdown::Filter::kInspect);
}

}  // namespace casemate::inspect
