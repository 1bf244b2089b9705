// SPDX-License-Identifier: Apache-2.0
// Objects: what could not be made is kept as its error, since the client has gone on and will name
// it.
#include "isolated/driver/opencl/protocol/formats.h"
#include "isolated/driver/opencl/server/session.h"

namespace casemate::opencl {
namespace {

// Without it there is no telling a handle from a value, and no pointer is set to a value.
constexpr std::string_view kArgumentInfo = " -cl-kernel-arg-info";

std::string argument_text(cl_kernel kernel, cl_uint index) {
  size_t size = 0;
  if (clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_NAME, 0, nullptr, &size) != CL_SUCCESS)
    return {};
  std::string name(std::min<size_t>(size, 4096), '\0');
  if (clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_NAME, name.size(), name.data(),
                         nullptr) != CL_SUCCESS)
    return {};
  return name.c_str();
}

Argument argument_of(cl_kernel kernel, cl_uint index) {
  cl_kernel_arg_address_qualifier qualifier = 0;
  if (clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof qualifier,
                         &qualifier, nullptr) != CL_SUCCESS)
    return Argument::kUnknown;
  if (qualifier == CL_KERNEL_ARG_ADDRESS_LOCAL) return Argument::kLocal;
  if (qualifier != CL_KERNEL_ARG_ADDRESS_PRIVATE) return Argument::kMemory;
  const std::string type = argument_text(kernel, index);
  if (type == "sampler_t") return Argument::kSampler;
  return type.starts_with("image") && type.ends_with("_t") ? Argument::kMemory : Argument::kValue;
}

}  // namespace

Answer Session::create_context(const CreateContext& call) {
  if (!contexts_.takes(call.id)) return malformed();
  ContextEntry entry;
  entry.object = Context(clCreateContext(nullptr, 1, &device_, nullptr, nullptr, &entry.error));
  const cl_int status = entry.error;
  contexts_.add(call.id, std::move(entry));
  return done(status);
}

Answer Session::create_queue(const CreateQueue& call) {
  if (!queues_.takes(call.id)) return malformed();
  const ContextEntry* context = contexts_.find(call.context);
  Entry<Queue> entry;
  entry.error = usable(context, CL_INVALID_CONTEXT);
  if (entry.error == CL_SUCCESS)
    entry.object =
        Queue(clCreateCommandQueue(context->object.raw(), device_, call.properties, &entry.error));
  const cl_int status = entry.error;
  queues_.add(call.id, std::move(entry));
  return done(status);
}

bool Session::counted(uint64_t bytes) {
  if (!within(memory_bytes_, bytes, limits_.memory_bytes)) return false;
  memory_bytes_ += bytes;
  return true;
}

Answer Session::create_buffer(const CreateBuffer& call) {
  if (!memories_.takes(call.id)) return malformed();
  const ContextEntry* context = contexts_.find(call.context);
  MemoryEntry entry;
  entry.context = call.context;
  entry.size = call.size;
  entry.error = usable(context, CL_INVALID_CONTEXT);
  if (entry.error == CL_SUCCESS && !counted(call.size))
    entry.error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  if (entry.error == CL_SUCCESS) {
    entry.counted = call.size;
    entry.object =
        Mem(clCreateBuffer(context->object.raw(), call.flags, call.size, nullptr, &entry.error));
  }
  const cl_int status = entry.error;
  memories_.add(call.id, std::move(entry));
  return done(status);
}

Answer Session::create_sub_buffer(const CreateSubBuffer& call) {
  if (!memories_.takes(call.id)) return malformed();
  MemoryEntry* parent = nullptr;
  MemoryEntry entry;
  entry.size = call.size;
  entry.error = buffer(call.parent, call.origin, call.size, parent);
  if (entry.error == CL_SUCCESS) {
    entry.context = parent->context;
    const cl_buffer_region region{call.origin, call.size};
    entry.object = Mem(clCreateSubBuffer(parent->object.raw(), call.flags,
                                         CL_BUFFER_CREATE_TYPE_REGION, &region, &entry.error));
  }
  const cl_int status = entry.error;
  memories_.add(call.id, std::move(entry));
  return done(status);
}

