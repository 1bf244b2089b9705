// SPDX-License-Identifier: Apache-2.0
// Any bytes as a .npy file. What is read must be written and read again to the same tensor.
#include "outside/client/npy.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace casemate;
  const auto tensor = client::read_npy({data, size});
  if (!tensor) return 0;
  const auto written = client::write_npy({tensor->type, tensor->shape, tensor->data});
  if (!written) std::abort();
  const auto again = client::read_npy(*written);
  if (!again || again->data != tensor->data || again->shape != tensor->shape) std::abort();
  return 0;
}
