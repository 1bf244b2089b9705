// SPDX-License-Identifier: Apache-2.0
#pragma once
// NumPy's .npy files (numpy.lib.format, versions 1 to 3): a tensor without a name.
//
//   0  \x93NUMPY, major, minor
//   8  length of the header: 2 bytes (version 1) or 4 (2 and 3), little-endian
//      {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }   a Python literal
//      the elements
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    files may be hostile: the header is parsed by a closed grammar and never evaluated.
//   Fails    kInvalid for a broken file, kUnsupported for element types that are no tensor's,
//            kTooLarge beyond limits::kTensorBytes; each with what to do in NumPy.

#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "outside/client/tensor.h"

namespace casemate::client {

// In row-major order, whatever order the file has. The name is left empty.
Result<Tensor> read_npy(Bytes file);
// Version 1. Fails with kUnsupported for BYTES and BF16, which NumPy has no form for.
Result<std::vector<uint8_t>> write_npy(const TensorView& tensor);

}  // namespace casemate::client
