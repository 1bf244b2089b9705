// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files through which a kernel or a library OS lets one ask hardware for evidence. They are no
// files: what is read depends on what was written, and an error's number says what is missing.
//
//   Owns     nothing.
//   Threads  any; another process may use the same files in between.
//   Trust    their content is hardware's word passed on by the kernel: bounded, and not looked at.
//   Fails    with the file, what was wrong, and what to do about it.

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::attest {

// The error in errno about `path`, and what to do about it.
Error root_file_error(const std::string& path);

// All of it, in as many reads as it takes. kTooLarge when it is more than `most` bytes.
Result<std::vector<uint8_t>> read_root_file(const std::string& path, size_t most);
// The same without the line's end; kInvalid when it is longer than a line or not printable.
Result<std::string> read_root_line(const std::string& path);
// In one write. What is written takes effect when the file is closed, before this returns.
Status write_root_file(const std::string& path, Bytes content);

}  // namespace casemate::attest
