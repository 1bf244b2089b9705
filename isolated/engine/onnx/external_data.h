// SPDX-License-Identifier: Apache-2.0
#pragma once
// ExternalData: bytes of files that a model names, read so that a model can only ever name files of
// its own folder.
//
// The kernel resolves the name below the open folder and refuses symbolic links, magic links and
// "..": there is no path for us to get wrong, and nothing to swap between check and use, because
// type and size are checked on the descriptor that is then read. A hard link is a file like any
// other: in a jail every file is one, laid out by the monitor from what it has measured, and the
// kernel lets nobody link what he may not read anyway (fs.protected_hardlinks).
//
//   Owns     the descriptor of the folder.
//   Threads  one.
//   Trust    none in names and numbers, nor in who else writes to the folder.
//   Fails    kDenied for a name that leads out or to no plain file, kInvalid for numbers beyond the
//            file, kNotFound.

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace casemate::engine {

class ExternalData final {
 public:
  // Files below `directory`; none at all if it is empty.
  static Result<ExternalData> make(const std::string& directory);

  // Bytes [offset, offset + length) of the file; to its end when `length` is negative. Requires:
  // offset >= 0. Fails with kTooLarge beyond `bytes_max`.
  Result<std::string> read(const std::string& location, int64_t offset, int64_t length,
                           uint64_t bytes_max) const;

 private:
  explicit ExternalData(Fd folder) : folder_(std::move(folder)) {}
  Result<Fd> open(const std::string& location) const;
  Fd folder_;
};

}  // namespace casemate::engine
