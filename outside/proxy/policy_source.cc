// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/policy_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/fd.h"
#include "base/format.h"
#include "outside/client/file.h"

namespace casemate::proxy {
namespace {

// More than a folder of collateral may have: reading it says so.
constexpr size_t kEntries = 10'000;
// Longer than a tick of the kernel's, and than what file systems of other machines round to.
constexpr int64_t kYoungSeconds = 2;
constexpr uint64_t kFileBytes = 8 << 20;  // a policy's; collateral has less

std::string facts_of(const std::string& path, const struct stat& facts) {
  return formatted("{} {} {} {} {}.{} {}.{}\n", path, facts.st_dev, facts.st_ino, facts.st_size,
                   facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec, facts.st_ctim.tv_sec,
                   facts.st_ctim.tv_nsec);
}

// What reads no file goes for one that says so.
Sha256Digest contents_of(const std::vector<std::string>& files) {
  std::string all;
  for (const std::string& path : files) {
    const auto content = client::read_file(path, kFileBytes);
    all += content ? to_hex(sha256(*content)) : content.error().text;
    all += '\n';
  }
  return sha256(bytes_of(std::string_view(all)));
}

bool no_descriptor_left() {
  const Fd any(::open("/", O_PATH | O_CLOEXEC));
  return !any.valid() && (errno == EMFILE || errno == ENFILE);
}

}  // namespace

Result<verify::Policy> PolicySource::read() {
  seen_.reset();
  // Before it is read: what changes meanwhile is seen the next time.
  Seen seen = look();
  if (seen.young) seen.contents = contents_of(seen.files);
  auto policy = read_();
  // What is wrong in a file stays wrong, and what the kernel could not do it perhaps can.
  if (!policy && policy.error().code != Code::kInvalid) policy = read_();
  if (policy) seen_ = std::move(seen);
  return policy;
}

Result<std::optional<verify::Policy>> PolicySource::changed() {
  if (seen_) {
    Seen now = look();
    if (now.facts == seen_->facts && (!seen_->young || contents_of(now.files) == seen_->contents)) {
      seen_->young = now.young;
      short_since_.reset();
      return std::optional<verify::Policy>();
    }
  }
  auto policy = read();
  if (policy) {
    short_since_.reset();
    return std::optional(*std::move(policy));
  }
  // That says nothing of the policy, and whoever is connected may give one back.
  if (no_descriptor_left()) {
    if (!short_since_) short_since_ = clock_.now();
    if (clock_.now() - *short_since_ < kPatience) return std::optional<verify::Policy>();
  }
  return policy.error();
}

// A folder's own times say nothing: what is fetched into it lies in a folder of its own first.
PolicySource::Seen PolicySource::look() const {
  Seen seen;
  const int64_t young = clock_.unix_seconds() - kYoungSeconds;
  std::vector<std::string> lines;
  const auto add = [&](const std::string& path, bool named) {
    struct stat facts{};
    if (::stat(path.c_str(), &facts) != 0) {
      lines.push_back(path + " cannot be looked at\n");
    } else if (S_ISREG(facts.st_mode)) {
      lines.push_back(facts_of(path, facts));
      seen.files.push_back(path);
      // A change sets this time, which nobody can set back.
      seen.young |= facts.st_ctim.tv_sec >= young;
    } else if (named) {
      lines.push_back(formatted("{} {} {}\n", path, facts.st_dev, facts.st_ino));
    }
  };
  for (const std::string& path : paths_) {
    add(path, true);
    std::error_code none;  // where it is no folder
    for (std::filesystem::directory_iterator at(path, none), end;
         !none && at != end && lines.size() < kEntries; at.increment(none))
      add(at->path().string(), false);
  }
  std::ranges::sort(lines);
  std::ranges::sort(seen.files);
  for (const std::string& line : lines) seen.facts += line;
  return seen;
}

}  // namespace casemate::proxy
