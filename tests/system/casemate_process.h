// SPDX-License-Identifier: Apache-2.0
#pragma once
// `casemate` of this build as a process, as users start it.
//
//   Owns     nothing: whoever starts one waits for it.
//   Threads  any.
//   Trust    none is needed.
//   Fails    by what the process prints and its exit code; 127 where it cannot be executed.

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace casemate::tests {

// A process whose output goes to the file `printed`, after a while; it ends with its parent.
pid_t start_casemate(std::vector<std::string> arguments, const std::string& printed,
                     std::chrono::milliseconds after = {});

// Runs it to its end; what it printed, behind the exit code and a space.
std::string run_casemate(const std::vector<std::string>& arguments, const std::string& printed);

// Nothing of a folder, which opens as if it could be read.
std::string content_of(const std::string& path);

}  // namespace casemate::tests
