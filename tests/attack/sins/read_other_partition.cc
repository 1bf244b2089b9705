// SPDX-License-Identifier: Apache-2.0
// Opens a neighbour's model by its true names, which it is told, through every way around a root
// that a jail might have left. Each would work if the old root were still somewhere above.
#include <fcntl.h>
#include <unistd.h>

#include <sstream>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  std::istringstream names(hint().empty() ? "/etc/passwd" : hint());
  for (std::string name; names >> name;) {
    for (const char* way : {"", "/..", "/../../../../..", ".", "..", "../../..", "/model/../../..",
                            "/proc/self/root", "/proc/1/root", "/proc/self/cwd", "/proc/1/cwd",
                            "/proc/self/fd/3/..", "/proc/self/root/..", "/proc/1/root/.."}) {
      if (::open((way + name).c_str(), O_RDONLY) >= 0) return "opened " + (way + name);
    }
  }
  return "";
}

const Register sin("read_other_partition", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
