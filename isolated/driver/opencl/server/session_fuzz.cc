// SPDX-License-Identifier: Apache-2.0
// The fuzzer is a client, and OpenCL is a fake that stops the process at whatever a real one might
// not survive: a handle that is none, or memory that is not what it was said to be.
//
//   input: messages, each its call (1 byte), how many fields are changed (1 byte), and these, as
//   where (1 byte) and what (1 byte)
//
// One object of each kind is there from the start, and messages are good but for what is changed.
#include <cstdlib>
#include <new>

#include "isolated/driver/opencl/server/session.h"

namespace {

constexpr size_t kBulk = 4096;
uint8_t incoming[kBulk], outgoing[kBulk];

// Everything that has a handle. What is released is deleted, so that a later use is found.
struct Fake {
  uint32_t kind;
  int references = 1;
  size_t size = 0;
  bool set = false;
};
enum : uint32_t { kContext = 1, kQueue, kMemory, kSampler, kProgram, kKernel, kEvent };

void demand(bool good) {
  if (!good) std::abort();
}
template <class T>
Fake* check(T handle, uint32_t kind) {
  auto* fake = reinterpret_cast<Fake*>(handle);
  demand(fake != nullptr && fake->kind == kind && fake->references > 0);
  return fake;
}
template <class T>
T make(uint32_t kind, cl_int* status, size_t size = 0) {
  if (status != nullptr) *status = CL_SUCCESS;
  return reinterpret_cast<T>(new Fake{kind, 1, size});
}
template <class T>
cl_int let_go(T handle, uint32_t kind) {
  Fake* fake = check(handle, kind);
  if (--fake->references == 0) delete fake;
  return CL_SUCCESS;
}
cl_int command(cl_command_queue queue, cl_uint count, const cl_event* waits, cl_event* event) {
  check(queue, kQueue);
  demand((count == 0) == (waits == nullptr));
  for (cl_uint i = 0; i < count; ++i) check(waits[i], kEvent);
  if (event != nullptr) *event = make<cl_event>(kEvent, nullptr);
  return CL_SUCCESS;
}
void look_at(const void* data, size_t size) {
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum = sum + static_cast<const uint8_t*>(data)[i];
}
void in_buffer(cl_mem buffer, size_t offset, size_t size) {
  const Fake* fake = check(buffer, kMemory);
  demand(offset <= fake->size && size <= fake->size - offset);
}
cl_int answer(size_t room, void* value, size_t* size, size_t length) {
  if (size != nullptr) *size = length;
  if (value != nullptr) std::memset(value, 1, std::min(room, length));
  return CL_SUCCESS;
}

}  // namespace

