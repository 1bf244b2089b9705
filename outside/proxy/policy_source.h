// SPDX-License-Identifier: Apache-2.0
#pragma once
// PolicySource: the file and the folder that a policy is read from, looked at again and again. It
// is read anew when stat(2) says anything else of the file, or of a file in the folder: another
// inode, size or time. Times are as coarse as the kernel's ticks, so a file that had just been
// changed is compared byte for byte as well.
//
//   Owns     what was seen.
//   Threads  one at a time.
//   Trust    the files are the user's own word; one that is half written is no policy, so replace
//            it by renaming.
//   Fails    with what reading says, and again each time until reading works; where this process
//            has no descriptor left, not before that has lasted for kPatience.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/crypto.h"
#include "outside/verify/policy.h"

namespace casemate::proxy {

class PolicySource final {
 public:
  using Read = std::function<Result<verify::Policy>()>;
  static constexpr Duration kPatience = std::chrono::seconds(5);

  // The clock outlives it.
  PolicySource(std::vector<std::string> paths, Read read, const Clock& clock = system_clock())
      : paths_(std::move(paths)), read_(std::move(read)), clock_(clock) {}

  Result<verify::Policy> read();
  // The policy where it has changed since it was read last; none: it has not.
  Result<std::optional<verify::Policy>> changed();

 private:
  struct Seen {
    std::string facts;
    std::vector<std::string> files;
    bool young = false;          // a file may change once more without another time
    Sha256Digest contents = {};  // where it is
  };
  [[nodiscard]] Seen look() const;

  std::vector<std::string> paths_;
  Read read_;
  const Clock& clock_;
  std::optional<Seen> seen_;            // none: reading failed, or nobody has read yet
  std::optional<Instant> short_since_;  // of descriptors
};

}  // namespace casemate::proxy
