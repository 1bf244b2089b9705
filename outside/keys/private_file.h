// SPDX-License-Identifier: Apache-2.0
#pragma once
// Private files: small secrets that only this user can read, there whole or not at all: until they
// are whole they have no name, so that a process that is killed leaves nothing.
//
//   Owns     nothing.
//   Threads  any.
//   Trust    who else can write to the folder can take a file away, and not read or exchange it
//            unnoticed.
//   Fails    kNotFound, kDenied for a file that others can read or that is a link, kInvalid for one
//            of another size.

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::keys {

// The size of a regular file that is this user's and that no other can open.
Result<uint64_t> private_file_bytes(const std::string& path);
Result<std::vector<uint8_t>> read_private_file(const std::string& path, size_t size);
// The same of a text of up to so many bytes; kTooLarge beyond.
Result<std::vector<uint8_t>> read_private_text(const std::string& path, size_t most);
// On disk when it returns. Replaces nothing: kDenied where there is a file.
Status write_private_file(const std::string& path, Bytes content);

}  // namespace casemate::keys
