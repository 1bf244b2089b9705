// SPDX-License-Identifier: Apache-2.0
// Commands on queues and buffers, and what waits for them.
#include <thread>

#include "isolated/driver/opencl/server/enqueue.h"

namespace casemate::opencl {
namespace {

using Sizes = std::array<size_t, 3>;
Sizes sizes(const Triple& t) { return {t[0], t[1], t[2]}; }

// How long a bounded wait may keep other calls of the client waiting.
constexpr auto kBound = std::chrono::milliseconds(1);
constexpr auto kStep = std::chrono::microseconds(50);

}  // namespace

cl_int Session::buffer(uint32_t id, uint64_t offset, uint64_t size, MemoryEntry*& found) {
  found = memories_.find(id);
  if (const cl_int status = usable(found, CL_INVALID_MEM_OBJECT); status != CL_SUCCESS)
    return status;
  if (found->size == 0) return CL_INVALID_MEM_OBJECT;
  return within(offset, size, found->size) ? CL_SUCCESS : CL_INVALID_VALUE;
}

cl_int Session::rectangle(uint32_t id, const Triple& origin, const Triple& extent,
                          uint64_t row_pitch, uint64_t slice_pitch, const Region& data,
                          MemoryEntry*& found) {
  const auto end = box_end(origin, extent, row_pitch, slice_pitch);
  if (!end || volume(extent, 1) != data.size) return CL_INVALID_VALUE;
  return buffer(id, 0, *end, found);
}

cl_int Session::begin(const Command& command, Started& started) {
  const Entry<Queue>* queue = queues_.find(command.queue);
  if (const cl_int status = usable(queue, CL_INVALID_COMMAND_QUEUE); status != CL_SUCCESS)
    return status;
  started.queue = queue->object.raw();
  for (uint32_t i = 0; i < command.wait_count; ++i) {
    const EventEntry* event = events_.find(command.waits[i]);
    if (event == nullptr) return CL_INVALID_EVENT_WAIT_LIST;
    if (event->error != CL_SUCCESS) return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    started.waits[started.wait_count++] = event->object.raw();
  }
  return CL_SUCCESS;
}

void Session::forget_staged() {
  while (!staged_.empty()) {
    cl_int status = CL_COMPLETE;
    static_cast<void>(clGetEventInfo(staged_.front().event.raw(), CL_EVENT_COMMAND_EXECUTION_STATUS,
                                     sizeof status, &status, nullptr));
    if (status > CL_COMPLETE) return;
    staged_.pop_front();
  }
}

void Session::record(const Command& command, Part part, cl_int status, cl_event event) {
  EventEntry* entry = events_.find(command.event);
  if (entry == nullptr) {
    events_.add(command.event, {Event(event), status, {}, false});
    return;
  }
  if (part == Part::kMiddle || part == Part::kLast) {
    if (!entry->begin) entry->begin = std::move(entry->object);
    entry->object = Event(event);
    entry->error = status;
  }
}

Answer Session::run_kernel(const Launch& call) {
  return enqueue(call.command, [&](Started& s) {
    const KernelEntry* kernel = kernels_.find(call.kernel);
    if (const cl_int status = usable(kernel, CL_INVALID_KERNEL); status != CL_SUCCESS)
      return status;
    if (!kernel->wrong.empty()) return kernel->wrong.begin()->second;
    const Sizes offset = sizes(call.offset), global = sizes(call.global), local = sizes(call.local);
    const cl_int status = clEnqueueNDRangeKernel(
        s.queue, kernel->object.raw(), call.dimensions, offset.data(), global.data(),
        call.local_given != 0 ? local.data() : nullptr, s.wait_count, s.list(), s.event);
    return status;
  });
}

Answer Session::write_buffer(const WriteBuffer& call) {
  if (!within(call.data, in_.size())) return malformed();
  return enqueue(
      call.command,
      [&](Started& s) {
        MemoryEntry* memory = nullptr;
        const cl_int status = buffer(call.buffer, call.offset, call.data.size, memory);
        if (status != CL_SUCCESS) return status;
        return transfer_in(s, call.data, [&](cl_bool blocking, const uint8_t* data, cl_event* e) {
          return clEnqueueWriteBuffer(s.queue, memory->object.raw(), blocking, call.offset,
                                      call.data.size, data, s.wait_count, s.list(), e);
        });
      },
      static_cast<Part>(call.part));
}

Answer Session::read_buffer(const ReadBuffer& call) {
  if (!within(call.data, out_.size())) return malformed();
  return enqueue(
      call.command,
      [&](Started& s) {
        MemoryEntry* memory = nullptr;
        cl_int status = buffer(call.buffer, call.offset, call.data.size, memory);
        if (status != CL_SUCCESS) return status;
        status = clEnqueueReadBuffer(s.queue, memory->object.raw(), call.blocking, call.offset,
                                     call.data.size, out_.data() + call.data.offset, s.wait_count,
                                     s.list(), s.event);
        return status == CL_SUCCESS ? clFlush(s.queue) : status;
      },
      static_cast<Part>(call.part));
}

Answer Session::copy_buffer(const CopyBuffer& call) {
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry *source = nullptr, *target = nullptr;
    cl_int status = buffer(call.source, call.source_offset, call.size, source);
    if (status == CL_SUCCESS) status = buffer(call.target, call.target_offset, call.size, target);
    if (status != CL_SUCCESS) return status;
    return clEnqueueCopyBuffer(s.queue, source->object.raw(), target->object.raw(),
                               call.source_offset, call.target_offset, call.size, s.wait_count,
                               s.list(), s.event);
  });
}

