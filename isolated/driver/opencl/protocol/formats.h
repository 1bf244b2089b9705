// SPDX-License-Identifier: Apache-2.0
#pragma once
// What both ends must know of image formats: how large a pixel is.

#include <cstdint>

namespace casemate::opencl {

// Bytes of a pixel by OpenCL's numbers for channel order and type; 0 for one that we do not know.
uint32_t pixel_size(uint32_t order, uint32_t type);

}  // namespace casemate::opencl
