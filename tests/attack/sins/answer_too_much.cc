// SPDX-License-Identifier: Apache-2.0
// Claims to have completed calls that were never made.
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  void* ring = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, stream().replies, 0);
  *static_cast<volatile unsigned long*>(ring) = 1000;
  ::usleep(200'000);  // an honest answer would put the index right again
  return "";
}

const Register sin("answer_too_much", End::kPoisoned, commit);

}  // namespace
}  // namespace casemate::fixture
