// SPDX-License-Identifier: Apache-2.0
#include "trusted/jail/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/format.h"

namespace casemate::jail {
namespace {

constexpr const char* kMount = "/sys/fs/cgroup";
// Who has used up its quota stands still for the rest of the period, so that is short; but quotas
// below 1 ms are refused by the kernel, so the smallest ones, of 1 %, have the longest.
constexpr uint64_t kPeriodUsMin = 5'000;
constexpr uint64_t kPeriodUsMax = 100'000;

uint64_t period_us(uint32_t percent) {
  return std::clamp((kPeriodUsMax / percent + 99) / 100 * 100, kPeriodUsMin, kPeriodUsMax);
}

std::string read_text(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(16384, '\0');
  const ssize_t size = fd.valid() ? ::read(fd.number(), text.data(), text.size()) : 0;
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool write_text(const std::string& path, std::string_view text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd.valid() &&
         ::write(fd.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool has_word(const std::string& words, std::string_view word) {
  return formatted(" {} ", words).contains(formatted(" {} ", word));
}

// The path of this process in the hierarchy whose /proc/self/cgroup line carries `controller` (""
// is v2's).
std::string own_path(std::string_view controller) {
  const std::string lines = read_text("/proc/self/cgroup");
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = std::min(lines.find('\n', begin), lines.size());
    const std::string_view line = std::string_view(lines).substr(begin, end - begin);
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    begin = end + 1;
    if (second == std::string_view::npos) continue;
    const std::string names = formatted(",{},", line.substr(first + 1, second - first - 1));
    if (names.contains(formatted(",{},", controller))) return std::string(line.substr(second + 1));
  }
  return "";
}

// "0-1,4" from a mask.
std::string list_of(uint64_t mask) {
  std::string list;
  for (int cpu = 0; cpu < 64; ++cpu) {
    if ((mask >> cpu & 1) != 0) list += formatted("{}{}", list.empty() ? "" : ",", cpu);
  }
  return list;
}

Status set(const std::string& file, const std::string& value) {
  if (!write_text(file, value)) return errno_error(formatted("writing {} to {}", value, file));
  return {};
}

Status limit_unified(const std::string& folder, const std::string& controllers,
                     const GroupLimits& limits) {
  if (limits.memory_bytes != 0 && has_word(controllers, "memory")) {
    TRY(set(folder + "/memory.max", std::to_string(limits.memory_bytes)));
    write_text(folder + "/memory.swap.max", "0");
    write_text(folder + "/memory.oom.group", "1");
  }
  if (limits.processes != 0 && has_word(controllers, "pids"))
    TRY(set(folder + "/pids.max", std::to_string(limits.processes)));
  if (limits.cpu_percent != 0 && has_word(controllers, "cpu")) {
    TRY(set(folder + "/cpu.max",
            formatted("{} {}", limits.cpu_percent * period_us(limits.cpu_percent) / 100,
                      period_us(limits.cpu_percent))));
  }
  if (limits.cpu_mask != 0 && has_word(controllers, "cpuset"))
    TRY(set(folder + "/cpuset.cpus", list_of(limits.cpu_mask)));
  return {};
}

Status limit_legacy(const std::string& folder, const std::string& controller,
                    const GroupLimits& limits) {
  if (controller == "memory" && limits.memory_bytes != 0) {
    TRY(set(folder + "/memory.limit_in_bytes", std::to_string(limits.memory_bytes)));
    write_text(folder + "/memory.memsw.limit_in_bytes", std::to_string(limits.memory_bytes));
  }
  if (controller == "pids" && limits.processes != 0)
    TRY(set(folder + "/pids.max", std::to_string(limits.processes)));
  if (controller == "cpu" && limits.cpu_percent != 0) {
    const uint64_t period = period_us(limits.cpu_percent);
    TRY(set(folder + "/cpu.cfs_period_us", std::to_string(period)));
    TRY(set(folder + "/cpu.cfs_quota_us", std::to_string(limits.cpu_percent * period / 100)));
  }
  if (controller == "cpuset") {
    // A v1 cpuset is empty until it is filled, and nothing can enter an empty one.
    const std::string parent = folder.substr(0, folder.rfind('/'));
    TRY(set(folder + "/cpuset.mems", read_text(parent + "/cpuset.mems")));
    TRY(set(folder + "/cpuset.cpus",
            limits.cpu_mask != 0 ? list_of(limits.cpu_mask) : read_text(parent + "/cpuset.cpus")));
  }
  return {};
}

// Removes the groups below `folder`, deepest first; those that still have members stay.
void remove_tree(const std::string& folder, int depth) {
  const std::unique_ptr<DIR, int (*)(DIR*)> list(depth > 0 ? ::opendir(folder.c_str()) : nullptr,
                                                 ::closedir);
  while (const dirent* entry = list ? ::readdir(list.get()) : nullptr) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
      remove_tree(folder + "/" + entry->d_name, depth - 1);
    }
  }
  ::rmdir(folder.c_str());
}

// Groups of monitors that were killed before they could tidy up: ours are named after our process,
// and one that has our number already was left by another process of that number.
void sweep(const std::string& parent) {
  constexpr std::string_view kPrefix = "casemate-";
  constexpr int kDepth = 4;  // monitor, partition, enclave, one of its two
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(parent.c_str()), ::closedir);
  while (const dirent* entry = list ? ::readdir(list.get()) : nullptr) {
    const std::string_view name(entry->d_name);
    if (!name.starts_with(kPrefix)) continue;
    const auto pid = static_cast<pid_t>(std::atol(entry->d_name + kPrefix.size()));
    if (pid > 0 && (pid == ::getpid() || (::kill(pid, 0) != 0 && errno == ESRCH)))
      remove_tree(parent + "/" + entry->d_name, kDepth);
  }
}

}  // namespace