// NOLINTBEGIN: these are OpenCL's own names and parameters.
extern "C" {
cl_int clReleaseContext(cl_context c) { return let_go(c, kContext); }
cl_int clReleaseCommandQueue(cl_command_queue q) { return let_go(q, kQueue); }
cl_int clReleaseMemObject(cl_mem m) { return let_go(m, kMemory); }
cl_int clReleaseSampler(cl_sampler s) { return let_go(s, kSampler); }
cl_int clReleaseProgram(cl_program p) { return let_go(p, kProgram); }
cl_int clReleaseKernel(cl_kernel k) { return let_go(k, kKernel); }
cl_int clReleaseEvent(cl_event e) { return let_go(e, kEvent); }
cl_int clFlush(cl_command_queue q) { return command(q, 0, nullptr, nullptr); }
cl_int clFinish(cl_command_queue q) { return command(q, 0, nullptr, nullptr); }

cl_context clCreateContext(const cl_context_properties*, cl_uint, const cl_device_id*,
                           void (*)(const char*, const void*, size_t, void*), void*, cl_int* s) {
  return make<cl_context>(kContext, s);
}
cl_command_queue clCreateCommandQueue(cl_context c, cl_device_id, cl_command_queue_properties,
                                      cl_int* s) {
  check(c, kContext);
  return make<cl_command_queue>(kQueue, s);
}
cl_mem clCreateBuffer(cl_context c, cl_mem_flags, size_t size, void* host, cl_int* s) {
  check(c, kContext);
  demand(host == nullptr && size != 0);
  return make<cl_mem>(kMemory, s, size);
}
cl_mem clCreateSubBuffer(cl_mem m, cl_mem_flags, cl_buffer_create_type, const void* info,
                         cl_int* s) {
  const auto* region = static_cast<const cl_buffer_region*>(info);
  in_buffer(m, region->origin, region->size);
  return make<cl_mem>(kMemory, s, region->size);
}
cl_mem clCreateImage(cl_context c, cl_mem_flags, const cl_image_format*, const cl_image_desc* d,
                     void* host, cl_int* s) {
  check(c, kContext);
  demand(host == nullptr);
  if (d->mem_object != nullptr) check(d->mem_object, kMemory);
  return make<cl_mem>(kMemory, s);
}
cl_sampler clCreateSampler(cl_context c, cl_bool, cl_addressing_mode, cl_filter_mode, cl_int* s) {
  check(c, kContext);
  return make<cl_sampler>(kSampler, s);
}
cl_event clCreateUserEvent(cl_context c, cl_int* s) {
  check(c, kContext);
  return make<cl_event>(kEvent, s);
}
cl_int clSetUserEventStatus(cl_event e, cl_int) {
  Fake* fake = check(e, kEvent);
  demand(!fake->set);
  fake->set = true;
  return CL_SUCCESS;
}
cl_program clCreateProgramWithSource(cl_context c, cl_uint, const char** text, const size_t* size,
                                     cl_int* s) {
  check(c, kContext);
  look_at(text[0], size[0]);
  return make<cl_program>(kProgram, s);
}
cl_program clCreateProgramWithBinary(cl_context c, cl_uint, const cl_device_id*, const size_t* size,
                                     const unsigned char** binary, cl_int*, cl_int* s) {
  check(c, kContext);
  look_at(binary[0], size[0]);
  return make<cl_program>(kProgram, s);
}
cl_int clBuildProgram(cl_program p, cl_uint, const cl_device_id*, const char* options,
                      void (*)(cl_program, void*), void*) {
  check(p, kProgram);
  look_at(options, std::strlen(options));
  return CL_SUCCESS;
}
cl_kernel clCreateKernel(cl_program p, const char* name, cl_int* s) {
  check(p, kProgram);
  look_at(name, std::strlen(name));
  return make<cl_kernel>(kKernel, s);
}
// Four arguments: a buffer, local memory, a value, a sampler.
cl_int clGetKernelInfo(cl_kernel k, cl_kernel_info what, size_t room, void* value, size_t* size) {
  check(k, kKernel);
  if (what != CL_KERNEL_NUM_ARGS || value == nullptr) return answer(room, value, size, 4);
  *static_cast<cl_uint*>(value) = 4;
  return CL_SUCCESS;
}
cl_int clGetKernelArgInfo(cl_kernel k, cl_uint index, cl_kernel_arg_info what, size_t room,
                          void* value, size_t* size) {
  check(k, kKernel);
  if (what == CL_KERNEL_ARG_ADDRESS_QUALIFIER && value != nullptr && room >= sizeof(cl_uint)) {
    constexpr cl_uint kQualifiers[] = {CL_KERNEL_ARG_ADDRESS_GLOBAL, CL_KERNEL_ARG_ADDRESS_LOCAL,
                                       CL_KERNEL_ARG_ADDRESS_PRIVATE,
                                       CL_KERNEL_ARG_ADDRESS_PRIVATE};
    *static_cast<cl_uint*>(value) = kQualifiers[index % 4];
    return CL_SUCCESS;
  }
  const char* name = index == 3 ? "sampler_t" : "int";
  if (size != nullptr) *size = std::strlen(name) + 1;
  if (value != nullptr) std::memcpy(value, name, std::min(room, std::strlen(name) + 1));
  return CL_SUCCESS;
}
cl_int clSetKernelArg(cl_kernel k, cl_uint index, size_t size, const void* value) {
  check(k, kKernel);
  demand(index < 4 && (value == nullptr) == (index == 1));
  if (index == 0 || index == 3) {
    Fake* object = nullptr;
    demand(size == sizeof object);
    std::memcpy(&object, value, size);
    if (object != nullptr || index == 3) check(object, index == 0 ? kMemory : kSampler);
  } else if (value != nullptr) {
    look_at(value, size);
  }
  return CL_SUCCESS;
}
cl_int clGetPlatformIDs(cl_uint, cl_platform_id*, cl_uint*) { return CL_INVALID_VALUE; }
cl_int clGetDeviceIDs(cl_platform_id, cl_device_type, cl_uint, cl_device_id*, cl_uint*) {
  return CL_INVALID_VALUE;
}
cl_int clGetDeviceInfo(cl_device_id, cl_device_info what, size_t room, void* value, size_t* size) {
  return answer(room, value, size, what % 512);
}
cl_int clGetProgramInfo(cl_program p, cl_program_info what, size_t room, void* value,
                        size_t* size) {
  check(p, kProgram);
  if (what == CL_PROGRAM_BINARIES) {
    std::memset(*static_cast<unsigned char**>(value), 2, 300);
  } else if (what == CL_PROGRAM_BINARY_SIZES && value != nullptr) {
    *static_cast<size_t*>(value) = 300;
  } else {
    return answer(room, value, size, 300);
  }
  return CL_SUCCESS;
}
cl_int clGetProgramBuildInfo(cl_program p, cl_device_id, cl_program_build_info, size_t room,
                             void* value, size_t* size) {
  check(p, kProgram);
  return answer(room, value, size, 700);
}
cl_int clGetKernelWorkGroupInfo(cl_kernel k, cl_device_id, cl_kernel_work_group_info, size_t room,
                                void* value, size_t* size) {
  check(k, kKernel);
  return answer(room, value, size, 24);
}
cl_int clGetEventInfo(cl_event e, cl_event_info, size_t room, void* value, size_t* size) {
  check(e, kEvent);
  if (value != nullptr) std::memset(value, 0, std::min<size_t>(room, 4));
  if (size != nullptr) *size = 4;
  return CL_SUCCESS;
}
cl_int clGetEventProfilingInfo(cl_event e, cl_profiling_info, size_t room, void* value,
                               size_t* size) {
  check(e, kEvent);
  return answer(room, value, size, 8);
}
cl_int clGetSupportedImageFormats(cl_context c, cl_mem_flags, cl_mem_object_type, cl_uint room,
                                  cl_image_format* formats, cl_uint* count) {
  check(c, kContext);
  if (count != nullptr) *count = 40;
  if (formats != nullptr) std::memset(formats, 0, std::min<size_t>(room, 40) * sizeof *formats);
  return CL_SUCCESS;
}
cl_int clWaitForEvents(cl_uint count, const cl_event* events) {
  for (cl_uint i = 0; i < count; ++i) check(events[i], kEvent);
  return CL_SUCCESS;
}
cl_int clRetainEvent(cl_event e) {
  ++check(e, kEvent)->references;
  return CL_SUCCESS;
}
cl_int clEnqueueNDRangeKernel(cl_command_queue q, cl_kernel k, cl_uint dimensions, const size_t*,
                              const size_t*, const size_t*, cl_uint n, const cl_event* w,
                              cl_event* e) {
  check(k, kKernel);
  demand(dimensions >= 1 && dimensions <= 3);
  return command(q, n, w, e);
}
cl_int clEnqueueWriteBuffer(cl_command_queue q, cl_mem m, cl_bool, size_t offset, size_t size,
                            const void* data, cl_uint n, const cl_event* w, cl_event* e) {
  in_buffer(m, offset, size);
  look_at(data, size);
  return command(q, n, w, e);
}
cl_int clEnqueueReadBuffer(cl_command_queue q, cl_mem m, cl_bool, size_t offset, size_t size,
                           void* data, cl_uint n, const cl_event* w, cl_event* e) {
  in_buffer(m, offset, size);
  std::memset(data, 3, size);
  return command(q, n, w, e);
}
cl_int clEnqueueCopyBuffer(cl_command_queue q, cl_mem from, cl_mem to, size_t from_offset,
                           size_t to_offset, size_t size, cl_uint n, const cl_event* w,
                           cl_event* e) {
  in_buffer(from, from_offset, size);
  in_buffer(to, to_offset, size);
  return command(q, n, w, e);
}
cl_int clEnqueueFillBuffer(cl_command_queue q, cl_mem m, const void* pattern, size_t pattern_size,
                           size_t offset, size_t size, cl_uint n, const cl_event* w, cl_event* e) {
  in_buffer(m, offset, size);
  look_at(pattern, pattern_size);
  return command(q, n, w, e);
}
cl_int clEnqueueWriteBufferRect(cl_command_queue q, cl_mem m, cl_bool, const size_t* origin,
                                const size_t*, const size_t* extent, size_t row, size_t slice,
                                size_t, size_t, const void* data, cl_uint n, const cl_event* w,
                                cl_event* e) {
  const auto end = casemate::opencl::box_end({origin[0], origin[1], origin[2]},
                                             {extent[0], extent[1], extent[2]}, row, slice);
  demand(end.has_value());
  in_buffer(m, 0, *end);
  look_at(data, extent[0] * extent[1] * extent[2]);
  return command(q, n, w, e);
}
cl_int clEnqueueReadBufferRect(cl_command_queue q, cl_mem m, cl_bool, const size_t* origin,
                               const size_t*, const size_t* extent, size_t row, size_t slice,
                               size_t, size_t, void* data, cl_uint n, const cl_event* w,
                               cl_event* e) {
  const auto end = casemate::opencl::box_end({origin[0], origin[1], origin[2]},
                                             {extent[0], extent[1], extent[2]}, row, slice);
  demand(end.has_value());
  in_buffer(m, 0, *end);
  std::memset(data, 4, extent[0] * extent[1] * extent[2]);
  return command(q, n, w, e);
}
cl_int clEnqueueCopyBufferRect(cl_command_queue q, cl_mem a, cl_mem b, const size_t*, const size_t*,
                               const size_t*, size_t, size_t, size_t, size_t, cl_uint n,
                               const cl_event* w, cl_event* e) {
  check(a, kMemory);
  check(b, kMemory);
  return command(q, n, w, e);
}
cl_int clEnqueueWriteImage(cl_command_queue q, cl_mem m, cl_bool, const size_t*,
                           const size_t* extent, size_t, size_t, const void* data, cl_uint n,
                           const cl_event* w, cl_event* e) {
  check(m, kMemory);
  look_at(data, extent[0] * extent[1] * extent[2]);
  return command(q, n, w, e);
}
cl_int clEnqueueReadImage(cl_command_queue q, cl_mem m, cl_bool, const size_t*,
                          const size_t* extent, size_t, size_t, void* data, cl_uint n,
                          const cl_event* w, cl_event* e) {
  check(m, kMemory);
  std::memset(data, 5, extent[0] * extent[1] * extent[2]);
  return command(q, n, w, e);
}
cl_int clEnqueueCopyImage(cl_command_queue q, cl_mem a, cl_mem b, const size_t*, const size_t*,
                          const size_t*, cl_uint n, const cl_event* w, cl_event* e) {
  check(a, kMemory);
  check(b, kMemory);
  return command(q, n, w, e);
}
cl_int clEnqueueCopyImageToBuffer(cl_command_queue q, cl_mem a, cl_mem b, const size_t*,
                                  const size_t*, size_t, cl_uint n, const cl_event* w,
                                  cl_event* e) {
  check(a, kMemory);
  check(b, kMemory);
  return command(q, n, w, e);
}
cl_int clEnqueueCopyBufferToImage(cl_command_queue q, cl_mem a, cl_mem b, size_t, const size_t*,
                                  const size_t*, cl_uint n, const cl_event* w, cl_event* e) {
  check(a, kMemory);
  check(b, kMemory);
  return command(q, n, w, e);
}
cl_int clEnqueueFillImage(cl_command_queue q, cl_mem m, const void* color, const size_t*,
                          const size_t*, cl_uint n, const cl_event* w, cl_event* e) {
  check(m, kMemory);
  look_at(color, 16);
  return command(q, n, w, e);
}
cl_int clEnqueueMarkerWithWaitList(cl_command_queue q, cl_uint n, const cl_event* w, cl_event* e) {
  return command(q, n, w, e);
}
cl_int clEnqueueBarrierWithWaitList(cl_command_queue q, cl_uint n, const cl_event* w, cl_event* e) {
  return command(q, n, w, e);
}
}
// NOLINTEND

