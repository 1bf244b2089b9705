// SPDX-License-Identifier: Apache-2.0
#pragma once
// RunPlace: the folder of one run, with the operator's socket and the monitor's images.
//
//   <run folder>/<pid>/operator
//   <run folder>/<pid>/images
//
// A server that was killed leaves its folder. The next one removes it when two signs say that
// nobody uses it: nobody holds its lock, which the server has until it ends, and nobody listens on
// its socket, which the monitor does until it ends.
//
//   Owns     the folder and its lock; both end with it.
//   Threads  one.
//   Trust    the run folder is this user's alone, so what lies in it was put there by him.
//   Fails    with what could not be made; then nothing is left behind. Sweeping never fails: what
//            cannot be removed stays.

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace casemate::launch {

class RunPlace final {
 public:
  // Sweeps `folder`, then makes a place in it.
  static Result<RunPlace> make(const std::string& folder);
  RunPlace(RunPlace&& other) noexcept;
  RunPlace& operator=(RunPlace&&) = delete;
  ~RunPlace();

  [[nodiscard]] std::string socket() const { return path_ + "/operator"; }
  [[nodiscard]] std::string images() const { return path_ + "/images"; }

 private:
  RunPlace(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  Fd lock_;
};

}  // namespace casemate::launch