Answer Session::create_image(const CreateImage& call) {
  if (!memories_.takes(call.id)) return malformed();
  const ContextEntry* context = contexts_.find(call.context);
  MemoryEntry entry;
  entry.context = call.context;
  entry.error = usable(context, CL_INVALID_CONTEXT);
  entry.pixel = pixel_size(call.order, call.element);
  // The extent by which boxes are checked: layers are the last side that an image has.
  const bool lines = call.type == CL_MEM_OBJECT_IMAGE1D_ARRAY;
  const bool sheets = call.type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
  entry.extent = {call.width, lines ? call.layers : std::max<uint64_t>(call.height, 1),
                  sheets ? call.layers : std::max<uint64_t>(call.depth, 1)};
  const auto bytes = volume(entry.extent, entry.pixel);
  if (entry.error == CL_SUCCESS && entry.pixel == 0) entry.error = CL_IMAGE_FORMAT_NOT_SUPPORTED;
  if (entry.error == CL_SUCCESS && (!bytes || !counted(*bytes)))
    entry.error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  if (entry.error == CL_SUCCESS) {
    entry.counted = *bytes;
    cl_image_desc shape{};
    shape.image_type = call.type;
    shape.image_width = call.width;
    shape.image_height = call.height;
    shape.image_depth = call.depth;
    shape.image_array_size = call.layers;
    MemoryEntry* storage = nullptr;
    if (call.buffer != 0) entry.error = buffer(call.buffer, 0, *bytes, storage);
    if (storage != nullptr) shape.mem_object = storage->object.raw();
    const cl_image_format format{call.order, call.element};
    if (entry.error == CL_SUCCESS)
      entry.object = Mem(
          clCreateImage(context->object.raw(), call.flags, &format, &shape, nullptr, &entry.error));
  }
  const cl_int status = entry.error;
  memories_.add(call.id, std::move(entry));
  return done(status);
}

Answer Session::create_sampler(const CreateSampler& call) {
  if (!samplers_.takes(call.id)) return malformed();
  const ContextEntry* context = contexts_.find(call.context);
  Entry<Sampler> entry;
  entry.error = usable(context, CL_INVALID_CONTEXT);
  if (entry.error == CL_SUCCESS)
    entry.object = Sampler(clCreateSampler(context->object.raw(), call.normalized, call.addressing,
                                           call.filter, &entry.error));
  const cl_int status = entry.error;
  samplers_.add(call.id, std::move(entry));
  return done(status);
}

Answer Session::create_user_event(const CreateUserEvent& call) {
  if (!events_.takes(call.id)) return malformed();
  const ContextEntry* context = contexts_.find(call.context);
  EventEntry entry;
  entry.error = usable(context, CL_INVALID_CONTEXT);
  if (entry.error == CL_SUCCESS)
    entry.object = Event(clCreateUserEvent(context->object.raw(), &entry.error));
  entry.open = entry.error == CL_SUCCESS;
  if (entry.open) ++open_events_;
  const cl_int status = entry.error;
  events_.add(call.id, std::move(entry));
  return done(status);
}

Answer Session::set_user_event(const SetUserEvent& call) {
  EventEntry* event = events_.find(call.id);
  if (const cl_int status = usable(event, CL_INVALID_EVENT); status != CL_SUCCESS)
    return done(status);
  if (!event->open) return done(CL_INVALID_OPERATION);
  event->open = false;
  --open_events_;
  return done(clSetUserEventStatus(event->object.raw(), call.status));
}

