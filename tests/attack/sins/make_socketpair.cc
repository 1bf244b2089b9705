// SPDX-License-Identifier: Apache-2.0
// Makes a socket pair, which could carry descriptors out.
#include <sys/socket.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  int ends[2];
  return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 ? "made a socket pair" : "";
}

const Register sin("make_socketpair", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
