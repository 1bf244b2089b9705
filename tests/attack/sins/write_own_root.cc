// SPDX-License-Identifier: Apache-2.0
// Makes a file in every folder of its root, and writes every file there: programs, libraries and
// the model, which its successors and others execute and read.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string write_into(const std::string& folder, int depth) {
  for (const int flags : {O_CREAT | O_WRONLY, O_TMPFILE | O_WRONLY}) {
    const std::string path = (flags & O_CREAT) != 0 ? folder + "/new" : folder + "/.";
    if (::open(path.c_str(), flags, 0600) >= 0) return "made a file in " + folder + "/";
  }
  const int listed = ::open(folder.empty() ? "/" : folder.c_str(), O_RDONLY | O_DIRECTORY);
  DIR* entries = listed >= 0 ? ::fdopendir(listed) : nullptr;
  if (entries == nullptr) return "could not even list " + folder + "/";
  while (const dirent* entry = ::readdir(entries)) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || depth == 0) continue;
    const std::string path = folder + "/" + name;
    const std::string gained =
        entry->d_type == DT_DIR ? write_into(path, depth - 1)
        : ::open(path.c_str(), O_WRONLY) >= 0 || ::open(path.c_str(), O_RDWR) >= 0
            ? "can write " + path
            : "";
    if (!gained.empty()) return gained;
  }
  ::closedir(entries);
  return "";
}

std::string commit() { return write_into("", 8); }

const Register sin("write_own_root", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
