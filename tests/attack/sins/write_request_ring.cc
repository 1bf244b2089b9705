// SPDX-License-Identifier: Apache-2.0
// Writes to the request ring, which is its caller's: mapped read-only, so the write is fatal.
#include <sys/mman.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  void* ring = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, stream().requests, 0);
  if (ring == MAP_FAILED) return "could not even map it";
  *static_cast<volatile unsigned long*>(ring) = 7;
  return "wrote the caller's index";
}

const Register sin("write_request_ring", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
