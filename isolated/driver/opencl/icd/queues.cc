// SPDX-License-Identifier: Apache-2.0
// Queues, events, and what waits for them.
#include "isolated/driver/opencl/icd/answers.h"
#include "isolated/driver/opencl/icd/api.h"
#include "isolated/driver/opencl/icd/driver.h"

_cl_event::~_cl_event() {
  if (open) casemate::opencl::Driver::instance()->opened(-1);
}

namespace casemate::opencl {

cl_command_queue api::clCreateCommandQueue(cl_context context, cl_device_id device,
                                           cl_command_queue_properties properties, cl_int* status) {
  cl_command_queue none = nullptr;
  if (!valid(context)) return made(none, CL_INVALID_CONTEXT, status);
  Driver& driver = *Driver::instance();
  if (device != driver.device()) return made(none, CL_INVALID_DEVICE, status);
  const auto offered =
      driver.device_number<cl_command_queue_properties>(CL_DEVICE_QUEUE_PROPERTIES);
  if (properties > 3) return made(none, CL_INVALID_VALUE, status);
  if ((properties & ~offered) != 0) return made(none, CL_INVALID_QUEUE_PROPERTIES, status);
  auto queue = std::make_unique<_cl_command_queue>();
  queue->mark = _cl_command_queue::kMark;
  queue->id = driver.number();
  queue->context = Reference<_cl_context>(context);
  queue->properties = properties;
  CreateQueue call;
  call.id = queue->id;
  call.context = context->id;
  call.properties = properties;
  const cl_int posted = driver.post(call, queue->id);
  return made(posted == CL_SUCCESS ? queue.release() : nullptr, posted, status);
}

cl_command_queue api::clCreateCommandQueueWithProperties(cl_context context, cl_device_id device,
                                                         const cl_queue_properties* properties,
                                                         cl_int* status) {
  cl_command_queue_properties given = 0;
  for (; properties != nullptr && properties[0] != 0; properties += 2) {
    if (properties[0] != CL_QUEUE_PROPERTIES)
      return made(cl_command_queue{}, CL_INVALID_VALUE, status);
    given = properties[1];
  }
  return api::clCreateCommandQueue(context, device, given, status);
}

cl_int api::clSetCommandQueueProperty(cl_command_queue, cl_command_queue_properties, cl_bool,
                                      cl_command_queue_properties*) {
  return CL_INVALID_OPERATION;
}
cl_int api::clRetainCommandQueue(cl_command_queue queue) {
  return retain(queue, CL_INVALID_COMMAND_QUEUE);
}
cl_int api::clReleaseCommandQueue(cl_command_queue queue) {
  return release(queue, CL_INVALID_COMMAND_QUEUE);
}

cl_int api::clGetCommandQueueInfo(cl_command_queue queue, cl_command_queue_info parameter,
                                  size_t room, void* value, size_t* size) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  const Out out{room, value, size};
  switch (parameter) {
    case CL_QUEUE_CONTEXT:
      return out.plain(queue->context.raw());
    case CL_QUEUE_DEVICE:
      return out.plain(Driver::instance()->device());
    case CL_QUEUE_REFERENCE_COUNT:
      return out.plain(queue->references.load());
    case CL_QUEUE_PROPERTIES:
      return out.plain(queue->properties);
    default:
      return CL_INVALID_VALUE;
  }
}

cl_int api::clFlush(cl_command_queue queue) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  Flush call;
  call.queue = queue->id;
  return Driver::instance()->post(call, queue->id);
}

cl_int api::clFinish(cl_command_queue queue) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  return Driver::instance()->finish(queue);
}

cl_int api::clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint count,
                                        const cl_event* waits, cl_event* event) {
  return Driver::instance()->command(queue, {count, waits}, CL_COMMAND_MARKER, Mark{}, event);
}
cl_int api::clEnqueueBarrierWithWaitList(cl_command_queue queue, cl_uint count,
                                         const cl_event* waits, cl_event* event) {
  Mark call;
  call.barrier = 1;
  return Driver::instance()->command(queue, {count, waits}, CL_COMMAND_BARRIER, call, event);
}
cl_int api::clEnqueueMarker(cl_command_queue queue, cl_event* event) {
  return event == nullptr ? CL_INVALID_VALUE
                          : api::clEnqueueMarkerWithWaitList(queue, 0, nullptr, event);
}
cl_int api::clEnqueueBarrier(cl_command_queue queue) {
  return api::clEnqueueBarrierWithWaitList(queue, 0, nullptr, nullptr);
}
cl_int api::clEnqueueWaitForEvents(cl_command_queue queue, cl_uint count, const cl_event* waits) {
  if (count == 0 || waits == nullptr) return CL_INVALID_VALUE;
  return api::clEnqueueBarrierWithWaitList(queue, count, waits, nullptr);
}
cl_int api::clEnqueueMigrateMemObjects(cl_command_queue queue, cl_uint count,
                                       const cl_mem* memories, cl_mem_migration_flags,
                                       cl_uint wait_count, const cl_event* waits, cl_event* event) {
  if (count == 0 || memories == nullptr) return CL_INVALID_VALUE;
  for (cl_uint i = 0; i < count; ++i)
    if (!valid(memories[i])) return CL_INVALID_MEM_OBJECT;
  // There is one device, and everything is there already.
  return Driver::instance()->command(queue, {wait_count, waits}, CL_COMMAND_MIGRATE_MEM_OBJECTS,
                                     Mark{}, event);
}

