// SPDX-License-Identifier: Apache-2.0
// Commands on images, and maps of both kinds of memory. A map is a read into memory of the
// program's, an unmap the write back: what the program does in between stays in its partition.
#include "isolated/driver/opencl/icd/answers.h"
#include "isolated/driver/opencl/icd/api.h"
#include "isolated/driver/opencl/icd/driver.h"

namespace casemate::opencl {
namespace {

Triple triple_of(const size_t* values) { return {values[0], values[1], values[2]}; }

cl_int check_image(cl_command_queue queue, cl_mem image, const size_t* origin,
                   const size_t* region) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  if (!valid(image) || image->pixel == 0) return CL_INVALID_MEM_OBJECT;
  if (image->context.raw() != queue->context.raw()) return CL_INVALID_CONTEXT;
  if (origin == nullptr || region == nullptr) return CL_INVALID_VALUE;
  const cl_image_desc& shape = image->shape;
  const bool lines = image->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;
  const bool sheets = image->type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
  const Triple extent{shape.image_width,
                      lines ? shape.image_array_size : std::max<size_t>(shape.image_height, 1),
                      sheets ? shape.image_array_size : std::max<size_t>(shape.image_depth, 1)};
  for (size_t i = 0; i < 3; ++i)
    if (region[i] == 0 || !within(origin[i], region[i], extent[i])) return CL_INVALID_VALUE;
  return CL_SUCCESS;
}

// The box of an image in memory of the program's; the last pitch is that between layers.
std::optional<HostBox> box_of(const _cl_mem& image, const size_t* region, size_t row_pitch,
                              size_t slice_pitch, void* memory) {
  HostBox box{static_cast<uint8_t*>(memory), {region[0] * image.pixel, region[1], region[2]}};
  if (image.type == CL_MEM_OBJECT_IMAGE1D_ARRAY && slice_pitch != 0) row_pitch = slice_pitch;
  box.row_pitch = row_pitch != 0 ? row_pitch : box.extent[0];
  const bool flat = region[2] == 1;
  box.slice_pitch = slice_pitch != 0 && !flat ? slice_pitch : box.row_pitch * region[1];
  if (memory == nullptr || !box_end({}, box.extent, box.row_pitch, box.slice_pitch))
    return std::nullopt;
  return box;
}

template <class T>
T image_call(cl_mem image, const Triple& origin, const Triple& at, const Triple& extent) {
  T call;
  call.image = image->id;
  call.origin = {origin[0], origin[1] + at[1], origin[2] + at[2]};
  call.extent = {extent[0] / image->pixel, extent[1], extent[2]};
  return call;
}

cl_int read_image(cl_command_queue queue, cl_mem image, bool blocking, const Triple& origin,
                  const HostBox& box, const WaitList& waits, cl_command_type type,
                  cl_event* event) {
  return Driver::instance()->read_box(queue, blocking, box, waits, type, event,
                                      [&](const Triple& at, const Triple& extent) {
                                        return image_call<ReadImage>(image, origin, at, extent);
                                      });
}

cl_int write_image(cl_command_queue queue, cl_mem image, const Triple& origin, const HostBox& box,
                   const WaitList& waits, cl_command_type type, cl_event* event) {
  return Driver::instance()->write_box(queue, box, waits, type, event,
                                       [&](const Triple& at, const Triple& extent) {
                                         return image_call<WriteImage>(image, origin, at, extent);
                                       });
}

constexpr cl_map_flags kWritten = CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION;

// Nothing is read of what the program will not look at.
cl_int map_nothing(cl_command_queue queue, bool blocking, const WaitList& waits,
                   cl_command_type type, cl_event* event) {
  Driver& driver = *Driver::instance();
  cl_event mine = nullptr;
  const cl_int status = driver.command(queue, waits, type, Mark{}, &mine);
  if (status != CL_SUCCESS) return status;
  const cl_int waited = blocking ? driver.wait({1, &mine}) : CL_SUCCESS;
  if (event != nullptr && waited == CL_SUCCESS)
    *event = mine;
  else
    drop(mine);
  return waited;
}

}  // namespace

cl_int api::clEnqueueReadImage(cl_command_queue queue, cl_mem image, cl_bool blocking,
                               const size_t* origin, const size_t* region, size_t row_pitch,
                               size_t slice_pitch, void* host, cl_uint wait_count,
                               const cl_event* waits, cl_event* event) {
  const cl_int sound = check_image(queue, image, origin, region);
  if (sound != CL_SUCCESS) return sound;
  const auto box = box_of(*image, region, row_pitch, slice_pitch, host);
  if (!box) return CL_INVALID_VALUE;
  return read_image(queue, image, blocking != 0, triple_of(origin), *box, {wait_count, waits},
                    CL_COMMAND_READ_IMAGE, event);
}

