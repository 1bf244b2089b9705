// SPDX-License-Identifier: Apache-2.0
// Makes a TCP socket.
#include <sys/socket.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0 ? "made a TCP socket" : ""; }

const Register sin("connect_network", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