Answer Session::create_program(const CreateProgram& call) {
  if (!programs_.takes(call.id) || !within(call.text, in_.size())) return malformed();
  const ContextEntry* context = contexts_.find(call.context);
  Entry<Program> entry;
  entry.error = usable(context, CL_INVALID_CONTEXT);
  // The client's memory may change while OpenCL reads it: it reads a copy.
  const Bytes given = in_.subspan(call.text.offset, call.text.size);
  const std::vector<uint8_t> text(given.begin(), given.end());
  const size_t size = text.size();
  if (entry.error == CL_SUCCESS && size == 0) entry.error = CL_INVALID_VALUE;
  if (entry.error == CL_SUCCESS && call.binary != 0) {
    const uint8_t* binary = text.data();
    cl_int binary_status = CL_SUCCESS;
    entry.object = Program(clCreateProgramWithBinary(context->object.raw(), 1, &device_, &size,
                                                     &binary, &binary_status, &entry.error));
  } else if (entry.error == CL_SUCCESS) {
    const char* source = text_of(text).data();
    entry.object =
        Program(clCreateProgramWithSource(context->object.raw(), 1, &source, &size, &entry.error));
  }
  const cl_int status = entry.error;
  programs_.add(call.id, std::move(entry));
  return done(status);
}

Answer Session::build_program(const BuildProgram& call) {
  Entry<Program>* program = programs_.find(call.id);
  if (!within(call.options, in_.size())) return malformed();
  if (const cl_int status = usable(program, CL_INVALID_PROGRAM); status != CL_SUCCESS)
    return done(status);
  std::string options(text_of(in_.subspan(call.options.offset, call.options.size)));
  if (options.contains('\0')) return malformed();
  options += kArgumentInfo;
  return done(
      clBuildProgram(program->object.raw(), 1, &device_, options.c_str(), nullptr, nullptr));
}

Answer Session::create_kernel(const CreateKernel& call) {
  if (!kernels_.takes(call.id)) return malformed();
  const Entry<Program>* program = programs_.find(call.program);
  KernelEntry entry;
  entry.error = usable(program, CL_INVALID_PROGRAM);
  const std::string name(call.name.view());
  if (entry.error == CL_SUCCESS)
    entry.object = Held<cl_kernel, clReleaseKernel>(
        clCreateKernel(program->object.raw(), name.c_str(), &entry.error));
  cl_uint count = 0;
  if (entry.error == CL_SUCCESS)
    entry.error =
        clGetKernelInfo(entry.object.raw(), CL_KERNEL_NUM_ARGS, sizeof count, &count, nullptr);
  if (count > kArgumentsMax) entry.error = CL_OUT_OF_RESOURCES;
  if (entry.error != CL_SUCCESS) return done(entry.error);
  for (cl_uint i = 0; i < count; ++i) entry.arguments.push_back(argument_of(entry.object.raw(), i));
  std::vector<uint8_t> kinds;
  for (const Argument kind : entry.arguments) kinds.push_back(static_cast<uint8_t>(kind));
  kernels_.add(call.id, std::move(entry));
  return with_value(CL_SUCCESS, kinds, {});
}

Answer Session::set_argument(const SetArgument& call) {
  KernelEntry* kernel = kernels_.find(call.kernel);
  if (const cl_int status = usable(kernel, CL_INVALID_KERNEL); status != CL_SUCCESS)
    return done(status);
  if (call.index >= kernel->arguments.size()) return done(CL_INVALID_ARG_INDEX);
  if (!within(call.data, in_.size())) return malformed();
  const cl_int status = set_argument(*kernel, call);
  kernel->wrong.erase(call.index);
  if (status != CL_SUCCESS) kernel->wrong[call.index] = status;
  return done(status);
}

