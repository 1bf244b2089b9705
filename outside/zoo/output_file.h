// SPDX-License-Identifier: Apache-2.0
#pragma once
// OutputFile: a file that is there whole or not at all.
//
// It grows as .casemate-* beside its place, and takes that place when it is complete: who reads
// there meets the old file or the new one. Unless it gets that far, nothing of it is left. What a
// process leaves that is killed meanwhile goes when the next file grows in that folder; a lock on
// it says that somebody still writes it.
//
//   Owns     the file until it is committed.
//   Threads  one at a time.
//   Trust    the path is the user's word. What is no regular file is never replaced.
//   Fails    kInvalid for a path that cannot hold a file; kPlatform with the system's reason, a
//            full disk before anything is written where the file system can tell.

#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace casemate::zoo {

class OutputFile final {
 public:
  // `size` is what will be appended in all, reserved beforehand.
  static Result<OutputFile> make(const std::string& path, uint64_t size);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  Status append(Bytes data);
  // Waits until all that was appended is on the disk.
  Status sync() const;
  // Puts the file in its place. Requires: called once, after all else but sync_place().
  Status commit();
  // Waits until the disk has it there. Requires: it was committed.
  Status sync_place() const;

 private:
  OutputFile(std::string path, std::string growing, Fd fd);

  std::string path_;
  std::string growing_;  // empty once the file is in its place
  Fd fd_;
};

}  // namespace casemate::zoo
