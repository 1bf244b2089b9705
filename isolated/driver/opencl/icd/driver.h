// SPDX-License-Identifier: Apache-2.0
#pragma once
// Driver: the one platform and the one device that a program sees, and what its calls have in
// common: events, waiting, and data that arrives later than the call that asked for it.
//
// A read that does not block is delivered when the program learns that it has ended: its memory is
// undefined until then.
//
//   Owns     the link to the device's partition.
//   Threads  any: a lock is held for each call, and given up while a wait depends on others.
//   Trust    what the device answers is data, and its sizes are checked.
//   Fails    with OpenCL's statuses; make() where there is no stream.

#include <functional>
#include <map>
#include <mutex>

#include "base/result.h"
#include "isolated/driver/opencl/icd/link.h"
#include "isolated/driver/opencl/icd/objects.h"

namespace casemate::opencl {

// The environment's word for the socket that the stream comes through.
inline constexpr const char* kSocketVariable = "CASEMATE_OPENCL_SOCKET";

// A program's list of events to wait for.
struct WaitList {
  cl_uint count = 0;
  const cl_event* events = nullptr;
};

class Driver final {
 public:
  // The lock is recursive since to let go of an object is a call, too.
  using Lock = std::unique_lock<std::recursive_mutex>;

  explicit Driver(Link link) : link_(std::move(link)) {}
  // The process's driver, made with the first call; nothing where this process has no stream.
  static Driver* instance();

  cl_platform_id platform() { return &platform_; }
  cl_device_id device() { return &device_; }

  uint32_t number();
  template <class T>
  cl_int post(const T& call, uint32_t queue = 0) {
    const Lock lock(mutex_);
    return link_.post(call, queue);
  }
  // Posts `call` with `data` in its `region`, when no more than `window` bytes are on their way.
  template <class T>
  cl_int post_with(T call, Region T::* region, Bytes data, uint32_t queue = 0,
                   uint64_t window = UINT64_MAX) {
    const Lock lock(mutex_);
    const auto room = link_.place(data.size(), window);
    if (!room) return CL_OUT_OF_RESOURCES;
    std::ranges::copy(data, link_.incoming(*room));
    call.*region = *room;
    return link_.post(call, queue);
  }
  template <class T>
  cl_int ask(const T& call, std::vector<uint8_t>* value = nullptr) {
    const Lock lock(mutex_);
    return link_.ask(call, value);
  }
  template <class T>
  cl_int ask_with(T call, Region T::* region, Bytes data) {
    const Lock lock(mutex_);
    const auto room = link_.place(data.size());
    if (!room) return CL_OUT_OF_RESOURCES;
    std::ranges::copy(data, link_.incoming(*room));
    call.*region = *room;
    return link_.ask(call);
  }
  // `value` has the form that OpenCL gives this query's answers, or the device's partition is left.
  cl_int query(const QueryCall& call, std::vector<uint8_t>& value);
  // What the device says of itself, asked once.
  cl_int device_value(cl_device_info parameter, std::vector<uint8_t>& value);
  template <class T>
  T device_number(cl_device_info parameter) {
    std::vector<uint8_t> value;
    if (device_value(parameter, value) != CL_SUCCESS || value.size() != sizeof(T)) return {};
    return load<T>(value);
  }

  // Checks a command's queue and events and describes them. `event` is what the program wants, and
  // is made where `needed`, too.
  struct Started {
    Command command;
    _cl_event* event = nullptr;  // with a reference of its own
    std::vector<uint32_t> gathered;
  };
  cl_int begin(cl_command_queue queue, const WaitList& waits, cl_command_type type, bool needed,
               Started& started);
  // Gives the event to the program if `status` is good and it wants it, and returns the status.
  cl_int end(Started& started, cl_int status, cl_event* event);
  // A command that is one call.
  template <class T>
  cl_int command(cl_command_queue queue, const WaitList& waits, cl_command_type type, T call,
                 cl_event* event) {
    Started started;
    const cl_int status = begin(queue, waits, type, event != nullptr, started);
    if (status != CL_SUCCESS) return status;
    call.command = started.command;
    return end(started, post(call, queue->id), event);
  }

  // What blocks may wait, and so uses the same little memory again, which is near.
  cl_int write(cl_command_queue queue, cl_mem buffer, bool blocking, uint64_t offset, Bytes data,
               const WaitList& waits, cl_command_type type, cl_event* event);
  cl_int read(cl_command_queue queue, cl_mem buffer, bool blocking, uint64_t offset,
              MutableBytes data, const WaitList& waits, cl_command_type type, cl_event* event);
  // Boxes that lie packed in bulk memory. `make` gives the call for a slab of the box: its origin
  // and extent in bytes, rows and slices.
  template <class Make>
  cl_int write_box(cl_command_queue queue, const HostBox& box, const WaitList& waits,
                   cl_command_type type, cl_event* event, Make&& make);
  template <class Make>
  cl_int read_box(cl_command_queue queue, bool blocking, const HostBox& box, const WaitList& waits,
                  cl_command_type type, cl_event* event, Make&& make);
  // What a new object holds.
  cl_int upload(cl_mem buffer, Bytes data);
  cl_int upload_image(cl_mem image, const HostBox& box);

