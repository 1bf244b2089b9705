// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whole files, read and written at once.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    a path is the user's word; what it names may be anything, so only regular files up to
//            a size are read.
//   Fails    kNotFound, kTooLarge, kInvalid for what is no regular file, kPlatform.

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::client {

Result<std::vector<uint8_t>> read_file(const std::string& path, uint64_t size_max);
// Replaces what was there.
Status write_file(const std::string& path, Bytes data);

}  // namespace casemate::client
