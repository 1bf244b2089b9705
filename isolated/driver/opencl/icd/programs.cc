// SPDX-License-Identifier: Apache-2.0
// Programs and kernels.
#include <ranges>

#include "isolated/driver/opencl/icd/answers.h"
#include "isolated/driver/opencl/icd/api.h"
#include "isolated/driver/opencl/icd/driver.h"

namespace casemate::opencl {
namespace {

cl_program new_program(cl_context context, Bytes text, bool binary, cl_int* status) {
  Driver& driver = *Driver::instance();
  auto program = std::make_unique<_cl_program>();
  program->mark = _cl_program::kMark;
  program->id = driver.number();
  program->context = Reference<_cl_context>(context);
  if (!binary) program->source = text_of(text);
  CreateProgram call;
  call.id = program->id;
  call.context = context->id;
  call.binary = binary ? 1 : 0;
  const cl_int posted = driver.post_with(call, &CreateProgram::text, text);
  return made(posted == CL_SUCCESS ? program.release() : nullptr, posted, status);
}

cl_int asked(Query query, uint32_t object, uint32_t parameter, const Out& out, uint32_t index = 0) {
  QueryCall call;
  call.query = static_cast<uint32_t>(query);
  call.object = object;
  call.parameter = parameter;
  call.index = index;
  std::vector<uint8_t> answer;
  const cl_int status = Driver::instance()->query(call, answer);
  return status == CL_SUCCESS ? out.bytes(answer) : status;
}

// What a launch is checked against here, so that the program hears of it at once.
void learn_group_sizes(_cl_kernel& kernel) {
  const auto object = kernel.id;
  std::array<size_t, 3> required{};
  static_cast<void>(asked(Query::kKernelWorkGroup, object, CL_KERNEL_WORK_GROUP_SIZE,
                          {sizeof kernel.group_size_max, &kernel.group_size_max, nullptr}));
  static_cast<void>(asked(Query::kKernelWorkGroup, object, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                          {sizeof required, required.data(), nullptr}));
  std::ranges::copy(required, kernel.group_required.begin());
}

// The device is asked once after each build: what it says later must not be longer than the room
// that the program has made.
cl_int learn_binary_size(_cl_program& program, size_t& size) {
  size = program.binary_size;
  if (size != 0) return CL_SUCCESS;
  const cl_int status =
      asked(Query::kProgram, program.id, CL_PROGRAM_BINARY_SIZES, {sizeof size, &size, nullptr});
  if (status != CL_SUCCESS) return status;
  if (size > kAnswerMax) return CL_OUT_OF_HOST_MEMORY;
  program.binary_size = size;
  return CL_SUCCESS;
}

// A program fills no less of its room than what it was told.
cl_int copy_binary(_cl_program& program, unsigned char* where) {
  Driver& driver = *Driver::instance();
  size_t size = 0;
  if (const cl_int sized = learn_binary_size(program, size); sized != CL_SUCCESS) return sized;
  QueryCall call;
  call.query = static_cast<uint32_t>(Query::kProgramBinary);
  call.object = program.id;
  call.parameter = CL_PROGRAM_BINARIES;
  std::vector<uint8_t> answer;
  const cl_int status = driver.query(call, answer);
  if (status != CL_SUCCESS) return status;
  // Another thread may have built it anew between the two questions.
  if (answer.size() != size) return CL_INVALID_VALUE;
  std::ranges::copy(answer, where);
  return CL_SUCCESS;
}

cl_int check_launch(const _cl_kernel& kernel, cl_uint dimensions, const size_t* global,
                    const size_t* local) {
  if (dimensions < 1 || dimensions > 3) return CL_INVALID_WORK_DIMENSION;
  if (global == nullptr) return CL_INVALID_GLOBAL_WORK_SIZE;
  if (!std::ranges::all_of(kernel.given, [](bool given) { return given; }))
    return CL_INVALID_KERNEL_ARGS;
  const bool required = kernel.group_required[0] != 0;
  if (local == nullptr) return required ? CL_INVALID_WORK_GROUP_SIZE : CL_SUCCESS;
  uint64_t group = 1;
  for (cl_uint i = 0; i < dimensions; ++i) {
    if (local[i] == 0 || global[i] % local[i] != 0) return CL_INVALID_WORK_GROUP_SIZE;
    if (required && local[i] != kernel.group_required[i]) return CL_INVALID_WORK_GROUP_SIZE;
    if (__builtin_mul_overflow(group, local[i], &group)) return CL_INVALID_WORK_GROUP_SIZE;
  }
  const bool fits = kernel.group_size_max == 0 || group <= kernel.group_size_max;
  return fits ? CL_SUCCESS : CL_INVALID_WORK_GROUP_SIZE;
}

// Programs set all arguments again before each launch, of which most are what they were. Numbers of
// objects are not used twice, so that the same number is the same object.
cl_int post_argument(_cl_kernel& kernel, const SetArgument& call) {
  auto& told = kernel.told[call.index];
  if (told && std::ranges::equal(bytes_of(*told), bytes_of(call))) return CL_SUCCESS;
  const cl_int status = Driver::instance()->post(call);
  if (status == CL_SUCCESS) told = call;
  return status;
}

cl_int set_object(_cl_kernel& kernel, SetArgument call, size_t size, const void* value) {
  const void* handle = nullptr;
  if (size != sizeof handle) return CL_INVALID_ARG_SIZE;
  if (value != nullptr) std::memcpy(&handle, value, sizeof handle);
  if (static_cast<Argument>(call.kind) == Argument::kSampler) {
    const auto* sampler = static_cast<const _cl_sampler*>(handle);
    if (!valid(sampler)) return CL_INVALID_SAMPLER;
    call.object = sampler->id;
  } else if (handle != nullptr) {
    const auto* memory = static_cast<const _cl_mem*>(handle);
    if (!valid(memory)) return CL_INVALID_MEM_OBJECT;
    if (memory->context.raw() != kernel.context.raw()) return CL_INVALID_MEM_OBJECT;
    call.object = memory->id;
  }
  return post_argument(kernel, call);
}

}  // namespace

cl_program api::clCreateProgramWithSource(cl_context context, cl_uint count, const char** strings,
                                          const size_t* lengths, cl_int* status) {
  if (!valid(context)) return made(cl_program{}, CL_INVALID_CONTEXT, status);
  if (count == 0 || strings == nullptr) return made(cl_program{}, CL_INVALID_VALUE, status);
  std::string source;
  for (cl_uint i = 0; i < count; ++i) {
    if (strings[i] == nullptr) return made(cl_program{}, CL_INVALID_VALUE, status);
    const bool given = lengths != nullptr && lengths[i] != 0;
    source += given ? std::string_view(strings[i], lengths[i]) : std::string_view(strings[i]);
  }
  return new_program(context, bytes_of(std::string_view(source)), false, status);
}

cl_program api::clCreateProgramWithBinary(cl_context context, cl_uint count,
                                          const cl_device_id* devices, const size_t* lengths,
                                          const unsigned char** binaries, cl_int* binary_status,
                                          cl_int* status) {
  if (!valid(context)) return made(cl_program{}, CL_INVALID_CONTEXT, status);
  if (count != 1 || devices == nullptr || lengths == nullptr || binaries == nullptr ||
      lengths[0] == 0 || binaries[0] == nullptr)
    return made(cl_program{}, CL_INVALID_VALUE, status);
  const cl_program program = new_program(context, {binaries[0], lengths[0]}, true, status);
  if (binary_status != nullptr) *binary_status = program == nullptr ? CL_INVALID_VALUE : CL_SUCCESS;
  return program;
}

cl_program api::clCreateProgramWithBuiltInKernels(cl_context context, cl_uint, const cl_device_id*,
                                                  const char*, cl_int* status) {
  return made(cl_program{}, valid(context) ? CL_INVALID_VALUE : CL_INVALID_CONTEXT, status);
}
cl_int api::clRetainProgram(cl_program program) { return retain(program, CL_INVALID_PROGRAM); }
cl_int api::clReleaseProgram(cl_program program) { return release(program, CL_INVALID_PROGRAM); }

cl_int api::clBuildProgram(cl_program program, cl_uint, const cl_device_id*, const char* options,
                           void(CL_CALLBACK* notify)(cl_program, void*), void* data) {
  if (!valid(program)) return CL_INVALID_PROGRAM;
  if (notify == nullptr && data != nullptr) return CL_INVALID_VALUE;
  program->options = options == nullptr ? "" : options;
  BuildProgram call;
  call.id = program->id;
  const cl_int status = Driver::instance()->ask_with(call, &BuildProgram::options,
                                                     bytes_of(std::string_view(program->options)));
  program->binary_size = 0;  // not before: who asks meanwhile may be told of the old one
  if (notify != nullptr) notify(program, data);
  return status;
}

// One translation unit is what this driver builds.
cl_int api::clCompileProgram(cl_program program, cl_uint, const cl_device_id*, const char*, cl_uint,
                             const cl_program*, const char**, void(CL_CALLBACK*)(cl_program, void*),
                             void*) {
  return valid(program) ? CL_COMPILER_NOT_AVAILABLE : CL_INVALID_PROGRAM;
}
cl_program api::clLinkProgram(cl_context context, cl_uint, const cl_device_id*, const char*,
                              cl_uint, const cl_program*, void(CL_CALLBACK*)(cl_program, void*),
                              void*, cl_int* status) {
  return made(cl_program{}, valid(context) ? CL_LINKER_NOT_AVAILABLE : CL_INVALID_CONTEXT, status);
}

cl_int api::clGetProgramInfo(cl_program program, cl_program_info parameter, size_t room,
                             void* value, size_t* size) {
  if (!valid(program)) return CL_INVALID_PROGRAM;
  const Out out{room, value, size};
  switch (parameter) {
    case CL_PROGRAM_REFERENCE_COUNT:
      return out.plain(program->references.load());
    case CL_PROGRAM_CONTEXT:
      return out.plain(program->context.raw());
    case CL_PROGRAM_NUM_DEVICES:
      return out.plain(cl_uint{1});
    case CL_PROGRAM_DEVICES:
      return out.plain(Driver::instance()->device());
    case CL_PROGRAM_SOURCE:
      return out.text(program->source.c_str());
    case CL_PROGRAM_BINARY_SIZES: {
      size_t binary_size = 0;
      const cl_int status = learn_binary_size(*program, binary_size);
      return status == CL_SUCCESS ? out.plain(binary_size) : status;
    }
    case CL_PROGRAM_BINARIES: {
      if (size != nullptr) *size = sizeof(unsigned char*);
      if (value == nullptr) return CL_SUCCESS;
      if (room < sizeof(unsigned char*)) return CL_INVALID_VALUE;
      unsigned char* where = nullptr;
      std::memcpy(&where, value, sizeof where);
      return where == nullptr ? CL_SUCCESS : copy_binary(*program, where);
    }
    default:
      return asked(Query::kProgram, program->id, parameter, out);
  }
}

cl_int api::clGetProgramBuildInfo(cl_program program, cl_device_id device,
                                  cl_program_build_info parameter, size_t room, void* value,
                                  size_t* size) {
  if (!valid(program)) return CL_INVALID_PROGRAM;
  if (device != Driver::instance()->device()) return CL_INVALID_DEVICE;
  const Out out{room, value, size};
  if (parameter == CL_PROGRAM_BUILD_OPTIONS) return out.text(program->options.c_str());
  return asked(Query::kProgramBuild, program->id, parameter, out);
}

cl_kernel api::clCreateKernel(cl_program program, const char* name, cl_int* status) {
  if (!valid(program)) return made(cl_kernel{}, CL_INVALID_PROGRAM, status);
  if (name == nullptr) return made(cl_kernel{}, CL_INVALID_VALUE, status);
  Driver& driver = *Driver::instance();
  CreateKernel call;
  call.id = driver.number();
  call.program = program->id;
  call.name = decltype(call.name)::from(name);
  if (call.name.view() != name) return made(cl_kernel{}, CL_INVALID_KERNEL_NAME, status);
  std::vector<uint8_t> kinds;
  const cl_int answer = driver.ask(call, &kinds);
  if (answer != CL_SUCCESS) return made(cl_kernel{}, answer, status);
  if (!argument_kinds(kinds))
    return made(cl_kernel{}, driver.refuse("names kinds of arguments that there are not"), status);
  auto kernel = std::make_unique<_cl_kernel>();
  kernel->mark = _cl_kernel::kMark;
  kernel->id = call.id;
  kernel->context = Reference<_cl_context>(program->context.raw());
  kernel->program = Reference<_cl_program>(program);
  for (const uint8_t kind : kinds) kernel->arguments.push_back(static_cast<Argument>(kind));
  kernel->told.resize(kernel->arguments.size());
  kernel->given.resize(kinds.size());
  learn_group_sizes(*kernel);
  return made(kernel.release(), CL_SUCCESS, status);
}

cl_int api::clCreateKernelsInProgram(cl_program program, cl_uint room, cl_kernel* kernels,
                                     cl_uint* count) {
  if (!valid(program)) return CL_INVALID_PROGRAM;
  size_t size = 0;
  cl_int status = api::clGetProgramInfo(program, CL_PROGRAM_KERNEL_NAMES, 0, nullptr, &size);
  if (status != CL_SUCCESS) return status;
  std::string names(size, '\0');
  status = api::clGetProgramInfo(program, CL_PROGRAM_KERNEL_NAMES, size, names.data(), nullptr);
  if (status != CL_SUCCESS) return status;
  std::vector<cl_kernel> all;
  names = names.c_str();
  for (const auto word : std::views::split(names, ';')) {
    const std::string name(word.begin(), word.end());
    if (!name.empty() && kernels != nullptr)
      all.push_back(api::clCreateKernel(program, name.c_str(), &status));
    else if (!name.empty())
      all.push_back(nullptr);
    if (status == CL_SUCCESS && kernels != nullptr && all.size() > room) status = CL_INVALID_VALUE;
    if (status != CL_SUCCESS) break;
  }
  if (status != CL_SUCCESS) {
    for (const cl_kernel kernel : all)
      if (kernel != nullptr) drop(kernel);
    return status;
  }
  if (count != nullptr) *count = static_cast<cl_uint>(all.size());
  if (kernels != nullptr) std::ranges::copy(all, kernels);
  return CL_SUCCESS;
}

cl_int api::clRetainKernel(cl_kernel kernel) { return retain(kernel, CL_INVALID_KERNEL); }
cl_int api::clReleaseKernel(cl_kernel kernel) { return release(kernel, CL_INVALID_KERNEL); }

cl_int api::clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void* value) {
  if (!valid(kernel)) return CL_INVALID_KERNEL;
  if (index >= kernel->arguments.size()) return CL_INVALID_ARG_INDEX;
  SetArgument call;
  call.kernel = kernel->id;
  call.index = index;
  call.kind = static_cast<uint32_t>(kernel->arguments[index]);
  cl_int status = CL_SUCCESS;
  switch (kernel->arguments[index]) {
    case Argument::kMemory:
    case Argument::kSampler:
      status = set_object(*kernel, call, size, value);
      break;
    case Argument::kLocal:
      if (value != nullptr) return CL_INVALID_ARG_VALUE;
      if (size == 0) return CL_INVALID_ARG_SIZE;
      call.size = size;
      status = post_argument(*kernel, call);
      break;
    case Argument::kValue: {
      if (value == nullptr) return CL_INVALID_ARG_VALUE;
      if (size == 0 || size > kValueMax) return CL_INVALID_ARG_SIZE;
      const Bytes bytes(static_cast<const uint8_t*>(value), size);
      call.size = size;
      if (size <= kInlineValue) {
        std::ranges::copy(bytes, call.value.begin());
        status = post_argument(*kernel, call);
      } else {
        kernel->told[index].reset();
        status = Driver::instance()->post_with(call, &SetArgument::data, bytes);
      }
      break;
    }
    default:
      return CL_INVALID_KERNEL;
  }
  if (status == CL_SUCCESS) kernel->given[index] = true;
  return status;
}

