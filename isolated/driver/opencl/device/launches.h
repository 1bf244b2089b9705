// SPDX-License-Identifier: Apache-2.0
#pragma once
// Launches: the steps of a recipe, given to a queue of the device.
//
//   Owns     nothing.
//   Threads  a kernel is one thread's at a time.
//   Trust    recipes were checked; what they name is bound.
//   Fails    with kPlatform.

#include "isolated/driver/opencl/device/hardware.h"

namespace casemate::driver {

// Of all kernels alike: each other size would be compiled by itself.
inline constexpr size_t kGroupItems = 64;

// What the names in a recipe stand for.
struct Bound {
  std::vector<cl_mem> values;  // by value of the graph
  cl_mem scratch = nullptr;
  cl_mem product_scratch = nullptr;
  cl_mem flag = nullptr;
};

// Requires: the kernel is of this launch.
Status enqueue(cl_command_queue lane, cl_kernel kernel, const RecipeLaunch& launch,
               const Bound& bound);
Status enqueue(cl_command_queue lane, const RecipeProduct& product, const Bound& bound);
Status enqueue(cl_command_queue lane, const RecipeCopy& copy, const Bound& bound);
// What CLBlast wants beside the operands.
Result<uint64_t> scratch_bytes_of(cl_command_queue lane, const RecipeProduct& product);

}  // namespace casemate::driver
