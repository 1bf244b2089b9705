// SPDX-License-Identifier: Apache-2.0
// Seals a grant against shrinking, so that the monitor could not take it away.
#include <fcntl.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::fcntl(stream().replies, F_ADD_SEALS, F_SEAL_SHRINK) == 0 ? "sealed a grant" : "";
}

const Register sin("seal_grant", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