cl_int api::clGetKernelInfo(cl_kernel kernel, cl_kernel_info parameter, size_t room, void* value,
                            size_t* size) {
  if (!valid(kernel)) return CL_INVALID_KERNEL;
  const Out out{room, value, size};
  switch (parameter) {
    case CL_KERNEL_REFERENCE_COUNT:
      return out.plain(kernel->references.load());
    case CL_KERNEL_CONTEXT:
      return out.plain(kernel->context.raw());
    case CL_KERNEL_PROGRAM:
      return out.plain(kernel->program.raw());
    default:
      return asked(Query::kKernel, kernel->id, parameter, out);
  }
}

cl_int api::clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device,
                                     cl_kernel_work_group_info parameter, size_t room, void* value,
                                     size_t* size) {
  if (!valid(kernel)) return CL_INVALID_KERNEL;
  if (device != nullptr && device != Driver::instance()->device()) return CL_INVALID_DEVICE;
  return asked(Query::kKernelWorkGroup, kernel->id, parameter, {room, value, size});
}

cl_int api::clGetKernelArgInfo(cl_kernel kernel, cl_uint index, cl_kernel_arg_info parameter,
                               size_t room, void* value, size_t* size) {
  if (!valid(kernel)) return CL_INVALID_KERNEL;
  if (index >= kernel->arguments.size()) return CL_INVALID_ARG_INDEX;
  return asked(Query::kKernelArgument, kernel->id, parameter, {room, value, size}, index);
}