cl_int Session::set_argument(const KernelEntry& kernel, const SetArgument& call) {
  const auto kind = static_cast<Argument>(call.kind);
  if (kernel.arguments[call.index] != kind) return CL_INVALID_ARG_VALUE;
  const cl_kernel real = kernel.object.raw();
  if (kind == Argument::kLocal) return clSetKernelArg(real, call.index, call.size, nullptr);
  if (kind == Argument::kSampler) {
    const Entry<Sampler>* sampler = samplers_.find(call.object);
    if (const cl_int status = usable(sampler, CL_INVALID_SAMPLER); status != CL_SUCCESS)
      return status;
    const cl_sampler object = sampler->object.raw();
    return clSetKernelArg(real, call.index, sizeof object, &object);
  }
  if (kind == Argument::kMemory) {
    const MemoryEntry* memory = memories_.find(call.object);
    const cl_int status = call.object == 0 ? CL_SUCCESS : usable(memory, CL_INVALID_MEM_OBJECT);
    if (status != CL_SUCCESS) return status;
    const cl_mem object = memory == nullptr ? nullptr : memory->object.raw();
    return clSetKernelArg(real, call.index, sizeof object, &object);
  }
  const Bytes value = call.size <= kInlineValue ? Bytes(call.value).first(call.size)
                                                : in_.subspan(call.data.offset, call.size);
  return clSetKernelArg(real, call.index, value.size(), value.data());
}

void Session::forget_memory(uint32_t id) {
  if (const MemoryEntry* memory = memories_.find(id)) memory_bytes_ -= memory->counted;
}

Answer Session::release(const Release& call) {
  bool found = false;
  switch (static_cast<Kind>(call.kind)) {
    case Kind::kContext:
      found = contexts_.remove(call.id);
      break;
    case Kind::kQueue:
      found = queues_.remove(call.id);
      break;
    case Kind::kMemory:
      forget_memory(call.id);
      found = memories_.remove(call.id);
      break;
    case Kind::kSampler:
      found = samplers_.remove(call.id);
      break;
    case Kind::kProgram:
      found = programs_.remove(call.id);
      break;
    case Kind::kKernel:
      found = kernels_.remove(call.id);
      break;
    case Kind::kEvent: {
      // Who waits for a user's event that nobody can set any more would wait for ever.
      const EventEntry* event = events_.find(call.id);
      if (event != nullptr && event->open) {
        --open_events_;
        static_cast<void>(clSetUserEventStatus(event->object.raw(), -1));
      }
      found = events_.remove(call.id);
      break;
    }
  }
  return found ? done(CL_SUCCESS) : malformed();
}

Answer Session::upload(const Upload& call) {
  if (!within(call.data, in_.size())) return malformed();
  MemoryEntry* memory = memories_.find(call.id);
  cl_int status = usable(memory, CL_INVALID_MEM_OBJECT);
  if (status == CL_SUCCESS)
    status = memory->size != 0 ? buffer(call.id, call.offset, call.data.size, memory)
                               : pixels(call.id, call.origin, call.extent, call.data, memory);
  ContextEntry* context = memory == nullptr ? nullptr : contexts_.find(memory->context);
  if (status == CL_SUCCESS) status = usable(context, CL_INVALID_CONTEXT);
  if (status != CL_SUCCESS) return done(status);
  if (!context->uploads)
    context->uploads = Queue(clCreateCommandQueue(context->object.raw(), device_, 0, &status));
  if (status != CL_SUCCESS) return done(status);
  const uint8_t* data = in_.data() + call.data.offset;
  if (memory->size != 0)
    return done(clEnqueueWriteBuffer(context->uploads.raw(), memory->object.raw(), CL_TRUE,
                                     call.offset, call.data.size, data, 0, nullptr, nullptr));
  const std::array<size_t, 3> origin{call.origin[0], call.origin[1], call.origin[2]};
  const std::array<size_t, 3> extent{call.extent[0], call.extent[1], call.extent[2]};
  return done(clEnqueueWriteImage(context->uploads.raw(), memory->object.raw(), CL_TRUE,
                                  origin.data(), extent.data(), 0, 0, data, 0, nullptr, nullptr));
}

}  // namespace casemate::opencl
