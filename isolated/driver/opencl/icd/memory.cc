// SPDX-License-Identifier: Apache-2.0
// Buffers, images and samplers. The memory is the device partition's; what the program says lies in
// its own memory is sent there when it is made, and comes back where it maps.
#include <algorithm>

#include "isolated/driver/opencl/icd/answers.h"
#include "isolated/driver/opencl/icd/api.h"
#include "isolated/driver/opencl/icd/driver.h"
#include "isolated/driver/opencl/protocol/formats.h"

_cl_mem::~_cl_mem() {
  for (auto farewell = farewells.rbegin(); farewell != farewells.rend(); ++farewell)
    farewell->call(this, farewell->data);
}

namespace casemate::opencl {
namespace {

constexpr cl_mem_flags kAccess = CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY;
constexpr cl_mem_flags kHost = CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR;

cl_int check_flags(cl_mem_flags flags, const void* host) {
  if (std::popcount(flags & kAccess) > 1) return CL_INVALID_VALUE;
  if ((flags & CL_MEM_USE_HOST_PTR) != 0 &&
      (flags & (CL_MEM_COPY_HOST_PTR | CL_MEM_ALLOC_HOST_PTR)) != 0)
    return CL_INVALID_VALUE;
  return ((flags & kHost) != 0) == (host != nullptr) ? CL_SUCCESS : CL_INVALID_HOST_PTR;
}

std::unique_ptr<_cl_mem> new_memory(cl_context context, cl_mem_flags flags) {
  auto memory = std::make_unique<_cl_mem>();
  memory->mark = _cl_mem::kMark;
  memory->id = Driver::instance()->number();
  memory->context = Reference<_cl_context>(context);
  memory->flags = (flags & kAccess) == 0 ? flags | CL_MEM_READ_WRITE : flags;
  return memory;
}

uint8_t* bytes_at(void* memory) { return static_cast<uint8_t*>(memory); }

// The sides of an image in pixels, as OpenCL counts origins and regions.
Triple extent_of(const cl_image_desc& shape) {
  switch (shape.image_type) {
    case CL_MEM_OBJECT_IMAGE1D:
    case CL_MEM_OBJECT_IMAGE1D_BUFFER:
      return {shape.image_width, 1, 1};
    case CL_MEM_OBJECT_IMAGE1D_ARRAY:
      return {shape.image_width, shape.image_array_size, 1};
    case CL_MEM_OBJECT_IMAGE2D:
      return {shape.image_width, shape.image_height, 1};
    case CL_MEM_OBJECT_IMAGE2D_ARRAY:
      return {shape.image_width, shape.image_height, shape.image_array_size};
    case CL_MEM_OBJECT_IMAGE3D:
      return {shape.image_width, shape.image_height, shape.image_depth};
    default:
      return {0, 0, 0};
  }
}

// Where the pixels of an image lie in the program's memory, whose pitches it may have given.
HostBox host_box(const _cl_mem& image, uint8_t* data) {
  const Triple extent = extent_of(image.shape);
  HostBox box{data, {extent[0] * image.pixel, extent[1], extent[2]}};
  box.row_pitch = image.shape.image_row_pitch != 0 ? image.shape.image_row_pitch : box.extent[0];
  box.slice_pitch = image.shape.image_slice_pitch != 0 ? image.shape.image_slice_pitch
                                                       : box.row_pitch * extent[1];
  // The lines of an array of lines are as far apart as its slices.
  if (image.shape.image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY && image.shape.image_slice_pitch != 0)
    box.row_pitch = image.shape.image_slice_pitch;
  return box;
}

cl_int post_image(_cl_mem& image, void* host) {
  CreateImage call;
  call.id = image.id;
  call.context = image.context->id;
  call.flags = image.flags & kAccess;
  call.order = image.format.image_channel_order;
  call.element = image.format.image_channel_data_type;
  call.type = image.shape.image_type;
  call.buffer = image.parent ? image.parent->id : 0;
  call.width = image.shape.image_width;
  call.height = image.shape.image_height;
  call.depth = image.shape.image_depth;
  call.layers = image.shape.image_array_size;
  Driver& driver = *Driver::instance();
  const cl_int posted = driver.post(call);
  if (posted != CL_SUCCESS || (image.flags & kHost) == 0) return posted;
  return driver.upload_image(&image, host_box(image, bytes_at(host)));
}

}  // namespace

cl_mem api::clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void* host,
                           cl_int* status) {
  if (!valid(context)) return made(cl_mem{}, CL_INVALID_CONTEXT, status);
  const cl_int sound = check_flags(flags, host);
  if (sound != CL_SUCCESS) return made(cl_mem{}, sound, status);
  Driver& driver = *Driver::instance();
  if (size == 0 || size > driver.device_number<cl_ulong>(CL_DEVICE_MAX_MEM_ALLOC_SIZE))
    return made(cl_mem{}, CL_INVALID_BUFFER_SIZE, status);
  auto buffer = new_memory(context, flags);
  buffer->size = size;
  if ((flags & CL_MEM_USE_HOST_PTR) != 0) buffer->host = host;
  CreateBuffer call;
  call.id = buffer->id;
  call.context = context->id;
  call.flags = flags & kAccess;
  call.size = size;
  cl_int posted = driver.post(call);
  if (posted == CL_SUCCESS && host != nullptr)
    posted = driver.upload(buffer.get(), {bytes_at(host), size});
  return made(posted == CL_SUCCESS ? buffer.release() : nullptr, posted, status);
}