cl_int api::clEnqueueWriteImage(cl_command_queue queue, cl_mem image, cl_bool, const size_t* origin,
                                const size_t* region, size_t row_pitch, size_t slice_pitch,
                                const void* host, cl_uint wait_count, const cl_event* waits,
                                cl_event* event) {
  const cl_int sound = check_image(queue, image, origin, region);
  if (sound != CL_SUCCESS) return sound;
  const auto box = box_of(*image, region, row_pitch, slice_pitch, const_cast<void*>(host));
  if (!box) return CL_INVALID_VALUE;
  return write_image(queue, image, triple_of(origin), *box, {wait_count, waits},
                     CL_COMMAND_WRITE_IMAGE, event);
}

cl_int api::clEnqueueCopyImage(cl_command_queue queue, cl_mem source, cl_mem target,
                               const size_t* source_origin, const size_t* target_origin,
                               const size_t* region, cl_uint wait_count, const cl_event* waits,
                               cl_event* event) {
  cl_int sound = check_image(queue, source, source_origin, region);
  if (sound == CL_SUCCESS) sound = check_image(queue, target, target_origin, region);
  if (sound != CL_SUCCESS) return sound;
  CopyImage call;
  call.source = source->id;
  call.target = target->id;
  call.source_origin = triple_of(source_origin);
  call.target_origin = triple_of(target_origin);
  call.extent = triple_of(region);
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_COPY_IMAGE, call,
                                     event);
}

cl_int api::clEnqueueCopyImageToBuffer(cl_command_queue queue, cl_mem image, cl_mem buffer,
                                       const size_t* origin, const size_t* region, size_t offset,
                                       cl_uint wait_count, const cl_event* waits, cl_event* event) {
  const cl_int sound = check_image(queue, image, origin, region);
  if (sound != CL_SUCCESS) return sound;
  if (!valid(buffer) || buffer->pixel != 0) return CL_INVALID_MEM_OBJECT;
  const auto size = volume(triple_of(region), image->pixel);
  if (!size || !within(offset, *size, buffer->size)) return CL_INVALID_VALUE;
  CopyImageToBuffer call;
  call.image = image->id;
  call.buffer = buffer->id;
  call.offset = offset;
  call.origin = triple_of(origin);
  call.extent = triple_of(region);
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_COPY_IMAGE_TO_BUFFER,
                                     call, event);
}

cl_int api::clEnqueueCopyBufferToImage(cl_command_queue queue, cl_mem buffer, cl_mem image,
                                       size_t offset, const size_t* origin, const size_t* region,
                                       cl_uint wait_count, const cl_event* waits, cl_event* event) {
  const cl_int sound = check_image(queue, image, origin, region);
  if (sound != CL_SUCCESS) return sound;
  if (!valid(buffer) || buffer->pixel != 0) return CL_INVALID_MEM_OBJECT;
  const auto size = volume(triple_of(region), image->pixel);
  if (!size || !within(offset, *size, buffer->size)) return CL_INVALID_VALUE;
  CopyBufferToImage call;
  call.image = image->id;
  call.buffer = buffer->id;
  call.offset = offset;
  call.origin = triple_of(origin);
  call.extent = triple_of(region);
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_COPY_BUFFER_TO_IMAGE,
                                     call, event);
}

cl_int api::clEnqueueFillImage(cl_command_queue queue, cl_mem image, const void* color,
                               const size_t* origin, const size_t* region, cl_uint wait_count,
                               const cl_event* waits, cl_event* event) {
  const cl_int sound = check_image(queue, image, origin, region);
  if (sound != CL_SUCCESS) return sound;
  if (color == nullptr) return CL_INVALID_VALUE;
  FillImage call;
  call.image = image->id;
  call.origin = triple_of(origin);
  call.extent = triple_of(region);
  std::copy_n(static_cast<const uint8_t*>(color), call.color.size(), call.color.begin());
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_FILL_IMAGE, call,
                                     event);
}