cl_int api::clWaitForEvents(cl_uint count, const cl_event* events) {
  if (count == 0 || events == nullptr) return CL_INVALID_VALUE;
  for (cl_uint i = 0; i < count; ++i) {
    if (!valid(events[i])) return CL_INVALID_EVENT;
    if (events[i]->context.raw() != events[0]->context.raw()) return CL_INVALID_CONTEXT;
  }
  return Driver::instance()->wait({count, events});
}

cl_int api::clGetEventInfo(cl_event event, cl_event_info parameter, size_t room, void* value,
                           size_t* size) {
  if (!valid(event)) return CL_INVALID_EVENT;
  const Out out{room, value, size};
  switch (parameter) {
    case CL_EVENT_COMMAND_QUEUE:
      return out.plain(event->queue.raw());
    case CL_EVENT_CONTEXT:
      return out.plain(event->context.raw());
    case CL_EVENT_COMMAND_TYPE:
      return out.plain(event->type);
    case CL_EVENT_REFERENCE_COUNT:
      return out.plain(event->references.load());
    case CL_EVENT_COMMAND_EXECUTION_STATUS: {
      cl_int status = CL_QUEUED;
      const cl_int asked = Driver::instance()->event_status(event, status);
      return asked == CL_SUCCESS ? out.plain(status) : asked;
    }
    default:
      return CL_INVALID_VALUE;
  }
}

cl_int api::clRetainEvent(cl_event event) { return retain(event, CL_INVALID_EVENT); }
cl_int api::clReleaseEvent(cl_event event) { return release(event, CL_INVALID_EVENT); }

cl_int api::clGetEventProfilingInfo(cl_event event, cl_profiling_info parameter, size_t room,
                                    void* value, size_t* size) {
  if (!valid(event)) return CL_INVALID_EVENT;
  if (!event->queue || (event->queue->properties & CL_QUEUE_PROFILING_ENABLE) == 0)
    return CL_PROFILING_INFO_NOT_AVAILABLE;
  QueryCall call;
  call.query = static_cast<uint32_t>(Query::kEventProfiling);
  call.object = event->id;
  call.parameter = parameter;
  std::vector<uint8_t> answer;
  const cl_int status = Driver::instance()->query(call, answer);
  return status == CL_SUCCESS ? Out{room, value, size}.bytes(answer) : status;
}

cl_event api::clCreateUserEvent(cl_context context, cl_int* status) {
  if (!valid(context)) return made(cl_event{}, CL_INVALID_CONTEXT, status);
  Driver& driver = *Driver::instance();
  auto event = std::make_unique<_cl_event>();
  event->mark = _cl_event::kMark;
  event->id = driver.number();
  event->context = Reference<_cl_context>(context);
  event->type = CL_COMMAND_USER;
  CreateUserEvent call;
  call.id = event->id;
  call.context = context->id;
  const cl_int posted = driver.post(call);
  if (posted != CL_SUCCESS) return made(cl_event{}, posted, status);
  event->open = true;
  driver.opened(1);
  return made(event.release(), CL_SUCCESS, status);
}

cl_int api::clSetUserEventStatus(cl_event event, cl_int status) {
  if (!valid(event) || event->type != CL_COMMAND_USER) return CL_INVALID_EVENT;
  if (status > 0) return CL_INVALID_VALUE;
  if (!event->open) return CL_INVALID_OPERATION;
  event->open = false;
  SetUserEvent call;
  call.id = event->id;
  call.status = status;
  const cl_int posted = Driver::instance()->post(call);
  Driver::instance()->opened(-1);
  return posted;
}

cl_int api::clSetEventCallback(cl_event event, cl_int type,
                               void(CL_CALLBACK* call)(cl_event, cl_int, void*), void* data) {
  if (!valid(event)) return CL_INVALID_EVENT;
  if (call == nullptr || type < CL_COMPLETE || type > CL_SUBMITTED) return CL_INVALID_VALUE;
  Driver::instance()->call_back(event, type, call, data);
  return CL_SUCCESS;
}

}  // namespace casemate::opencl
