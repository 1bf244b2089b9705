// SPDX-License-Identifier: Apache-2.0
#pragma once
// StoreFiles: where a key store lies, looked at before any of it is read or made. A store is two
// files in a folder of its owner's: an SQLite database FILE, and FILE.key with the key that the
// keys in it are encrypted with. Neither is ever made for a path where the other is, or was: that
// would be an empty store in the place of one whose keys are wanted.
//
//   Owns     the store's key, which is cleared when it goes.
//   Threads  one; of several processes that make the same store one does.
//   Trust    a folder that others may write to is refused: they could exchange the files.
//   Fails    kNotFound, kDenied, kInvalid, with the file and what to do.

#include <string>

#include "base/clock.h"
#include "base/derive.h"
#include "base/result.h"

namespace casemate::keys {

class StoreFiles final {
 public:
  // With `make`, an empty database and its key where there is neither.
  static Result<StoreFiles> open(const std::string& path, Random& random, bool make);
  ~StoreFiles();
  StoreFiles(StoreFiles&& other) noexcept = default;

  // Of the database: absolute, without links.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const SecretKey& key() const { return key_; }

 private:
  StoreFiles() = default;
  std::string path_;
  SecretKey key_{};
};

// What is said of a path where no store is.
Error no_store(const std::string& path);

}  // namespace casemate::keys