void* api::clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                              cl_map_flags flags, size_t offset, size_t size, cl_uint wait_count,
                              const cl_event* waits, cl_event* event, cl_int* status) {
  void* nothing = nullptr;
  if (!valid(queue)) return made(nothing, CL_INVALID_COMMAND_QUEUE, status);
  if (!valid(buffer) || buffer->pixel != 0) return made(nothing, CL_INVALID_MEM_OBJECT, status);
  if (size == 0 || !within(offset, size, buffer->size) || flags == 0)
    return made(nothing, CL_INVALID_VALUE, status);
  if (buffer->host == nullptr && buffer->shadow == nullptr)
    buffer->shadow.reset(new (std::nothrow) uint8_t[buffer->size]);
  uint8_t* all =
      buffer->host != nullptr ? static_cast<uint8_t*>(buffer->host) : buffer->shadow.get();
  if (all == nullptr) return made(nothing, CL_MAP_FAILURE, status);
  const WaitList list{wait_count, waits};
  const bool unread = (flags & CL_MAP_WRITE_INVALIDATE_REGION) != 0;
  const cl_int done =
      unread ? map_nothing(queue, blocking != 0, list, CL_COMMAND_MAP_BUFFER, event)
             : Driver::instance()->read(queue, buffer, blocking != 0, offset, {all + offset, size},
                                        list, CL_COMMAND_MAP_BUFFER, event);
  if (done != CL_SUCCESS) return made(nothing, done, status);
  _cl_mem::Mapped map;
  map.pointer = all + offset;
  map.written = (flags & kWritten) != 0;
  map.offset = offset;
  map.size = size;
  buffer->maps.push_back(std::move(map));
  return made(static_cast<void*>(all + offset), CL_SUCCESS, status);
}

void* api::clEnqueueMapImage(cl_command_queue queue, cl_mem image, cl_bool blocking,
                             cl_map_flags flags, const size_t* origin, const size_t* region,
                             size_t* row_pitch, size_t* slice_pitch, cl_uint wait_count,
                             const cl_event* waits, cl_event* event, cl_int* status) {
  void* nothing = nullptr;
  const cl_int sound = check_image(queue, image, origin, region);
  if (sound != CL_SUCCESS) return made(nothing, sound, status);
  if (row_pitch == nullptr || flags == 0) return made(nothing, CL_INVALID_VALUE, status);
  _cl_mem::Mapped map;
  size_t row = 0, slice = 0;
  uint8_t* where = nullptr;
  if (image->host != nullptr) {
    row = image->shape.image_row_pitch != 0 ? image->shape.image_row_pitch
                                            : image->shape.image_width * image->pixel;
    const size_t rows = std::max<size_t>(image->shape.image_height, 1);
    slice = image->shape.image_slice_pitch != 0 ? image->shape.image_slice_pitch : row * rows;
    if (image->type == CL_MEM_OBJECT_IMAGE1D_ARRAY) row = slice;
    where = static_cast<uint8_t*>(image->host) + origin[0] * image->pixel + origin[1] * row +
            origin[2] * slice;
  } else {
    map.memory.reset(new (std::nothrow) uint8_t[*volume(triple_of(region), image->pixel)]);
    where = map.memory.get();
  }
  const auto box = box_of(*image, region, row, slice, where);
  if (!box) return made(nothing, CL_MAP_FAILURE, status);
  map.pointer = where;
  map.written = (flags & kWritten) != 0;
  map.origin = triple_of(origin);
  map.box = *box;
  const WaitList list{wait_count, waits};
  const cl_int done = (flags & CL_MAP_WRITE_INVALIDATE_REGION) != 0
                          ? map_nothing(queue, blocking != 0, list, CL_COMMAND_MAP_IMAGE, event)
                          : read_image(queue, image, blocking != 0, map.origin, map.box, list,
                                       CL_COMMAND_MAP_IMAGE, event);
  if (done != CL_SUCCESS) return made(nothing, done, status);
  const bool lines = image->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;
  *row_pitch = box->row_pitch;
  if (slice_pitch != nullptr) {
    const bool layered =
        image->type == CL_MEM_OBJECT_IMAGE3D || image->type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
    *slice_pitch = lines ? box->row_pitch : layered ? box->slice_pitch : 0;
  }
  image->maps.push_back(std::move(map));
  return made(static_cast<void*>(where), CL_SUCCESS, status);
}

cl_int api::clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem memory, void* pointer,
                                    cl_uint wait_count, const cl_event* waits, cl_event* event) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  if (!valid(memory)) return CL_INVALID_MEM_OBJECT;
  const auto map = std::ranges::find(memory->maps, pointer, &_cl_mem::Mapped::pointer);
  if (map == memory->maps.end()) return CL_INVALID_VALUE;
  const WaitList list{wait_count, waits};
  cl_int status = CL_SUCCESS;
  if (!map->written) {
    status = Driver::instance()->command(queue, list, CL_COMMAND_UNMAP_MEM_OBJECT, Mark{}, event);
  } else if (memory->pixel == 0) {
    status = Driver::instance()->write(queue, memory, false, map->offset, {map->pointer, map->size},
                                       list, CL_COMMAND_UNMAP_MEM_OBJECT, event);
  } else {
    status =
        write_image(queue, memory, map->origin, map->box, list, CL_COMMAND_UNMAP_MEM_OBJECT, event);
  }
  if (status == CL_SUCCESS) memory->maps.erase(map);
  return status;
}

}  // namespace casemate::opencl
