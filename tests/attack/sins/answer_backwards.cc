// SPDX-License-Identifier: Apache-2.0
// Lets its completed index jump to the end of the number range.
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  void* ring = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, stream().replies, 0);
  *static_cast<volatile unsigned long*>(ring) = ~0ul - 3;
  ::usleep(200'000);  // an honest answer would put the index right again
  return "";
}

const Register sin("answer_backwards", End::kPoisoned, commit);

}  // namespace
}  // namespace casemate::fixture