cl_int api::clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                   const size_t* offset, const size_t* global, const size_t* local,
                                   cl_uint wait_count, const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  if (!valid(kernel)) return CL_INVALID_KERNEL;
  if (kernel->context.raw() != queue->context.raw()) return CL_INVALID_CONTEXT;
  const cl_int sound = check_launch(*kernel, dimensions, global, local);
  if (sound != CL_SUCCESS) return sound;
  Launch call;
  call.kernel = kernel->id;
  call.dimensions = dimensions;
  call.local_given = local != nullptr ? 1 : 0;
  for (cl_uint i = 0; i < dimensions; ++i) {
    if (offset != nullptr) call.offset[i] = offset[i];
    call.global[i] = global[i];
    if (local != nullptr) call.local[i] = local[i];
  }
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_NDRANGE_KERNEL, call,
                                     event);
}

cl_int api::clEnqueueTask(cl_command_queue queue, cl_kernel kernel, cl_uint wait_count,
                          const cl_event* waits, cl_event* event) {
  const size_t one = 1;
  return api::clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &one, &one, wait_count, waits,
                                     event);
}

cl_int api::clEnqueueNativeKernel(cl_command_queue queue, void(CL_CALLBACK*)(void*), void*, size_t,
                                  cl_uint, const cl_mem*, const void**, cl_uint, const cl_event*,
                                  cl_event*) {
  return valid(queue) ? CL_INVALID_OPERATION : CL_INVALID_COMMAND_QUEUE;
}

}  // namespace casemate::opencl
