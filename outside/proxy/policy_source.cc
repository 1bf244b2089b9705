// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/policy_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/format.h"

namespace casemate::proxy {
namespace {

// More than a folder of collateral may have: reading it says so.
constexpr size_t kEntries = 10'000;

// Of what cannot be looked at: that.
std::string facts_of(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return path + " cannot be looked at\n";
  return formatted("{} {} {} {} {}.{} {}.{}\n", path, facts.st_dev, facts.st_ino, facts.st_size,
                   facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec, facts.st_ctim.tv_sec,
                   facts.st_ctim.tv_nsec);
}

}  // namespace

Result<verify::Policy> PolicySource::read() {
  seen_.reset();
  // Before it is read: what changes meanwhile is seen the next time.
  std::string seen = look();
  auto policy = TRY(read_());
  seen_ = std::move(seen);
  return policy;
}

Result<std::optional<verify::Policy>> PolicySource::changed() {
  if (seen_ && *seen_ == look()) return std::optional<verify::Policy>();
  return std::optional(TRY(read()));
}

std::string PolicySource::look() const {
  std::vector<std::string> seen;
  for (const std::string& path : paths_) {
    seen.push_back(facts_of(path));
    std::error_code none;  // where it is no folder
    for (std::filesystem::directory_iterator at(path, none), end;
         !none && at != end && seen.size() < kEntries; at.increment(none))
      seen.push_back(facts_of(at->path().string()));
  }
  std::ranges::sort(seen);
  std::string all;
  for (const std::string& line : seen) all += line;
  return all;
}

}  // namespace casemate::proxy
