// SPDX-License-Identifier: Apache-2.0
// Commands on buffers.
#include "isolated/driver/opencl/icd/answers.h"
#include "isolated/driver/opencl/icd/api.h"
#include "isolated/driver/opencl/icd/driver.h"

namespace casemate::opencl {
namespace {

cl_int check_range(cl_mem buffer, uint64_t offset, uint64_t size) {
  if (!valid(buffer) || buffer->pixel != 0) return CL_INVALID_MEM_OBJECT;
  return size != 0 && within(offset, size, buffer->size) ? CL_SUCCESS : CL_INVALID_VALUE;
}

Triple triple(const size_t* values) { return {values[0], values[1], values[2]}; }

// A box in a buffer, or in the program's memory, with its pitches made explicit.
struct Rectangle {
  Triple origin{};
  Triple extent{};
  uint64_t row_pitch = 0;
  uint64_t slice_pitch = 0;

  Rectangle(const size_t* where, const size_t* region, size_t row, size_t slice)
      : origin(triple(where)), extent(triple(region)) {
    row_pitch = row != 0 ? row : extent[0];
    slice_pitch = slice != 0 ? slice : row_pitch * extent[1];
  }
  [[nodiscard]] std::optional<uint64_t> end() const {
    return box_end(origin, extent, row_pitch, slice_pitch);
  }
  [[nodiscard]] HostBox box(void* memory) const {
    return {
        static_cast<uint8_t*>(memory) + origin[0] + origin[1] * row_pitch + origin[2] * slice_pitch,
        extent, row_pitch, slice_pitch};
  }
  [[nodiscard]] cl_int check_in(cl_mem buffer) const {
    const auto last = end();
    return last ? check_range(buffer, 0, *last) : CL_INVALID_VALUE;
  }
};

Triple moved(const Triple& origin, const Triple& by) {
  return {origin[0] + by[0], origin[1] + by[1], origin[2] + by[2]};
}

template <class T>
T box_call(cl_mem buffer, const Rectangle& in, const Triple& at, const Triple& extent) {
  T call;
  call.buffer = buffer->id;
  call.row_pitch = in.row_pitch;
  call.slice_pitch = in.slice_pitch;
  call.origin = moved(in.origin, at);
  call.extent = extent;
  return call;
}

}  // namespace

cl_int api::clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                size_t offset, size_t size, void* host, cl_uint wait_count,
                                const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  const cl_int sound = check_range(buffer, offset, size);
  if (sound != CL_SUCCESS) return sound;
  if (host == nullptr) return CL_INVALID_VALUE;
  if (buffer->context.raw() != queue->context.raw()) return CL_INVALID_CONTEXT;
  return Driver::instance()->read(queue, buffer, blocking != 0, offset,
                                  {static_cast<uint8_t*>(host), size}, {wait_count, waits},
                                  CL_COMMAND_READ_BUFFER, event);
}

cl_int api::clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                 size_t offset, size_t size, const void* host, cl_uint wait_count,
                                 const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  const cl_int sound = check_range(buffer, offset, size);
  if (sound != CL_SUCCESS) return sound;
  if (host == nullptr) return CL_INVALID_VALUE;
  if (buffer->context.raw() != queue->context.raw()) return CL_INVALID_CONTEXT;
  // The data is on its way when this returns, so that a blocking write has nothing to wait for.
  return Driver::instance()->write(queue, buffer, blocking != CL_FALSE, offset,
                                   {static_cast<const uint8_t*>(host), size}, {wait_count, waits},
                                   CL_COMMAND_WRITE_BUFFER, event);
}

cl_int api::clEnqueueCopyBuffer(cl_command_queue queue, cl_mem source, cl_mem target,
                                size_t source_offset, size_t target_offset, size_t size,
                                cl_uint wait_count, const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  cl_int sound = check_range(source, source_offset, size);
  if (sound == CL_SUCCESS) sound = check_range(target, target_offset, size);
  if (sound != CL_SUCCESS) return sound;
  const bool overlap = source == target && source_offset < target_offset + size &&
                       target_offset < source_offset + size;
  if (overlap) return CL_MEM_COPY_OVERLAP;
  CopyBuffer call;
  call.source = source->id;
  call.target = target->id;
  call.source_offset = source_offset;
  call.target_offset = target_offset;
  call.size = size;
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_COPY_BUFFER, call,
                                     event);
}