  cl_int finish(cl_command_queue queue);
  cl_int wait(const WaitList& events);
  cl_int event_status(cl_event event, cl_int& status);
  void opened(int change);
  void call_back(cl_event event, cl_int type, void(CL_CALLBACK* call)(cl_event, cl_int, void*),
                 void* data);
  cl_int queue_error(uint32_t queue);
  // Leaves the device's partition, which does `what` no device does.
  cl_int refuse(std::string_view what);

 private:
  struct Delivery {
    Reference<_cl_event> event;
    Region room;
    std::function<void(const uint8_t*)> copy;
  };
  struct Callback {
    Reference<_cl_event> event;
    cl_int type;
    void(CL_CALLBACK* call)(cl_event, cl_int, void*);
    void* data;
  };
  cl_int query_once(QueryCall call, const std::optional<Region>& room, std::vector<uint8_t>& value);
  cl_int settle(cl_command_queue queue, const WaitList& waits);
  cl_int read_now(const Started& started, cl_mem buffer, uint64_t offset, MutableBytes data);
  cl_int read_later(const Started& started, cl_mem buffer, uint64_t offset, MutableBytes data);
  std::optional<Region> room_for(Lock& lock, uint64_t size);
  cl_int wait_for(std::span<const uint32_t> events);
  cl_int status_of(uint32_t event, cl_int& status);
  // Delivers what has ended.
  void deliver();
  void run_callbacks();
  std::vector<std::pair<Triple, Triple>> slabs(const Triple& extent, uint64_t piece_max) const;

  _cl_platform_id platform_;
  _cl_device_id device_;
  std::recursive_mutex mutex_;
  Link link_;
  std::atomic<int> open_events_ = 0;
  std::vector<Delivery> deliveries_;
  std::map<cl_device_info, std::vector<uint8_t>> device_values_;
  std::vector<Callback> callbacks_;
  bool calling_back_ = false;
};

template <class Make>
cl_int Driver::write_box(cl_command_queue queue, const HostBox& box, const WaitList& waits,
                         cl_command_type type, cl_event* event, Make&& make) {
  Started started;
  const cl_int status = begin(queue, waits, type, event != nullptr, started);
  if (status != CL_SUCCESS) return status;
  const Lock lock(mutex_);
  const auto pieces = slabs(box.extent, link_.in_size() / 4);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto& [at, extent] = pieces[i];
    const auto room = link_.place(*volume(extent, 1));
    if (!room) return end(started, CL_OUT_OF_RESOURCES, event);
    pack({box.data + at[1] * box.row_pitch + at[2] * box.slice_pitch, extent, box.row_pitch,
          box.slice_pitch},
         link_.incoming(*room));
    auto call = make(at, extent);
    call.command = started.command;
    // The event is the last piece's, which waits for the others.
    if (i + 1 < pieces.size()) call.command.event = 0;
    if (i + 1 == pieces.size() && i > 0 && !queue->ordered()) {
      Mark mark;
      mark.command = {.queue = queue->id};
      mark.barrier = 1;
      static_cast<void>(link_.post(mark, queue->id));
    }
    call.data = *room;
    if (link_.post(call, queue->id) != CL_SUCCESS) return end(started, CL_OUT_OF_RESOURCES, event);
  }
  return end(started, CL_SUCCESS, event);
}

template <class Make>
cl_int Driver::read_box(cl_command_queue queue, bool blocking, const HostBox& box,
                        const WaitList& waits, cl_command_type type, cl_event* event, Make&& make) {
  Lock lock(mutex_, std::defer_lock);
  const auto pieces = slabs(box.extent, link_.out_size() / 4);
  for (size_t i = 0; i < pieces.size(); ++i) {
    // Each piece is a command of its own; the program's event is the last one's.
    Started started;
    const cl_int status = begin(queue, waits, type, true, started);
    if (status != CL_SUCCESS) return status;
    const auto& [at, extent] = pieces[i];
    lock.lock();
    const auto room = room_for(lock, *volume(extent, 1));
    auto call = make(at, extent);
    call.command = started.command;
    if (room) call.data = *room;
    const cl_int posted = room ? link_.post(call, queue->id) : CL_OUT_OF_RESOURCES;
    if (posted == CL_SUCCESS) {
      const HostBox piece{box.data + at[1] * box.row_pitch + at[2] * box.slice_pitch, extent,
                          box.row_pitch, box.slice_pitch};
      deliveries_.push_back({Reference<_cl_event>(started.event), *room,
                             [piece](const uint8_t* packed) { unpack(piece, packed); }});
    }
    lock.unlock();
    const bool last = i + 1 == pieces.size();
    const cl_event mine = started.event;
    const Reference<_cl_event> kept(mine);
    const cl_int ended = end(started, posted, last ? event : nullptr);
    if (ended != CL_SUCCESS) return ended;
    if (!last || !blocking) continue;
    const cl_int waited = wait({1, &mine});
    const cl_int error = queue_error(queue->id);
    return error != CL_SUCCESS ? error : waited;
  }
  return CL_SUCCESS;
}

}  // namespace casemate::opencl
