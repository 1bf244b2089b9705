// SPDX-License-Identifier: Apache-2.0
// Maps the caller's ring writable: its descriptor is read-only.
#include <sys/mman.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, stream().requests, 0) !=
                 MAP_FAILED
             ? "mapped the caller's ring"
             : "";
}

const Register sin("map_requests_writable", End::kRefused, commit);

}  // namespace
}  // namespace casemate::fixture
