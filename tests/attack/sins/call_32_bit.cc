// SPDX-License-Identifier: Apache-2.0
// Enters the kernel through the 32-bit gate, where calls have other numbers.

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  int result = 0;
  asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
  return "called getpid as 32-bit code";
}

const Register sin("call_32_bit", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
