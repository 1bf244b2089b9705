// SPDX-License-Identifier: Apache-2.0
// Shrinks a grant under its peer.
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() { return ::ftruncate(stream().replies, 0) == 0 ? "shrank a grant" : ""; }

const Register sin("shrink_grant", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
