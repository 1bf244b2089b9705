// SPDX-License-Identifier: Apache-2.0
#pragma once
// ImageStore: a private copy of every program, library and model file that a jail may hold. Each
// file is copied once into a tmpfs that only the monitor's mount namespace knows, and hashed while
// it is copied. Roots of jails are folders of hard links to these copies, so what was measured is
// what runs, whatever happens to the original afterwards, and a restart neither reads nor hashes
// anything again.
//
//   Owns     the tmpfs; it goes with the monitor's mount namespace.
//   Threads  one.
//   Trust    sources are the operator's; only what was copied counts.
//   Fails    kNotFound, kInvalid (no regular file), kTooLarge, kPlatform; the text names the path.

#include <map>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/fd.h"
#include "base/result.h"
#include "trusted/allow/allow.h"

namespace casemate::jail {

class ImageStore final {
 public:
  struct Image {
    uint32_t number = 0;  // of the copy
    Sha384Digest digest{};
    uint64_t size = 0;
    std::string path{};  // of the copy
  };
  struct Link {
    uint32_t image = 0;
    std::string target;  // absolute, in the root
  };

  // Mounts the tmpfs at `folder`, which must exist. Requires: the process is alone in its mount
  // namespace.
  static Result<ImageStore> make(const allow::Spawn&, std::string folder);

  // Copies and hashes `source`, once per path.
  Result<Image> add(const std::string& source);
  // A folder that holds exactly `links`, and an empty /tmp where `scratch` asks for it; its path.
  Result<std::string> make_root(const std::string& name, std::span<const Link> links,
                                bool scratch = false);
  // No copy and no root can be added or changed from now on.
  Status freeze();

 private:
  explicit ImageStore(std::string folder) : folder_(std::move(folder)) {}
  Result<Image> copy(const std::string& source, uint32_t number);
  std::string folder_;
  std::map<std::string, Image> images_;
};

}  // namespace casemate::jail
