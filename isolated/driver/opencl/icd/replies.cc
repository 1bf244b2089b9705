// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/icd/replies.h"

#include <algorithm>

namespace casemate::opencl {
namespace {

using enum Form::Kind;

struct Range {
  Query query;
  cl_uint first, last;
  Form form;
};
constexpr Form kInt{kPlain, sizeof(cl_int)}, kLong{kPlain, sizeof(cl_ulong)},
    kSize{kPlain, sizeof(size_t)}, kSizes{kPlain, 3 * sizeof(size_t)}, kString{kText};
constexpr uint32_t kFormatsMax = 4096, kDimensionsMax = 64;

// OpenCL 1.2, tables 4.3, 5.13 to 5.15, 5.17 to 5.19 and 5.21. What is not here a device is not
// asked for.
constexpr Range kForms[] = {
    {Query::kDevice, CL_DEVICE_TYPE, CL_DEVICE_TYPE, kLong},
    {Query::kDevice, CL_DEVICE_VENDOR_ID, CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, kInt},
    {Query::kDevice, CL_DEVICE_MAX_WORK_GROUP_SIZE, CL_DEVICE_MAX_WORK_GROUP_SIZE, kSize},
    {Query::kDevice,
     CL_DEVICE_MAX_WORK_ITEM_SIZES,
     CL_DEVICE_MAX_WORK_ITEM_SIZES,
     {kList, sizeof(size_t), 1, kDimensionsMax}},
    {Query::kDevice, CL_DEVICE_PREFERRED_VECTOR_WIDTH_CHAR, CL_DEVICE_MAX_WRITE_IMAGE_ARGS, kInt},
    {Query::kDevice, CL_DEVICE_MAX_MEM_ALLOC_SIZE, CL_DEVICE_MAX_MEM_ALLOC_SIZE, kLong},
    {Query::kDevice, CL_DEVICE_IMAGE2D_MAX_WIDTH, CL_DEVICE_IMAGE3D_MAX_DEPTH, kSize},
    {Query::kDevice, CL_DEVICE_IMAGE_SUPPORT, CL_DEVICE_IMAGE_SUPPORT, kInt},
    {Query::kDevice, CL_DEVICE_MAX_PARAMETER_SIZE, CL_DEVICE_MAX_PARAMETER_SIZE, kSize},
    {Query::kDevice, CL_DEVICE_MAX_SAMPLERS, CL_DEVICE_MIN_DATA_TYPE_ALIGN_SIZE, kInt},
    {Query::kDevice, CL_DEVICE_SINGLE_FP_CONFIG, CL_DEVICE_SINGLE_FP_CONFIG, kLong},
    {Query::kDevice, CL_DEVICE_GLOBAL_MEM_CACHE_TYPE, CL_DEVICE_GLOBAL_MEM_CACHELINE_SIZE, kInt},
    {Query::kDevice, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE, kLong},
    {Query::kDevice, CL_DEVICE_MAX_CONSTANT_ARGS, CL_DEVICE_LOCAL_MEM_TYPE, kInt},
    {Query::kDevice, CL_DEVICE_LOCAL_MEM_SIZE, CL_DEVICE_LOCAL_MEM_SIZE, kLong},
    {Query::kDevice, CL_DEVICE_ERROR_CORRECTION_SUPPORT, CL_DEVICE_ERROR_CORRECTION_SUPPORT, kInt},
    {Query::kDevice, CL_DEVICE_PROFILING_TIMER_RESOLUTION, CL_DEVICE_PROFILING_TIMER_RESOLUTION,
     kSize},
    {Query::kDevice, CL_DEVICE_ENDIAN_LITTLE, CL_DEVICE_COMPILER_AVAILABLE, kInt},
    {Query::kDevice, CL_DEVICE_EXECUTION_CAPABILITIES, CL_DEVICE_QUEUE_PROPERTIES, kLong},
    {Query::kDevice, CL_DEVICE_NAME, CL_DEVICE_EXTENSIONS, kString},
    {Query::kDevice, CL_DEVICE_DOUBLE_FP_CONFIG, CL_DEVICE_DOUBLE_FP_CONFIG + 1, kLong},
    {Query::kDevice, CL_DEVICE_PREFERRED_VECTOR_WIDTH_HALF, CL_DEVICE_NATIVE_VECTOR_WIDTH_HALF,
     kInt},
    {Query::kDevice, CL_DEVICE_OPENCL_C_VERSION, CL_DEVICE_OPENCL_C_VERSION, kString},
    {Query::kDevice, CL_DEVICE_LINKER_AVAILABLE, CL_DEVICE_LINKER_AVAILABLE, kInt},
    {Query::kDevice, CL_DEVICE_BUILT_IN_KERNELS, CL_DEVICE_BUILT_IN_KERNELS, kString},
    {Query::kDevice, CL_DEVICE_IMAGE_MAX_BUFFER_SIZE, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE, kSize},
    {Query::kDevice, CL_DEVICE_PREFERRED_INTEROP_USER_SYNC, CL_DEVICE_PREFERRED_INTEROP_USER_SYNC,
     kInt},
    {Query::kDevice, CL_DEVICE_PRINTF_BUFFER_SIZE, CL_DEVICE_PRINTF_BUFFER_SIZE, kSize},
    {Query::kImageFormats,
     CL_MEM_OBJECT_IMAGE2D,
     CL_MEM_OBJECT_IMAGE1D_BUFFER,
     {kList, sizeof(cl_image_format), 0, kFormatsMax}},
    {Query::kProgram, CL_PROGRAM_BINARY_SIZES, CL_PROGRAM_BINARY_SIZES, kSize},
    {Query::kProgram, CL_PROGRAM_NUM_KERNELS, CL_PROGRAM_NUM_KERNELS, kSize},
    {Query::kProgram, CL_PROGRAM_KERNEL_NAMES, CL_PROGRAM_KERNEL_NAMES, kString},
    {Query::kProgramBuild, CL_PROGRAM_BUILD_STATUS, CL_PROGRAM_BUILD_STATUS, kInt},
    {Query::kProgramBuild, CL_PROGRAM_BUILD_OPTIONS, CL_PROGRAM_BUILD_LOG, kString},
    {Query::kProgramBuild, CL_PROGRAM_BINARY_TYPE, CL_PROGRAM_BINARY_TYPE, kInt},
    {Query::kProgramBinary, CL_PROGRAM_BINARIES, CL_PROGRAM_BINARIES, {kBytes}},
    {Query::kKernel, CL_KERNEL_FUNCTION_NAME, CL_KERNEL_FUNCTION_NAME, kString},
    {Query::kKernel, CL_KERNEL_NUM_ARGS, CL_KERNEL_NUM_ARGS, kInt},
    {Query::kKernel, CL_KERNEL_ATTRIBUTES, CL_KERNEL_ATTRIBUTES, kString},
    {Query::kKernelWorkGroup, CL_KERNEL_WORK_GROUP_SIZE, CL_KERNEL_WORK_GROUP_SIZE, kSize},
    {Query::kKernelWorkGroup, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
     kSizes},
    {Query::kKernelWorkGroup, CL_KERNEL_LOCAL_MEM_SIZE, CL_KERNEL_LOCAL_MEM_SIZE, kLong},
    {Query::kKernelWorkGroup, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
     CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, kSize},
    {Query::kKernelWorkGroup, CL_KERNEL_PRIVATE_MEM_SIZE, CL_KERNEL_PRIVATE_MEM_SIZE, kLong},
    {Query::kKernelWorkGroup, CL_KERNEL_GLOBAL_WORK_SIZE, CL_KERNEL_GLOBAL_WORK_SIZE, kSizes},
    {Query::kKernelArgument, CL_KERNEL_ARG_ADDRESS_QUALIFIER, CL_KERNEL_ARG_ACCESS_QUALIFIER, kInt},
    {Query::kKernelArgument, CL_KERNEL_ARG_TYPE_NAME, CL_KERNEL_ARG_TYPE_NAME, kString},
    {Query::kKernelArgument, CL_KERNEL_ARG_TYPE_QUALIFIER, CL_KERNEL_ARG_TYPE_QUALIFIER, kLong},
    {Query::kKernelArgument, CL_KERNEL_ARG_NAME, CL_KERNEL_ARG_NAME, kString},
    {Query::kEvent, CL_EVENT_COMMAND_EXECUTION_STATUS, CL_EVENT_COMMAND_EXECUTION_STATUS, kInt},
    {Query::kEventProfiling, CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_END, kLong},
};

}  // namespace

std::optional<Said> said(const srpc::Reply& reply, const Awaited& awaited) {
  if (code_from(reply.code) != Code::kOk) return Said{CL_INVALID_OPERATION, 0, {}};
  const Bytes value = reply.value();
  if (value.size() < sizeof(Outcome)) return std::nullopt;
  const auto outcome = load<Outcome>(value);
  const Bytes inside = value.subspan(sizeof outcome);
  // Negative numbers are the driver's there: vendors have some of their own.
  const int32_t status_max = awaited.early ? kNotYet : CL_SUCCESS;
  if (outcome.status > status_max || outcome.reserved != 0) return std::nullopt;
  const bool good = outcome.status == CL_SUCCESS;
  bool sound = outcome.size == 0;
  if (!inside.empty())
    sound = good && inside.size() <= awaited.inline_max && outcome.size == inside.size();
  else if (outcome.size != 0 && good)
    sound = outcome.size > kInlineAnswer && outcome.size <= awaited.room;
  else if (outcome.size != 0 && outcome.status == CL_OUT_OF_HOST_MEMORY)
    sound = awaited.inline_max != 0 && outcome.size > awaited.room;
  if (!sound) return std::nullopt;
  return Said{outcome.status, outcome.size, inside};
}

Form form_of(Query query, cl_uint parameter) {
  for (const Range& range : kForms)
    if (range.query == query && parameter >= range.first && parameter <= range.last)
      return range.form;
  return {};
}

bool fits(Bytes answer, const Form& form) {
  switch (form.kind) {
    case kPlain:
      return answer.size() == form.size;
    case kText:
      return !answer.empty() && std::ranges::find(answer, 0) == answer.end() - 1;
    case kList:
      return answer.size() % form.size == 0 && answer.size() / form.size >= form.least &&
             answer.size() / form.size <= form.most;
    case kBytes:
      return true;
    case kNone:
      break;
  }
  return false;
}

bool argument_kinds(Bytes answer) {
  return std::ranges::all_of(
      answer, [](uint8_t kind) { return kind <= static_cast<uint8_t>(Argument::kLocal); });
}

}  // namespace casemate::opencl
