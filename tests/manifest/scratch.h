// SPDX-License-Identifier: Apache-2.0
#pragma once
// Scratch: a folder of one test, with repositories and stand-ins for the built programs.
//
//   Owns     the folder and all in it.
//   Threads  one.
//   Trust    nothing in it is started.
//   Fails    the test, when the folder cannot be made.

#include <string>
#include <vector>

#include "base/result.h"
#include "outside/launch/repository.h"

namespace casemate::tests {

class Scratch final {
 public:
  Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // Makes the file and every folder above it; returns its path.
  std::string write(const std::string& name, const std::string& content) const;
  // Makes a folder of programs that have a loader and libraries, as describe() wants it; returns
  // its path. They are /bin/true.
  [[nodiscard]] std::string programs() const;

 private:
  std::string folder_;
};

// The error's text, or empty where there is none.
template <class T>
std::string refusal(const Result<T>& result) {
  return result ? std::string() : result.error().text;
}

// True for a text that an operator can read: one line, not empty, not cut by a zero.
bool sentence(const std::string& text);

// Models that exist nowhere but in this list; `files` each.
std::vector<launch::ModelFiles> models_named(const std::vector<std::string>& names,
                                             size_t files = 1);

}  // namespace casemate::tests
