// SPDX-License-Identifier: Apache-2.0
#pragma once
// Jail: one process of a running system as root sees it from outside, through /proc.

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace casemate::tests {

struct Jail {
  enum class Kind { kMos, kTemplate, kInstance, kSpare };  // a spare: not wanted yet

  pid_t pid = -1;
  Kind kind = Kind::kMos;
  std::string name;    // argv[0]: mos, gateway or model
  std::string root;    // of its files in the image store: p0, e1
  bool active = true;  // not of a standby

  // The words behind "Key:" in /proc/PID/status.
  [[nodiscard]] std::vector<std::string> status(const std::string& key) const;
  [[nodiscard]] std::string space(const std::string& kind) const;
  [[nodiscard]] std::vector<std::string> lines(const std::string& file) const;
  // Of its descriptors: number to what it refers to, as "socket:[7]", "/memfd:requests (deleted)".
  [[nodiscard]] std::map<int, std::string> descriptors() const;
  // True when that descriptor was opened for reading alone.
  [[nodiscard]] bool only_readable(int descriptor) const;
  // Everything below its root folder, as "/bin/mos"; folders with a slash behind.
  [[nodiscard]] std::set<std::string> files() const;
  [[nodiscard]] std::filesystem::path folder() const;  // /proc/PID
  [[nodiscard]] std::string title() const;
};

// Whatever lives below the monitor, active and standby.
std::vector<Jail> jails_of(pid_t monitor, const std::set<pid_t>& active_runtimes);

}  // namespace casemate::tests
