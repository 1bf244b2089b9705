// SPDX-License-Identifier: Apache-2.0
// Looks for descriptors that somebody left open.
#include <fcntl.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

// The first three are held by something that nobody can use.
bool usable(int fd) {
  char byte = 0;
  return ::write(fd, "x", 1) >= 0 || ::read(fd, &byte, 1) > 0;
}

std::string commit() {
  const Stream& s = stream();
  for (int fd = 0; fd < 3; ++fd) {
    if (usable(fd)) return "descriptor " + std::to_string(fd) + " is of use";
  }
  for (int fd = 3; fd < 1024; ++fd) {
    if (fd == 3 || fd == s.requests || fd == s.replies || fd == s.bulk_in) continue;
    if (fd == s.bulk_out || fd == s.bell) continue;
    if (::fcntl(fd, F_GETFD) >= 0) return "descriptor " + std::to_string(fd) + " is open";
  }
  return "";
}

const Register sin("find_descriptors", End::kRefused, commit);

}  // namespace
}  // namespace casemate::fixture
