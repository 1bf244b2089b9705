// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/icd/driver.h"

#include <cstdlib>
#include <thread>

#include "base/format.h"
#include "base/log.h"
#include "wire/control/control.h"

namespace casemate::opencl {
namespace {

constexpr uint64_t kLongAnswer = 256 << 10;
// Between two looks at an event that the program wants to be told of, or that others must move.
constexpr auto kPause = std::chrono::microseconds(200);

Result<Link> connect() {
  const char* variable = std::getenv(kSocketVariable);
  if (variable == nullptr)
    return Error{Code::kNotFound, "this program was not started by 'casemate run'"};
  const int number = std::atoi(variable);
  if (number < 3) return Error{Code::kInvalid, formatted("{} is no descriptor", kSocketVariable)};
  const control::Socket socket{Fd(number)};
  auto received = TRY(socket.receive(10'000));
  auto end = TRY(control::stream_end_of(received));
  return Link(TRY(Transport::make(std::move(end))));
}

}  // namespace

Driver* Driver::instance() {
  // Never ended: a program's own destructors may still call.
  static Driver* const driver = []() -> Driver* {
    auto link = connect();
    if (!link) {
      log("OpenCL: {}", link.error().text);
      return nullptr;
    }
    return new Driver(*std::move(link));
  }();
  return driver;
}

void forget(Kind kind, uint32_t id) {
  Release call;
  call.kind = static_cast<uint32_t>(kind);
  call.id = id;
  if (Driver* driver = Driver::instance()) static_cast<void>(driver->post(call));
}

uint32_t Driver::number() {
  const Lock lock(mutex_);
  return link_.number();
}

cl_int Driver::query_once(QueryCall call, const std::optional<Region>& room,
                          std::vector<uint8_t>& value) {
  if (room) call.out = *room;
  const cl_int status = link_.ask(call, &value);
  // What does not lie in the reply lies in the region, which is long enough: replies.h.
  if (status == CL_SUCCESS && value.size() > kInlineAnswer)
    std::copy_n(link_.outgoing(call.out), value.size(), value.begin());
  if (room) link_.free_room(*room);
  return link_.failed() ? CL_OUT_OF_RESOURCES : status;
}

cl_int Driver::query(const QueryCall& call, std::vector<uint8_t>& value) {
  const Form form = form_of(static_cast<Query>(call.query), call.parameter);
  if (form.kind == Form::Kind::kNone) return CL_INVALID_VALUE;
  Lock lock(mutex_);
  auto room = link_.take_room(std::min(kLongAnswer, link_.out_size() / 4));
  cl_int status = query_once(call, room, value);
  if (status == CL_OUT_OF_HOST_MEMORY && value.size() > (room ? room->size : 0)) {
    // Longer than most: once more, with as much room as it needs.
    room = room_for(lock, value.size());
    if (!room) return CL_OUT_OF_HOST_MEMORY;
    status = query_once(call, room, value);
  }
  if (status != CL_SUCCESS || fits(value, form)) return status;
  return refuse(formatted("answers query {} about {:#x} with {} bytes that are no such value",
                          call.query, call.parameter, value.size()));
}

cl_int Driver::refuse(std::string_view what) {
  const Lock lock(mutex_);
  link_.end(what);
  return CL_OUT_OF_RESOURCES;
}

cl_int Driver::device_value(cl_device_info parameter, std::vector<uint8_t>& value) {
  {
    const Lock lock(mutex_);
    const auto known = device_values_.find(parameter);
    if (known != device_values_.end()) {
      value = known->second;
      return CL_SUCCESS;
    }
  }
  QueryCall call;
  call.query = static_cast<uint32_t>(Query::kDevice);
  call.parameter = parameter;
  const cl_int status = query(call, value);
  if (status != CL_SUCCESS) return status;
  const Lock lock(mutex_);
  device_values_[parameter] = value;
  return CL_SUCCESS;
}

cl_int Driver::begin(cl_command_queue queue, const WaitList& waits, cl_command_type type,
                     bool needed, Started& started) {
  if (!valid(queue)) return CL_INVALID_COMMAND_QUEUE;
  if ((waits.count == 0) != (waits.events == nullptr)) return CL_INVALID_EVENT_WAIT_LIST;
  for (cl_uint i = 0; i < waits.count; ++i) {
    if (!valid(waits.events[i])) return CL_INVALID_EVENT_WAIT_LIST;
    if (waits.events[i]->context.raw() != queue->context.raw()) return CL_INVALID_CONTEXT;
  }
  const Lock lock(mutex_);
  started.command.queue = queue->id;
  // More events than a message holds become one each dozen, by a mark that waits for them.
  std::vector<uint32_t> ids;
  for (cl_uint i = 0; i < waits.count; ++i) ids.push_back(waits.events[i]->id);
  while (ids.size() > kWaitsMax) {
    Mark mark;
    mark.command = {.queue = queue->id, .event = link_.number(), .wait_count = kWaitsMax};
    std::copy_n(ids.begin(), kWaitsMax, mark.command.waits.begin());
    ids.erase(ids.begin(), ids.begin() + kWaitsMax);
    ids.push_back(mark.command.event);
    started.gathered.push_back(mark.command.event);
    if (link_.post(mark, queue->id) != CL_SUCCESS) return CL_OUT_OF_RESOURCES;
  }
  started.command.wait_count = static_cast<uint32_t>(ids.size());
  std::ranges::copy(ids, started.command.waits.begin());
  if (!needed) return CL_SUCCESS;
  started.event = new _cl_event;
  started.event->mark = _cl_event::kMark;
  started.event->id = started.command.event = link_.number();
  started.event->context = Reference<_cl_context>(queue->context.raw());
  started.event->queue = Reference<_cl_command_queue>(queue);
  started.event->type = type;
  return CL_SUCCESS;
}

cl_int Driver::end(Started& started, cl_int status, cl_event* event) {
  for (const uint32_t id : started.gathered) {
    const Release call{static_cast<uint32_t>(Kind::kEvent), id};
    static_cast<void>(post(call));
  }
  if (started.event == nullptr) return status;
  if (event != nullptr && status == CL_SUCCESS)
    *event = started.event;
  else
    drop(started.event);
  return status;
}

cl_int Driver::status_of(uint32_t event, cl_int& status) {
  QueryCall call;
  call.query = static_cast<uint32_t>(Query::kEvent);
  call.object = event;
  call.parameter = CL_EVENT_COMMAND_EXECUTION_STATUS;
  std::vector<uint8_t> value;
  const cl_int asked = link_.ask(call, &value);
  if (asked != CL_SUCCESS) return asked;
  if (value.size() != sizeof status || load<cl_int>(value) > CL_QUEUED)
    return refuse("answers that an event is in a state that there is not");
  status = load<cl_int>(value);
  return CL_SUCCESS;
}

void Driver::deliver() {
  std::vector<Delivery> waiting;
  std::vector<Delivery> over;
  for (Delivery& delivery : deliveries_) {
    cl_int status = CL_QUEUED;
    if (status_of(delivery.event->id, status) != CL_SUCCESS) status = CL_OUT_OF_RESOURCES;
    if (status == CL_COMPLETE && !link_.failed()) delivery.copy(link_.outgoing(delivery.room));
    if (status <= CL_COMPLETE) link_.free_room(delivery.room);
    (status <= CL_COMPLETE ? over : waiting).push_back(std::move(delivery));
  }
  deliveries_ = std::move(waiting);
}

cl_int Driver::event_status(cl_event event, cl_int& status) {
  const Lock lock(mutex_);
  const cl_int asked = status_of(event->id, status);
  if (asked == CL_SUCCESS && status <= CL_COMPLETE) deliver();
  return asked;
}

cl_int Driver::wait_for(std::span<const uint32_t> events) {
  cl_int status = CL_SUCCESS;
  for (size_t i = 0; i < events.size(); i += kWaitsMax) {
    Wait call;
    call.count = static_cast<uint32_t>(std::min<size_t>(kWaitsMax, events.size() - i));
    std::copy_n(events.begin() + static_cast<std::ptrdiff_t>(i), call.count, call.events.begin());
    while (true) {
      call.bounded = open_events_ > 0 ? 1 : 0;
      const cl_int answer = ask(call);
      if (answer == kNotYet) {
        std::this_thread::sleep_for(kPause);
        continue;
      }
      if (status == CL_SUCCESS) status = answer;
      break;
    }
  }
  return status;
}

cl_int Driver::wait(const WaitList& events) {
  std::vector<uint32_t> ids;
  for (cl_uint i = 0; i < events.count; ++i) ids.push_back(events.events[i]->id);
  const cl_int status = wait_for(ids);
  const Lock lock(mutex_);
  deliver();
  return status;
}

// Waits until the queue's turn for a command with these waits has come, where a program's own event
// may be what it depends on: then other calls must get through meanwhile.
cl_int Driver::settle(cl_command_queue queue, const WaitList& waits) {
  if (open_events_ == 0) return CL_SUCCESS;
  Started started;
  const cl_int status = begin(queue, waits, CL_COMMAND_MARKER, true, started);
  if (status != CL_SUCCESS) return status;
  Mark mark;
  mark.command = started.command;
  const cl_event event = started.event;
  const cl_int posted = post(mark, queue->id);
  const cl_int waited = posted == CL_SUCCESS ? wait({1, &event}) : posted;
  return end(started, waited, nullptr);
}

cl_int Driver::queue_error(uint32_t queue) {
  const Lock lock(mutex_);
  return link_.queue_error(queue);
}

cl_int Driver::finish(cl_command_queue queue) {
  static_cast<void>(settle(queue, {}));
  const Lock lock(mutex_);
  Finish call;
  call.queue = queue->id;
  const cl_int status = link_.ask(call);
  deliver();
  const cl_int error = link_.queue_error(queue->id);
  return status != CL_SUCCESS ? status : error;
}

void Driver::opened(int change) { open_events_ += change; }

void Driver::call_back(cl_event event, cl_int type,
                       void(CL_CALLBACK* call)(cl_event, cl_int, void*), void* data) {
  const Lock lock(mutex_);
  callbacks_.push_back({Reference<_cl_event>(event), type, call, data});
  if (calling_back_) return;
  calling_back_ = true;
  std::thread([this] { run_callbacks(); }).detach();
}

void Driver::run_callbacks() {
  while (true) {
    std::vector<Callback> all;
    {
      const Lock lock(mutex_);
      all.swap(callbacks_);
      calling_back_ = !all.empty();
    }
    if (all.empty()) return;
    for (Callback& callback : all) {
      cl_int status = CL_QUEUED;
      if (event_status(callback.event.raw(), status) != CL_SUCCESS) status = CL_OUT_OF_RESOURCES;
      if (status <= callback.type) {
        callback.call(callback.event.raw(), status < 0 ? status : callback.type, callback.data);
      } else {
        const Lock lock(mutex_);
        callbacks_.push_back(std::move(callback));
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace casemate::opencl
