// SPDX-License-Identifier: Apache-2.0
// Sends a signal to every process that it may signal.
#include <csignal>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::kill(-1, SIGKILL) == 0 ? "killed somebody" : ""; }

const Register sin("signal_everybody", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