cl_int api::clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void* pattern,
                                size_t pattern_size, size_t offset, size_t size, cl_uint wait_count,
                                const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  const cl_int sound = check_range(buffer, offset, size);
  if (sound != CL_SUCCESS) return sound;
  FillBuffer call;
  if (pattern == nullptr || !std::has_single_bit(pattern_size) ||
      pattern_size > call.pattern.size() || offset % pattern_size != 0 || size % pattern_size != 0)
    return CL_INVALID_VALUE;
  call.buffer = buffer->id;
  call.pattern_size = static_cast<uint32_t>(pattern_size);
  call.offset = offset;
  call.size = size;
  std::copy_n(static_cast<const uint8_t*>(pattern), pattern_size, call.pattern.begin());
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_FILL_BUFFER, call,
                                     event);
}

cl_int api::clEnqueueReadBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                    const size_t* buffer_origin, const size_t* host_origin,
                                    const size_t* region, size_t buffer_row, size_t buffer_slice,
                                    size_t host_row, size_t host_slice, void* host,
                                    cl_uint wait_count, const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  if (host == nullptr || buffer_origin == nullptr || host_origin == nullptr || region == nullptr)
    return CL_INVALID_VALUE;
  const Rectangle in(buffer_origin, region, buffer_row, buffer_slice);
  const Rectangle here(host_origin, region, host_row, host_slice);
  const cl_int sound = in.check_in(buffer);
  if (sound != CL_SUCCESS) return sound;
  if (!here.end()) return CL_INVALID_VALUE;
  return Driver::instance()->read_box(queue, blocking != 0, here.box(host), {wait_count, waits},
                                      CL_COMMAND_READ_BUFFER_RECT, event,
                                      [&](const Triple& at, const Triple& extent) {
                                        return box_call<ReadRectangle>(buffer, in, at, extent);
                                      });
}

cl_int api::clEnqueueWriteBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool,
                                     const size_t* buffer_origin, const size_t* host_origin,
                                     const size_t* region, size_t buffer_row, size_t buffer_slice,
                                     size_t host_row, size_t host_slice, const void* host,
                                     cl_uint wait_count, const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  if (host == nullptr || buffer_origin == nullptr || host_origin == nullptr || region == nullptr)
    return CL_INVALID_VALUE;
  const Rectangle in(buffer_origin, region, buffer_row, buffer_slice);
  const Rectangle here(host_origin, region, host_row, host_slice);
  const cl_int sound = in.check_in(buffer);
  if (sound != CL_SUCCESS) return sound;
  if (!here.end()) return CL_INVALID_VALUE;
  return Driver::instance()->write_box(queue, here.box(const_cast<void*>(host)),
                                       {wait_count, waits}, CL_COMMAND_WRITE_BUFFER_RECT, event,
                                       [&](const Triple& at, const Triple& extent) {
                                         return box_call<WriteRectangle>(buffer, in, at, extent);
                                       });
}

cl_int api::clEnqueueCopyBufferRect(cl_command_queue queue, cl_mem source, cl_mem target,
                                    const size_t* source_origin, const size_t* target_origin,
                                    const size_t* region, size_t source_row, size_t source_slice,
                                    size_t target_row, size_t target_slice, cl_uint wait_count,
                                    const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  if (source_origin == nullptr || target_origin == nullptr || region == nullptr)
    return CL_INVALID_VALUE;
  const Rectangle from(source_origin, region, source_row, source_slice);
  const Rectangle to(target_origin, region, target_row, target_slice);
  cl_int sound = from.check_in(source);
  if (sound == CL_SUCCESS) sound = to.check_in(target);
  if (sound != CL_SUCCESS) return sound;
  CopyRectangle call;
  call.source = source->id;
  call.target = target->id;
  call.source_row_pitch = from.row_pitch;
  call.source_slice_pitch = from.slice_pitch;
  call.target_row_pitch = to.row_pitch;
  call.target_slice_pitch = to.slice_pitch;
  call.source_origin = from.origin;
  call.target_origin = to.origin;
  call.extent = from.extent;
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_COPY_BUFFER_RECT, call,
                                     event);
}

}  // namespace casemate::opencl
