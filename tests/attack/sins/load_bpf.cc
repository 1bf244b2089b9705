// SPDX-License-Identifier: Apache-2.0
// Loads a BPF program.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  char attributes[128] = {};
  return ::syscall(SYS_bpf, 5, attributes, sizeof attributes) >= 0 ? "loaded BPF" : "";
}

const Register sin("load_bpf", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