cl_mem api::clCreateSubBuffer(cl_mem parent, cl_mem_flags flags, cl_buffer_create_type type,
                              const void* info, cl_int* status) {
  if (!valid(parent) || parent->pixel != 0 || parent->parent)
    return made(cl_mem{}, CL_INVALID_MEM_OBJECT, status);
  if (type != CL_BUFFER_CREATE_TYPE_REGION || info == nullptr)
    return made(cl_mem{}, CL_INVALID_VALUE, status);
  const auto region = *static_cast<const cl_buffer_region*>(info);
  if (region.size == 0) return made(cl_mem{}, CL_INVALID_BUFFER_SIZE, status);
  if (!within(region.origin, region.size, parent->size))
    return made(cl_mem{}, CL_INVALID_VALUE, status);
  Driver& driver = *Driver::instance();
  const auto alignment = driver.device_number<cl_uint>(CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
  if (alignment != 0 && region.origin % alignment != 0)
    return made(cl_mem{}, CL_MISALIGNED_SUB_BUFFER_OFFSET, status);
  const cl_mem_flags access = (flags & kAccess) != 0 ? flags & kAccess : parent->flags & kAccess;
  auto part = new_memory(parent->context.raw(), access | (parent->flags & CL_MEM_USE_HOST_PTR));
  part->size = region.size;
  part->origin = region.origin;
  part->parent = Reference<_cl_mem>(parent);
  if (parent->host != nullptr) part->host = bytes_at(parent->host) + region.origin;
  CreateSubBuffer call;
  call.id = part->id;
  call.parent = parent->id;
  call.flags = access;
  call.origin = region.origin;
  call.size = region.size;
  const cl_int posted = driver.post(call);
  return made(posted == CL_SUCCESS ? part.release() : nullptr, posted, status);
}

cl_mem api::clCreateImage(cl_context context, cl_mem_flags flags, const cl_image_format* format,
                          const cl_image_desc* shape, void* host, cl_int* status) {
  if (!valid(context)) return made(cl_mem{}, CL_INVALID_CONTEXT, status);
  if (format == nullptr) return made(cl_mem{}, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, status);
  if (shape == nullptr) return made(cl_mem{}, CL_INVALID_IMAGE_DESCRIPTOR, status);
  const cl_int sound = check_flags(flags, host);
  if (sound != CL_SUCCESS) return made(cl_mem{}, sound, status);
  auto image = new_memory(context, flags);
  image->format = *format;
  image->shape = *shape;
  image->type = shape->image_type;
  image->pixel = pixel_size(format->image_channel_order, format->image_channel_data_type);
  if (image->pixel == 0) return made(cl_mem{}, CL_IMAGE_FORMAT_NOT_SUPPORTED, status);
  const auto bytes = volume(extent_of(*shape), image->pixel);
  if (!bytes || *bytes == 0) return made(cl_mem{}, CL_INVALID_IMAGE_SIZE, status);
  image->size = *bytes;
  if ((flags & CL_MEM_USE_HOST_PTR) != 0) image->host = host;
  if (shape->image_type == CL_MEM_OBJECT_IMAGE1D_BUFFER) {
    if (!valid(shape->mem_object) || shape->mem_object->pixel != 0)
      return made(cl_mem{}, CL_INVALID_IMAGE_DESCRIPTOR, status);
    image->parent = Reference<_cl_mem>(shape->mem_object);
  } else if (shape->mem_object != nullptr) {
    return made(cl_mem{}, CL_INVALID_OPERATION, status);
  }
  const cl_int posted = post_image(*image, host);
  return made(posted == CL_SUCCESS ? image.release() : nullptr, posted, status);
}

cl_mem api::clCreateImage2D(cl_context context, cl_mem_flags flags, const cl_image_format* format,
                            size_t width, size_t height, size_t row_pitch, void* host,
                            cl_int* status) {
  cl_image_desc shape{};
  shape.image_type = CL_MEM_OBJECT_IMAGE2D;
  shape.image_width = width;
  shape.image_height = height;
  shape.image_row_pitch = row_pitch;
  return api::clCreateImage(context, flags, format, &shape, host, status);
}

cl_mem api::clCreateImage3D(cl_context context, cl_mem_flags flags, const cl_image_format* format,
                            size_t width, size_t height, size_t depth, size_t row_pitch,
                            size_t slice_pitch, void* host, cl_int* status) {
  cl_image_desc shape{};
  shape.image_type = CL_MEM_OBJECT_IMAGE3D;
  shape.image_width = width;
  shape.image_height = height;
  shape.image_depth = depth;
  shape.image_row_pitch = row_pitch;
  shape.image_slice_pitch = slice_pitch;
  return api::clCreateImage(context, flags, format, &shape, host, status);
}

cl_int api::clRetainMemObject(cl_mem memory) { return retain(memory, CL_INVALID_MEM_OBJECT); }
cl_int api::clReleaseMemObject(cl_mem memory) { return release(memory, CL_INVALID_MEM_OBJECT); }

cl_int api::clSetMemObjectDestructorCallback(cl_mem memory, void(CL_CALLBACK* call)(cl_mem, void*),
                                             void* data) {
  if (!valid(memory)) return CL_INVALID_MEM_OBJECT;
  if (call == nullptr) return CL_INVALID_VALUE;
  memory->farewells.push_back({call, data});
  return CL_SUCCESS;
}

cl_int api::clGetSupportedImageFormats(cl_context context, cl_mem_flags flags,
                                       cl_mem_object_type type, cl_uint room,
                                       cl_image_format* formats, cl_uint* count) {
  if (!valid(context)) return CL_INVALID_CONTEXT;
  QueryCall call;
  call.query = static_cast<uint32_t>(Query::kImageFormats);
  call.object = context->id;
  call.parameter = type;
  call.index = static_cast<uint32_t>(flags & kAccess);
  std::vector<uint8_t> answer;
  const cl_int status = Driver::instance()->query(call, answer);
  if (status != CL_SUCCESS) return status;
  std::vector<cl_image_format> known;
  for (size_t at = 0; at + sizeof(cl_image_format) <= answer.size();
       at += sizeof(cl_image_format)) {
    const auto format = load<cl_image_format>(Bytes(answer).subspan(at));
    if (pixel_size(format.image_channel_order, format.image_channel_data_type) != 0)
      known.push_back(format);
  }
  if (count != nullptr) *count = static_cast<cl_uint>(known.size());
  if (formats != nullptr) std::copy_n(known.begin(), std::min<size_t>(room, known.size()), formats);
  return CL_SUCCESS;
}

cl_int api::clGetMemObjectInfo(cl_mem memory, cl_mem_info parameter, size_t room, void* value,
                               size_t* size) {
  if (!valid(memory)) return CL_INVALID_MEM_OBJECT;
  const Out out{room, value, size};
  switch (parameter) {
    case CL_MEM_TYPE:
      return out.plain(memory->type);
    case CL_MEM_FLAGS:
      return out.plain(memory->flags);
    case CL_MEM_SIZE:
      return out.plain(memory->size);
    case CL_MEM_HOST_PTR:
      return out.plain(memory->host);
    case CL_MEM_MAP_COUNT:
      return out.plain(static_cast<cl_uint>(memory->maps.size()));
    case CL_MEM_REFERENCE_COUNT:
      return out.plain(memory->references.load());
    case CL_MEM_CONTEXT:
      return out.plain(memory->context.raw());
    case CL_MEM_ASSOCIATED_MEMOBJECT:
      return out.plain(memory->parent.raw());
    case CL_MEM_OFFSET:
      return out.plain(memory->origin);
    default:
      return CL_INVALID_VALUE;
  }
}

cl_int api::clGetImageInfo(cl_mem image, cl_image_info parameter, size_t room, void* value,
                           size_t* size) {
  if (!valid(image) || image->pixel == 0) return CL_INVALID_MEM_OBJECT;
  const Out out{room, value, size};
  const HostBox box = host_box(*image, nullptr);
  const bool flat = image->type == CL_MEM_OBJECT_IMAGE1D || image->type == CL_MEM_OBJECT_IMAGE2D ||
                    image->type == CL_MEM_OBJECT_IMAGE1D_BUFFER;
  switch (parameter) {
    case CL_IMAGE_FORMAT:
      return out.plain(image->format);
    case CL_IMAGE_ELEMENT_SIZE:
      return out.plain(size_t{image->pixel});
    case CL_IMAGE_ROW_PITCH:
      return out.plain(size_t{box.row_pitch});
    case CL_IMAGE_SLICE_PITCH:
      return out.plain(flat ? size_t{0} : size_t{box.slice_pitch});
    case CL_IMAGE_WIDTH:
      return out.plain(image->shape.image_width);
    case CL_IMAGE_HEIGHT:
      return out.plain(image->shape.image_height);
    case CL_IMAGE_DEPTH:
      return out.plain(image->shape.image_depth);
    case CL_IMAGE_ARRAY_SIZE:
      return out.plain(image->shape.image_array_size);
    case CL_IMAGE_BUFFER:
      return out.plain(image->parent.raw());
    case CL_IMAGE_NUM_MIP_LEVELS:
    case CL_IMAGE_NUM_SAMPLES:
      return out.plain(cl_uint{0});
    default:
      return CL_INVALID_VALUE;
  }
}

cl_sampler api::clCreateSampler(cl_context context, cl_bool normalized,
                                cl_addressing_mode addressing, cl_filter_mode filter,
                                cl_int* status) {
  if (!valid(context)) return made(cl_sampler{}, CL_INVALID_CONTEXT, status);
  if (normalized > 1 || addressing < CL_ADDRESS_NONE || addressing > CL_ADDRESS_MIRRORED_REPEAT ||
      (filter != CL_FILTER_NEAREST && filter != CL_FILTER_LINEAR))
    return made(cl_sampler{}, CL_INVALID_VALUE, status);
  Driver& driver = *Driver::instance();
  auto sampler = std::make_unique<_cl_sampler>();
  sampler->mark = _cl_sampler::kMark;
  sampler->id = driver.number();
  sampler->context = Reference<_cl_context>(context);
  sampler->normalized = normalized;
  sampler->addressing = addressing;
  sampler->filter = filter;
  CreateSampler call;
  call.id = sampler->id;
  call.context = context->id;
  call.normalized = normalized;
  call.addressing = addressing;
  call.filter = filter;
  const cl_int posted = driver.post(call);
  return made(posted == CL_SUCCESS ? sampler.release() : nullptr, posted, status);
}

cl_int api::clRetainSampler(cl_sampler sampler) { return retain(sampler, CL_INVALID_SAMPLER); }
cl_int api::clReleaseSampler(cl_sampler sampler) { return release(sampler, CL_INVALID_SAMPLER); }

cl_int api::clGetSamplerInfo(cl_sampler sampler, cl_sampler_info parameter, size_t room,
                             void* value, size_t* size) {
  if (!valid(sampler)) return CL_INVALID_SAMPLER;
  const Out out{room, value, size};
  switch (parameter) {
    case CL_SAMPLER_REFERENCE_COUNT:
      return out.plain(sampler->references.load());
    case CL_SAMPLER_CONTEXT:
      return out.plain(sampler->context.raw());
    case CL_SAMPLER_NORMALIZED_COORDS:
      return out.plain(sampler->normalized);
    case CL_SAMPLER_ADDRESSING_MODE:
      return out.plain(sampler->addressing);
    case CL_SAMPLER_FILTER_MODE:
      return out.plain(sampler->filter);
    default:
      return CL_INVALID_VALUE;
  }
}

}  // namespace casemate::opencl