Answer Session::fill_buffer(const FillBuffer& call) {
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry* memory = nullptr;
    const cl_int status = buffer(call.buffer, call.offset, call.size, memory);
    if (status != CL_SUCCESS) return status;
    return clEnqueueFillBuffer(s.queue, memory->object.raw(), call.pattern.data(),
                               call.pattern_size, call.offset, call.size, s.wait_count, s.list(),
                               s.event);
  });
}

Answer Session::write_rectangle(const WriteRectangle& call) {
  if (!within(call.data, in_.size())) return malformed();
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry* memory = nullptr;
    const cl_int status = rectangle(call.buffer, call.origin, call.extent, call.row_pitch,
                                    call.slice_pitch, call.data, memory);
    if (status != CL_SUCCESS) return status;
    const Sizes origin = sizes(call.origin), extent = sizes(call.extent), zero{};
    return transfer_in(s, call.data, [&](cl_bool blocking, const uint8_t* data, cl_event* e) {
      return clEnqueueWriteBufferRect(s.queue, memory->object.raw(), blocking, origin.data(),
                                      zero.data(), extent.data(), call.row_pitch, call.slice_pitch,
                                      0, 0, data, s.wait_count, s.list(), e);
    });
  });
}

Answer Session::read_rectangle(const ReadRectangle& call) {
  if (!within(call.data, out_.size())) return malformed();
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry* memory = nullptr;
    const cl_int status = rectangle(call.buffer, call.origin, call.extent, call.row_pitch,
                                    call.slice_pitch, call.data, memory);
    if (status != CL_SUCCESS) return status;
    const Sizes origin = sizes(call.origin), extent = sizes(call.extent), zero{};
    return clEnqueueReadBufferRect(s.queue, memory->object.raw(), CL_FALSE, origin.data(),
                                   zero.data(), extent.data(), call.row_pitch, call.slice_pitch, 0,
                                   0, out_.data() + call.data.offset, s.wait_count, s.list(),
                                   s.event);
  });
}

Answer Session::copy_rectangle(const CopyRectangle& call) {
  return enqueue(call.command, [&](Started& s) {
    MemoryEntry *source = nullptr, *target = nullptr;
    const Region packed{0, volume(call.extent, 1).value_or(0)};
    cl_int status = rectangle(call.source, call.source_origin, call.extent, call.source_row_pitch,
                              call.source_slice_pitch, packed, source);
    if (status == CL_SUCCESS)
      status = rectangle(call.target, call.target_origin, call.extent, call.target_row_pitch,
                         call.target_slice_pitch, packed, target);
    if (status != CL_SUCCESS) return status;
    const Sizes from = sizes(call.source_origin), to = sizes(call.target_origin),
                extent = sizes(call.extent);
    return clEnqueueCopyBufferRect(s.queue, source->object.raw(), target->object.raw(), from.data(),
                                   to.data(), extent.data(), call.source_row_pitch,
                                   call.source_slice_pitch, call.target_row_pitch,
                                   call.target_slice_pitch, s.wait_count, s.list(), s.event);
  });
}

Answer Session::mark(const Mark& call) {
  return enqueue(call.command, [&](Started& s) {
    return call.barrier != 0
               ? clEnqueueBarrierWithWaitList(s.queue, s.wait_count, s.list(), s.event)
               : clEnqueueMarkerWithWaitList(s.queue, s.wait_count, s.list(), s.event);
  });
}

Answer Session::flush(const Flush& call) {
  const Entry<Queue>* queue = queues_.find(call.queue);
  const cl_int status = usable(queue, CL_INVALID_COMMAND_QUEUE);
  return done(status == CL_SUCCESS ? clFlush(queue->object.raw()) : status);
}

Answer Session::finish(const Finish& call) {
  const Entry<Queue>* queue = queues_.find(call.queue);
  const cl_int status = usable(queue, CL_INVALID_COMMAND_QUEUE);
  return done(status == CL_SUCCESS ? clFinish(queue->object.raw()) : status);
}

Answer Session::wait(const Wait& call) {
  const auto until = std::chrono::steady_clock::now() + kBound;
  cl_int status = CL_SUCCESS;
  for (uint32_t i = 0; i < call.count; ++i) {
    const EventEntry* event = events_.find(call.events[i]);
    if (event == nullptr) return done(CL_INVALID_EVENT);
    cl_int state = event->error;
    const cl_event real = event->object.raw();
    if (state == CL_SUCCESS && call.bounded == 0) static_cast<void>(clWaitForEvents(1, &real));
    while (state == CL_SUCCESS) {
      cl_int now = CL_COMPLETE;
      const cl_int asked =
          clGetEventInfo(real, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof now, &now, nullptr);
      if (asked != CL_SUCCESS) return done(asked);
      state = std::min(now, 0);
      if (now <= CL_COMPLETE) break;
      if (call.bounded != 0 && std::chrono::steady_clock::now() >= until) return done(kNotYet);
      std::this_thread::sleep_for(kStep);
    }
    if (state != CL_SUCCESS) status = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
  }
  return done(status);
}

}  // namespace casemate::opencl
