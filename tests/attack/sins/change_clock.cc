// SPDX-License-Identifier: Apache-2.0
// Sets the machine's clock.
#include <ctime>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  const timespec time{};
  return ::clock_settime(CLOCK_REALTIME, &time) == 0 ? "set the clock" : "";
}

const Register sin("change_clock", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
