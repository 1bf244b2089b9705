// SPDX-License-Identifier: Apache-2.0
#pragma once
// AnsweredCalls: system calls about files of one folder, answered by a test instead of by the
// kernel. The code under test runs as it is on a thread of its own, whose calls the kernel hands to
// us (seccomp's user notifications): any error of any call can be shown to it, and a rival can act
// between any two.
//
//   Owns     nothing between two runs.
//   Threads  the answers are given on the caller's thread while the other one waits.
//   Trust    the code under test is trusted: its pointers are followed.
//   Fails    run() returns false where this kernel or what contains us has no such notifications.

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"

namespace casemate::tests {

// A file system of few files. Answers are results or negative error numbers, as the kernel's are.
class Files {
 public:
  virtual ~Files() = default;
  // The number is the caller's for the file in what follows.
  virtual int64_t open(int number, const std::string& path, int flags) = 0;
  virtual int64_t read(int number, MutableBytes into) = 0;
  virtual int64_t write(int number, Bytes content) = 0;
  virtual int64_t close(int number) = 0;
  virtual int64_t make_folder(const std::string& path) = 0;
  virtual int64_t remove_folder(const std::string& path) = 0;
  virtual int64_t look(const std::string& path) = 0;
};

// Runs `body`; its calls about `folder` and what is in it go to `files`.
bool run_answered(const std::string& folder, Files& files, const std::function<void()>& body);

}  // namespace casemate::tests