namespace {

using namespace casemate;
using namespace casemate::opencl;

// What is there before the script begins.
constexpr uint32_t kOneContext = 1, kOneQueue = 2, kOneBuffer = 3, kTwoBuffer = 4, kOneImage = 5,
                   kOneProgram = 6, kOneKernel = 7, kOneSampler = 8, kOneEvent = 9, kNew = 10;
constexpr Command kOnQueue{.queue = kOneQueue};
constexpr Region kPiece{64, 64};

template <class T>
std::vector<uint8_t> message(const T& call) {
  const Bytes bytes = bytes_of(call);
  return {bytes.begin(), bytes.end()};
}
CreateKernel kernel(uint32_t id) {
  CreateKernel call{.id = id, .program = kOneProgram};
  call.name = decltype(call.name)::from("kernel");
  return call;
}
CreateImage image(uint32_t id) {
  return {.id = id,
          .context = kOneContext,
          .flags = 1,
          .order = CL_RGBA,
          .element = CL_UNSIGNED_INT8,
          .type = CL_MEM_OBJECT_IMAGE2D,
          .width = 4,
          .height = 4};
}

// A good message of each kind, by its number: one wrong field in it reaches as far as it can.
std::vector<std::vector<uint8_t>> good_messages() {
  const Triple flat{4, 4, 1}, box{16, 4, 1};
  return {
      {},
      message(QueryCall{.query = 1, .parameter = CL_DEVICE_NAME, .out = {0, kBulk}}),
      message(CreateContext{.id = kNew}),
      message(CreateQueue{.id = kNew, .context = kOneContext}),
      message(CreateBuffer{.id = kNew, .context = kOneContext, .flags = 1, .size = 64}),
      message(CreateSubBuffer{.id = kNew, .parent = kOneBuffer, .size = 32}),
      message(image(kNew)),
      message(CreateSampler{.id = kNew, .context = kOneContext}),
      message(CreateUserEvent{.id = kNew, .context = kOneContext}),
      message(CreateProgram{.id = kNew, .context = kOneContext, .text = kPiece}),
      message(BuildProgram{.id = kOneProgram, .options = {0, 0}}),
      message(kernel(kNew)),
      message(SetArgument{.kernel = kOneKernel, .kind = 2, .object = kOneBuffer}),
      message(Release{.kind = static_cast<uint32_t>(Kind::kMemory), .id = kOneBuffer}),
      message(Upload{.id = kOneBuffer, .data = kPiece}),
      message(Launch{.command = kOnQueue, .kernel = kOneKernel, .dimensions = 1}),
      message(WriteBuffer{.command = kOnQueue, .buffer = kOneBuffer, .data = kPiece}),
      message(ReadBuffer{.command = kOnQueue, .buffer = kOneBuffer, .data = kPiece}),
      message(
          CopyBuffer{.command = kOnQueue, .source = kOneBuffer, .target = kTwoBuffer, .size = 16}),
      message(FillBuffer{.command = kOnQueue, .buffer = kOneBuffer, .pattern_size = 4, .size = 16}),
      message(
          WriteRectangle{.command = kOnQueue, .buffer = kOneBuffer, .extent = box, .data = kPiece}),
      message(
          ReadRectangle{.command = kOnQueue, .buffer = kOneBuffer, .extent = box, .data = kPiece}),
      message(CopyRectangle{
          .command = kOnQueue, .source = kOneBuffer, .target = kTwoBuffer, .extent = box}),
      message(WriteImage{.command = kOnQueue, .image = kOneImage, .extent = flat, .data = kPiece}),
      message(ReadImage{.command = kOnQueue, .image = kOneImage, .extent = flat, .data = kPiece}),
      message(
          CopyImage{.command = kOnQueue, .source = kOneImage, .target = kOneImage, .extent = flat}),
      message(CopyImageToBuffer{
          .command = kOnQueue, .image = kOneImage, .buffer = kOneBuffer, .extent = flat}),
      message(CopyBufferToImage{
          .command = kOnQueue, .image = kOneImage, .buffer = kOneBuffer, .extent = flat}),
      message(FillImage{.command = kOnQueue, .image = kOneImage, .extent = flat}),
      message(Mark{.command = kOnQueue}),
      message(Flush{.queue = kOneQueue}),
      message(Finish{.queue = kOneQueue}),
      message(Wait{.bounded = 1, .count = 1, .events = {kOneEvent}}),
      message(SetUserEvent{.id = kOneEvent}),
  };
}

template <class T>
void say(Session& session, const T& call) {
  demand(session.handle(static_cast<uint32_t>(T::kCall), bytes_of(call)).outcome.status ==
         CL_SUCCESS);
}
void prepare(Session& session) {
  say(session, CreateContext{.id = kOneContext});
  say(session, CreateQueue{.id = kOneQueue, .context = kOneContext});
  for (const uint32_t id : {kOneBuffer, kTwoBuffer})
    say(session, CreateBuffer{.id = id, .context = kOneContext, .flags = 1, .size = 64});
  say(session, image(kOneImage));
  say(session, CreateProgram{.id = kOneProgram, .context = kOneContext, .text = kPiece});
  say(session, kernel(kOneKernel));
  say(session, CreateSampler{.id = kOneSampler, .context = kOneContext});
  say(session, CreateUserEvent{.id = kOneEvent, .context = kOneContext});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::vector<uint8_t>> good = good_messages();
  Bytes script{data, size};
  Session session(nullptr, incoming, outgoing, {.memory_bytes = 1 << 20, .objects = 16});
  prepare(session);
  while (script.size() >= 2) {
    const uint32_t call = script[0];
    const size_t words = script[1] % 8;
    script = script.subspan(2);
    std::vector<uint8_t> args = call < good.size() ? good[call] : std::vector<uint8_t>(9);
    // Each pair sets one 32-bit field.
    for (size_t i = 0; i < words && script.size() >= 2; ++i, script = script.subspan(2)) {
      const size_t at = script[0] * size_t{4};
      const uint32_t value = script[1] < 200 ? script[1] : ~0u << (script[1] - 200) % 32;
      if (at + 4 <= args.size()) std::memcpy(args.data() + at, &value, 4);
    }
    const Answer answer = session.handle(call, args);
    if (answer.value_size > answer.value.size()) std::abort();
  }
  return 0;
}
