// SPDX-License-Identifier: Apache-2.0
#pragma once
// PolicySource: the file and the folder that a policy is read from, looked at again and again. It
// is read anew when stat(2) says anything else of one of them, or of a file in the folder: another
// inode, size or time.
//
//   Owns     what was seen.
//   Threads  one at a time.
//   Trust    the files are the user's own word; one that is half written is no policy, so replace
//            it by renaming.
//   Fails    with what reading says, and again each time until reading works.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outside/verify/policy.h"

namespace casemate::proxy {

class PolicySource final {
 public:
  using Read = std::function<Result<verify::Policy>()>;

  PolicySource(std::vector<std::string> paths, Read read)
      : paths_(std::move(paths)), read_(std::move(read)) {}

  Result<verify::Policy> read();
  // The policy where it has changed since it was read last; none: it has not.
  Result<std::optional<verify::Policy>> changed();

 private:
  [[nodiscard]] std::string look() const;

  std::vector<std::string> paths_;
  Read read_;
  std::optional<std::string> seen_;  // none: reading failed, or nobody has read yet
};

}  // namespace casemate::proxy
