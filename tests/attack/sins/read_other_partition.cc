// SPDX-License-Identifier: Apache-2.0
// Opens a neighbour's root through every name that a jail might have left.
#include <fcntl.h>

#include "tests/fixture/sin.h"

namespace casemate::fixture {
namespace {

std::string commit() {
  return ::open("/../../roots/e1/model/model.onnx", O_RDONLY) >= 0 ? "opened a neighbour's model"
                                                                   : "";
}

const Register sin("read_other_partition", End::kKilled, commit);

}  // namespace
}  // namespace casemate::fixture
