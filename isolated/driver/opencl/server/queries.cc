// SPDX-License-Identifier: Apache-2.0
// Queries: only those whose answers are plain data. One that would answer with a handle, which is
// an address here, is the client's own to answer.
#include <span>

#include "isolated/driver/opencl/server/session.h"

namespace casemate::opencl {
namespace {

struct Parameters {
  Query query;
  cl_uint first, last;
};
constexpr Parameters kPlain[] = {
    {Query::kDevice, CL_DEVICE_TYPE, CL_DEVICE_EXTENSIONS},
    {Query::kDevice, CL_DEVICE_DOUBLE_FP_CONFIG, CL_DEVICE_OPENCL_C_VERSION},
    {Query::kDevice, CL_DEVICE_LINKER_AVAILABLE, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE},
    {Query::kDevice, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, CL_DEVICE_PRINTF_BUFFER_SIZE},
    {Query::kProgram, CL_PROGRAM_BINARY_SIZES, CL_PROGRAM_BINARY_SIZES},
    {Query::kProgram, CL_PROGRAM_NUM_KERNELS, CL_PROGRAM_KERNEL_NAMES},
    {Query::kProgramBuild, CL_PROGRAM_BUILD_STATUS, CL_PROGRAM_BINARY_TYPE},
    {Query::kProgramBinary, CL_PROGRAM_BINARIES, CL_PROGRAM_BINARIES},
    {Query::kKernel, CL_KERNEL_FUNCTION_NAME, CL_KERNEL_NUM_ARGS},
    {Query::kKernel, CL_KERNEL_ATTRIBUTES, CL_KERNEL_ATTRIBUTES},
    {Query::kKernelWorkGroup, CL_KERNEL_WORK_GROUP_SIZE, CL_KERNEL_GLOBAL_WORK_SIZE},
    {Query::kKernelArgument, CL_KERNEL_ARG_ADDRESS_QUALIFIER, CL_KERNEL_ARG_NAME},
    {Query::kEvent, CL_EVENT_COMMAND_EXECUTION_STATUS, CL_EVENT_COMMAND_EXECUTION_STATUS},
    {Query::kEventProfiling, CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_END},
    {Query::kImageFormats, CL_MEM_OBJECT_IMAGE2D, CL_MEM_OBJECT_IMAGE1D_BUFFER},
};

constexpr Parameters kTexts[] = {
    {Query::kDevice, CL_DEVICE_NAME, CL_DEVICE_EXTENSIONS},
    {Query::kDevice, CL_DEVICE_OPENCL_C_VERSION, CL_DEVICE_OPENCL_C_VERSION},
    {Query::kDevice, CL_DEVICE_BUILT_IN_KERNELS, CL_DEVICE_BUILT_IN_KERNELS},
    {Query::kProgram, CL_PROGRAM_KERNEL_NAMES, CL_PROGRAM_KERNEL_NAMES},
    {Query::kProgramBuild, CL_PROGRAM_BUILD_OPTIONS, CL_PROGRAM_BUILD_LOG},
    {Query::kKernel, CL_KERNEL_FUNCTION_NAME, CL_KERNEL_FUNCTION_NAME},
    {Query::kKernel, CL_KERNEL_ATTRIBUTES, CL_KERNEL_ATTRIBUTES},
    {Query::kKernelArgument, CL_KERNEL_ARG_TYPE_NAME, CL_KERNEL_ARG_TYPE_NAME},
    {Query::kKernelArgument, CL_KERNEL_ARG_NAME, CL_KERNEL_ARG_NAME},
};

bool in(std::span<const Parameters> all, const QueryCall& call) {
  return std::ranges::any_of(all, [&](const Parameters& p) {
    return p.query == static_cast<Query>(call.query) && call.parameter >= p.first &&
           call.parameter <= p.last;
  });
}

// Some drivers end a text with several NULs, or say that an empty one has no byte. The client,
// which trusts nobody here, takes a text with one NUL, its last byte, and nothing else.
void end_text(std::vector<uint8_t>& text) {
  text.erase(std::ranges::find(text, 0), text.end());
  text.push_back(0);
}

}  // namespace

Answer Session::ask(const QueryCall& call,
                    const std::function<cl_int(size_t, void*, size_t*)>& real) {
  size_t size = 0;
  cl_int status = real(0, nullptr, &size);
  if (status != CL_SUCCESS) return done(status);
  if (size > kAnswerMax) return done(CL_OUT_OF_HOST_MEMORY);
  std::vector<uint8_t> value(size);
  if (size != 0) status = real(size, value.data(), nullptr);
  if (in(kTexts, call)) end_text(value);
  return status == CL_SUCCESS ? with_value(status, value, call.out) : done(status);
}

Answer Session::query(const QueryCall& call) {
  const auto which = static_cast<Query>(call.query);
  if (!within(call.out, out_.size())) return malformed();
  if (!in(kPlain, call)) return done(CL_INVALID_VALUE);
  switch (which) {
    case Query::kDevice:
      return ask(call, [&](size_t size, void* value, size_t* needed) {
        return clGetDeviceInfo(device_, call.parameter, size, value, needed);
      });
    case Query::kImageFormats:
      return query_formats(call);
    case Query::kEvent:
    case Query::kEventProfiling:
      return query_event(call);
    case Query::kKernel:
    case Query::kKernelWorkGroup:
    case Query::kKernelArgument:
      return query_kernel(call);
    default:
      break;
  }
  Entry<Program>* program = programs_.find(call.object);
  if (const cl_int status = usable(program, CL_INVALID_PROGRAM); status != CL_SUCCESS)
    return done(status);
  if (which == Query::kProgramBinary) return query_binary(call, program->object.raw());
  return ask(call, [&](size_t size, void* value, size_t* needed) {
    return which == Query::kProgram
               ? clGetProgramInfo(program->object.raw(), call.parameter, size, value, needed)
               : clGetProgramBuildInfo(program->object.raw(), device_, call.parameter, size, value,
                                       needed);
  });
}

// OpenCL writes to where it is told; a context has one device, so there is one binary.
Answer Session::query_binary(const QueryCall& call, cl_program program) {
  size_t size = 0;
  const cl_int sized =
      clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr);
  if (sized != CL_SUCCESS) return done(sized);
  if (size > kAnswerMax) return done(CL_OUT_OF_HOST_MEMORY);
  std::vector<uint8_t> binary(size);
  uint8_t* where = binary.data();
  const cl_int status =
      clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof where, &where, nullptr);
  return status == CL_SUCCESS ? with_value(status, binary, call.out) : done(status);
}

