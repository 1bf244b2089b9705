// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/processes.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "base/fd.h"
#include "base/format.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

// Fields of /proc/PID/stat behind the name, which may hold spaces: 0 is the state.
std::vector<std::string> stat_of(pid_t pid) {
  std::ifstream file(formatted("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(line.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

// Clock ticks from the machine's start to the process's, then its number.
std::pair<long, pid_t> age_rank(pid_t pid) {
  const auto stat = stat_of(pid);
  return {stat.size() > 19 ? std::stol(stat[19]) : 0, pid};
}

std::vector<pid_t> everybody() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const pid_t pid = std::atoi(it->path().filename().c_str());
    if (pid > 0) pids.push_back(pid);
  }
  return pids;
}

ino_t number_of(const Fd& space) {
  struct stat facts{};
  return space.valid() && ::fstat(space.number(), &facts) == 0 ? facts.st_ino : 0;
}

Fd space_of(pid_t pid) {
  return Fd(::open(formatted("/proc/{}/ns/pid", pid).c_str(), O_RDONLY | O_CLOEXEC));
}

// The living process that is the `index`th, by age, in PID namespaces directly inside that of
// `outer`.
pid_t inside(pid_t outer, size_t index) {
  const ino_t outside = outer > 0 ? number_of(space_of(outer)) : 0;
  if (outside == 0) return -1;
  std::vector<pid_t> found;
  for (const pid_t pid : everybody()) {
    const Fd own = space_of(pid);
    if (!own.valid() || number_of(own) == outside || !alive(pid)) continue;
    const Fd parent(::ioctl(own.number(), NS_GET_PARENT));
    if (number_of(parent) == outside) found.push_back(pid);
  }
  std::ranges::stable_sort(found, {}, age_rank);
  return index < found.size() ? found[index] : -1;
}

size_t lines_of(const std::string& path) {
  std::ifstream file(path);
  size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

}  // namespace

std::vector<pid_t> descendants(pid_t pid) {
  std::multimap<pid_t, pid_t> children;
  for (const pid_t each : everybody()) {
    const auto stat = stat_of(each);
    if (stat.size() > 1) children.emplace(std::stoi(stat[1]), each);
  }
  std::vector<pid_t> found = {pid};
  for (size_t i = 0; i < found.size(); ++i) {
    const auto [first, last] = children.equal_range(found[i]);
    for (auto it = first; it != last; ++it) found.push_back(it->second);
  }
  found.erase(found.begin());
  return found;
}

bool alive(pid_t pid) {
  const auto stat = stat_of(pid);
  return !stat.empty() && stat[0] != "Z" && stat[0] != "X";
}

pid_t template_of(pid_t mos, size_t index) { return inside(mos, index); }

pid_t instance_of(pid_t parent, size_t index) { return inside(parent, index); }

std::chrono::milliseconds processor_time(pid_t pid) {
  const auto stat = stat_of(pid);
  if (stat.size() < 13) return {};
  return std::chrono::milliseconds((std::stol(stat[11]) + std::stol(stat[12])) * 1000 /
                                   ::sysconf(_SC_CLK_TCK));
}

size_t resident_kib(pid_t pid) {
  std::ifstream file(formatted("/proc/{}/status", pid));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

Holdings holdings_of(pid_t monitor) {
  Holdings holdings;
  std::error_code error;
  for (fs::directory_iterator it(formatted("/proc/{}/fd", monitor), error), end;
       !error && it != end; it.increment(error)) {
    ++holdings.descriptors;
  }
  holdings.mounts = lines_of(formatted("/proc/{}/mountinfo", monitor));
  holdings.processes = descendants(monitor).size();
  holdings.groups = groups_of(monitor).size();
  holdings.memory_kib = resident_kib(monitor);
  return holdings;
}

Holdings calm_holdings_of(pid_t monitor) {
  Holdings holdings = holdings_of(monitor);
  for (int same = 0; same < 10;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const Holdings next = holdings_of(monitor);
    same = next.descriptors == holdings.descriptors && next.processes == holdings.processes
               ? same + 1
               : 0;
    holdings = next;
  }
  return holdings;
}

namespace {

// Adds the folders below `folder` that belong to `name`. A folder that somebody else removes
// meanwhile is passed over, and what lies beside it is not.
void add_groups(const fs::path& folder, const std::string& name, std::vector<std::string>& found) {
  std::vector<fs::path> inside;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it->is_directory(gone) && !it->is_symlink(gone)) inside.push_back(it->path());
  }
  for (const fs::path& path : inside) {
    const std::string text = path.string();
    const size_t at = text.find(name);
    const size_t after = at + name.size();
    if (at != std::string::npos &&
        (after == text.size() || text[after] == '/' || text[after] == '-'))
      found.push_back(text);
    add_groups(path, name, found);
  }
}

}  // namespace

std::vector<std::string> groups_of(pid_t monitor) {
  std::vector<std::string> found;
  add_groups("/sys/fs/cgroup", formatted("/casemate-{}", monitor), found);
  return found;
}

bool limited_by(pid_t monitor, const std::vector<std::string>& files) {
  for (const std::string& group : groups_of(monitor)) {
    for (const std::string& file : files) {
      if (group.ends_with("/p0") && fs::exists(group + "/" + file)) return true;
    }
  }
  return false;
}

}  // namespace casemate::tests
