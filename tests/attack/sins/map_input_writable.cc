// SPDX-License-Identifier: Apache-2.0
// Maps the bulk memory of inputs writable.
#include <sys/mman.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, stream().bulk_in, 0) !=
                 MAP_FAILED
             ? "mapped inputs writable"
             : "";
}

const Register sin("map_input_writable", End::kRefused, commit);

}  // namespace
}  // namespace casemate::fixture
