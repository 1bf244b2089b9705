// SPDX-License-Identifier: Apache-2.0
// Re-tags memory with a protection key.
#include <sys/mman.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::pkey_mprotect(nullptr, 4096, PROT_READ, 0) == 0 ? "re-tagged memory" : "";
}

const Register sin("protect_with_key", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