Answer Session::query_event(const QueryCall& call) {
  const EventEntry* event = events_.find(call.object);
  if (event == nullptr) return done(CL_INVALID_EVENT);
  const bool profiling = static_cast<Query>(call.query) == Query::kEventProfiling;
  if (event->error != CL_SUCCESS) {
    return profiling ? done(CL_PROFILING_INFO_NOT_AVAILABLE)
                     : with_value(CL_SUCCESS, bytes_of(event->error), call.out);
  }
  const bool early = profiling && call.parameter != CL_PROFILING_COMMAND_END && event->begin;
  const cl_event about = early ? event->begin.raw() : event->object.raw();
  return ask(call, [&](size_t size, void* value, size_t* needed) {
    return profiling ? clGetEventProfilingInfo(about, call.parameter, size, value, needed)
                     : clGetEventInfo(about, call.parameter, size, value, needed);
  });
}

Answer Session::query_kernel(const QueryCall& call) {
  const KernelEntry* kernel = kernels_.find(call.object);
  if (const cl_int status = usable(kernel, CL_INVALID_KERNEL); status != CL_SUCCESS)
    return done(status);
  const cl_kernel about = kernel->object.raw();
  return ask(call, [&](size_t size, void* value, size_t* needed) {
    switch (static_cast<Query>(call.query)) {
      case Query::kKernel:
        return clGetKernelInfo(about, call.parameter, size, value, needed);
      case Query::kKernelWorkGroup:
        return clGetKernelWorkGroupInfo(about, device_, call.parameter, size, value, needed);
      default:
        return clGetKernelArgInfo(about, call.index, call.parameter, size, value, needed);
    }
  });
}

Answer Session::query_formats(const QueryCall& call) {
  const ContextEntry* context = contexts_.find(call.object);
  if (const cl_int status = usable(context, CL_INVALID_CONTEXT); status != CL_SUCCESS)
    return done(status);
  cl_uint count = 0;
  cl_int status = clGetSupportedImageFormats(context->object.raw(), call.index, call.parameter, 0,
                                             nullptr, &count);
  if (status != CL_SUCCESS) return done(status);
  std::vector<cl_image_format> formats(std::min<cl_uint>(count, 4096));
  status =
      clGetSupportedImageFormats(context->object.raw(), call.index, call.parameter,
                                 static_cast<cl_uint>(formats.size()), formats.data(), nullptr);
  std::vector<uint8_t> bytes;
  for (const cl_image_format& format : formats) {
    const Bytes one = bytes_of(format);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return status == CL_SUCCESS ? with_value(status, bytes, call.out) : done(status);
}

}  // namespace casemate::opencl
