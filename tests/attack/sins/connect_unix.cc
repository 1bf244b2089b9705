// SPDX-License-Identifier: Apache-2.0
// Makes a UNIX socket, to reach an abstract address of a neighbour.
#include <sys/socket.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? "made a UNIX socket" : ""; }

const Register sin("connect_unix", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
