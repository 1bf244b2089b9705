// SPDX-License-Identifier: Apache-2.0
// Commands on images. A box is checked against the image's extent here, since what lies behind a
// driver's own check is somebody else's memory.
#include "isolated/driver/opencl/server/enqueue.h"

namespace casemate::opencl {
namespace {

using Box = std::array<size_t, 3>;
Box box_of(const Triple& t) { return {t[0], t[1], t[2]}; }

}  // namespace

cl_int Session::box(uint32_t id, const Triple& origin, const Triple& extent, MemoryEntry*& found) {
  found = memories_.find(id);
  if (const cl_int status = usable(found, CL_INVALID_MEM_OBJECT); status != CL_SUCCESS)
    return status;
  if (found->pixel == 0) return CL_INVALID_MEM_OBJECT;
  for (size_t i = 0; i < 3; ++i)
    if (extent[i] == 0 || !within(origin[i], extent[i], found->extent[i])) return CL_INVALID_VALUE;
  return CL_SUCCESS;
}

cl_int Session::pixels(uint32_t id, const Triple& origin, const Triple& extent, const Region& data,
                       MemoryEntry*& found) {
  const cl_int status = box(id, origin, extent, found);
  if (status != CL_SUCCESS) return status;
  return volume(extent, found->pixel) == data.size ? CL_SUCCESS : CL_INVALID_VALUE;
}

Answer Session::write_image(const WriteImage& call) {
  if (!within(call.data, in_.size())) return malformed();
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry* image = nullptr;
    const cl_int status = pixels(call.image, call.origin, call.extent, call.data, image);
    if (status != CL_SUCCESS) return status;
    const Box origin = box_of(call.origin), extent = box_of(call.extent);
    return transfer_in(s, call.data, [&](cl_bool blocking, const uint8_t* data, cl_event* e) {
      return clEnqueueWriteImage(s.queue, image->object.raw(), blocking, origin.data(),
                                 extent.data(), 0, 0, data, s.wait_count, s.list(), e);
    });
  });
}

Answer Session::read_image(const ReadImage& call) {
  if (!within(call.data, out_.size())) return malformed();
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry* image = nullptr;
    const cl_int status = pixels(call.image, call.origin, call.extent, call.data, image);
    if (status != CL_SUCCESS) return status;
    const Box origin = box_of(call.origin), extent = box_of(call.extent);
    return clEnqueueReadImage(s.queue, image->object.raw(), CL_FALSE, origin.data(), extent.data(),
                              0, 0, out_.data() + call.data.offset, s.wait_count, s.list(),
                              s.event);
  });
}

Answer Session::copy_image(const CopyImage& call) {
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry *source = nullptr, *target = nullptr;
    cl_int status = box(call.source, call.source_origin, call.extent, source);
    if (status == CL_SUCCESS) status = box(call.target, call.target_origin, call.extent, target);
    if (status != CL_SUCCESS) return status;
    const Box from = box_of(call.source_origin), to = box_of(call.target_origin),
              extent = box_of(call.extent);
    return clEnqueueCopyImage(s.queue, source->object.raw(), target->object.raw(), from.data(),
                              to.data(), extent.data(), s.wait_count, s.list(), s.event);
  });
}

Answer Session::copy_image_to_buffer(const CopyImageToBuffer& call) {
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry *image = nullptr, *target = nullptr;
    cl_int status = box(call.image, call.origin, call.extent, image);
    if (status != CL_SUCCESS) return status;
    const auto size = volume(call.extent, image->pixel);
    status = size ? buffer(call.buffer, call.offset, *size, target) : CL_INVALID_VALUE;
    if (status != CL_SUCCESS) return status;
    const Box origin = box_of(call.origin), extent = box_of(call.extent);
    return clEnqueueCopyImageToBuffer(s.queue, image->object.raw(), target->object.raw(),
                                      origin.data(), extent.data(), call.offset, s.wait_count,
                                      s.list(), s.event);
  });
}

Answer Session::copy_buffer_to_image(const CopyBufferToImage& call) {
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry *image = nullptr, *source = nullptr;
    cl_int status = box(call.image, call.origin, call.extent, image);
    if (status != CL_SUCCESS) return status;
    const auto size = volume(call.extent, image->pixel);
    status = size ? buffer(call.buffer, call.offset, *size, source) : CL_INVALID_VALUE;
    if (status != CL_SUCCESS) return status;
    const Box origin = box_of(call.origin), extent = box_of(call.extent);
    return clEnqueueCopyBufferToImage(s.queue, source->object.raw(), image->object.raw(),
                                      call.offset, origin.data(), extent.data(), s.wait_count,
                                      s.list(), s.event);
  });
}

Answer Session::fill_image(const FillImage& call) {
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry* image = nullptr;
    const cl_int status = box(call.image, call.origin, call.extent, image);
    if (status != CL_SUCCESS) return status;
    const Box origin = box_of(call.origin), extent = box_of(call.extent);
    return clEnqueueFillImage(s.queue, image->object.raw(), call.color.data(), origin.data(),
                              extent.data(), s.wait_count, s.list(), s.event);
  });
}

}  // namespace casemate::opencl