Group::~Group() {
  entrances_.clear();
  // A dying member may hold its group for a moment; the kernel refuses rmdir until it is gone.
  for (const std::string& folder : folders_) {
    for (int i = 0; i < 50 && ::rmdir(folder.c_str()) != 0 && errno == EBUSY; ++i) ::usleep(2000);
  }
}

std::vector<int> Group::entrances() const {
  std::vector<int> fds;
  for (const Fd& fd : entrances_) fds.push_back(fd.number());
  return fds;
}

bool Group::out_of_memory() {
  constexpr std::string_view kCount = "oom_kill ";
  uint64_t kills = 0;
  for (const std::string& folder : folders_) {
    for (const char* file : {"/memory.events", "/memory.oom_control"}) {  // v2, v1
      const std::string text = read_text(folder + file);
      if (const size_t at = text.find(kCount); at != text.npos)
        kills += std::strtoull(text.c_str() + at + kCount.size(), nullptr, 10);
    }
  }
  return std::exchange(oom_kills_, kills) < kills;
}

Cgroups Cgroups::open(const allow::Spawn&, const std::string& name) {
  Cgroups groups;
  if (::access(formatted("{}/cgroup.controllers", kMount).c_str(), F_OK) == 0) {
    groups.open_unified(own_path(""), name);
  } else {
    for (const char* controller : {"memory", "pids", "cpu", "cpuset"}) {
      groups.open_legacy(controller, own_path(controller), name);
    }
  }
  if (groups.hierarchies_.empty()) {
    groups.summary_ =
        "no cgroup of this process can be written: limits are per process (rlimits) only";
    return groups;
  }
  groups.summary_ = groups.hierarchies_.front().unified ? "cgroup v2:" : "cgroup v1:";
  for (const Hierarchy& h : groups.hierarchies_) groups.summary_ += " " + h.controllers;
  return groups;
}

void Cgroups::open_unified(const std::string& own, const std::string& name) {
  const std::string parent = formatted("{}{}", kMount, own == "/" ? "" : own);
  const std::string folder = parent + "/" + name;
  sweep(parent);
  const std::string available = read_text(parent + "/cgroup.controllers");
  if (::mkdir(folder.c_str(), 0755) != 0) return;
  Group top;
  top.folders_.push_back(folder);
  std::string enabled;
  for (const char* controller : {"memory", "pids", "cpu", "cpuset"}) {
    if (!has_word(available, controller)) continue;
    const std::string request = formatted("+{}", controller);
    if (!write_text(parent + "/cgroup.subtree_control", request) && errno == EBUSY) {
      // No group may hold both processes and limited children: step aside into a leaf of our own.
      const std::string aside = parent + "/" + name + "-monitor";
      if (::mkdir(aside.c_str(), 0755) == 0) top_.emplace_back().folders_.push_back(aside);
      write_text(aside + "/cgroup.procs", "0");
      write_text(parent + "/cgroup.subtree_control", request);
    }
    if (write_text(folder + "/cgroup.subtree_control", request))
      enabled += (enabled.empty() ? "" : " ") + std::string(controller);
  }
  top_.push_back(std::move(top));
  if (!enabled.empty()) hierarchies_.push_back({folder, enabled, true});
}

void Cgroups::open_legacy(const std::string& controller, const std::string& own,
                          const std::string& name) {
  const std::string mount = formatted("{}/{}", kMount, controller);
  std::string parent = mount + (own == "/" ? "" : own);
  if (::access((parent + "/cgroup.procs").c_str(), W_OK) != 0) return;
  const std::string folder = parent + "/" + name;
  sweep(parent);
  if (::mkdir(folder.c_str(), 0755) != 0) return;
  Group top;
  top.folders_.push_back(folder);
  top_.push_back(std::move(top));
  if (controller == "cpuset" && !limit_legacy(folder, controller, {})) return;
  hierarchies_.push_back({folder, controller, false});
}

bool Cgroups::controls(std::string_view controller) const {
  return std::ranges::any_of(
      hierarchies_, [&](const Hierarchy& h) { return has_word(h.controllers, controller); });
}

Result<Group> Cgroups::make_group(const std::string& path, const GroupLimits& limits,
                                  bool leaf) const {
  Group group;
  for (const Hierarchy& h : hierarchies_) {
    const std::string folder = h.folder + "/" + path;
    if (::mkdir(folder.c_str(), 0755) != 0)
      return errno_error(formatted("making the group {}", folder));
    group.folders_.push_back(folder);
    TRY(h.unified ? limit_unified(folder, h.controllers, limits)
                  : limit_legacy(folder, h.controllers, limits));
    if (!leaf) {
      if (h.unified) {
        for (const char* controller : {"memory", "pids", "cpu", "cpuset"}) {
          if (has_word(h.controllers, controller))
            write_text(folder + "/cgroup.subtree_control", formatted("+{}", controller));
        }
      }
      continue;
    }
    Fd entrance(::open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!entrance.valid()) return errno_error(formatted("opening the group {}", folder));
    group.entrances_.push_back(std::move(entrance));
  }
  return group;
}

}  // namespace casemate::jail
