// SPDX-License-Identifier: Apache-2.0
// Makes the mapping of the caller's ring writable afterwards.
#include <sys/mman.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  void* ring = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, stream().requests, 0);
  return ::mprotect(ring, 4096, PROT_READ | PROT_WRITE) == 0 ? "can write the caller's ring" : "";
}

const Register sin("protect_requests_writable", End::kRefused, commit);

}  // namespace
}  // namespace casemate::fixture
