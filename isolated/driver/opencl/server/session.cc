// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/server/session.h"

namespace casemate::opencl {

Session::Session(cl_device_id device, Bytes in, MutableBytes out, const SessionLimits& limits,
                 Pulse* pulse)
    : device_(device),
      in_(in),
      out_(out),
      limits_(limits),
      pulse_(pulse),
      contexts_(limits.objects),
      queues_(limits.objects),
      memories_(limits.objects),
      samplers_(limits.objects),
      programs_(limits.objects),
      kernels_(limits.objects),
      events_(limits.objects) {}

// Nobody will set the status of what is still open, and who waits for it would wait for ever.
Session::~Session() {
  events_.each([](EventEntry& event) {
    if (event.open) static_cast<void>(clSetUserEventStatus(event.object.raw(), -1));
  });
  queues_.each([](Entry<Queue>& queue) {
    if (queue.object) static_cast<void>(clFinish(queue.object.raw()));
  });
}

Answer Session::malformed() { return {.code = Code::kInvalid, .outcome = {}}; }

Answer Session::done(cl_int status) { return {.outcome = {.status = status}}; }

Answer Session::with_value(cl_int status, Bytes value, const Region& out) const {
  Answer answer = done(status);
  answer.outcome.size = value.size();
  if (value.size() <= answer.value.size()) {
    std::ranges::copy(value, answer.value.begin());
    answer.value_size = value.size();
  } else if (value.size() <= out.size) {
    std::ranges::copy(value, out_.subspan(out.offset).begin());
  } else {
    answer.outcome.status = CL_OUT_OF_HOST_MEMORY;
  }
  return answer;
}

template <class T>
Answer Session::run(Answer (Session::*handler)(const T&), Bytes args) {
  const auto call = decode<T>(args);
  return call ? (this->*handler)(*call) : malformed();
}

Answer Session::handle(uint32_t call, Bytes args) {
  const auto which = static_cast<Call>(call);
  return which < Call::kLaunch ? handle_object(which, args) : handle_command(which, args);
}

Answer Session::handle_object(Call call, Bytes args) {
  switch (call) {
    case Call::kQuery:
      return run(&Session::query, args);
    case Call::kCreateContext:
      return run(&Session::create_context, args);
    case Call::kCreateQueue:
      return run(&Session::create_queue, args);
    case Call::kCreateBuffer:
      return run(&Session::create_buffer, args);
    case Call::kCreateSubBuffer:
      return run(&Session::create_sub_buffer, args);
    case Call::kCreateImage:
      return run(&Session::create_image, args);
    case Call::kCreateSampler:
      return run(&Session::create_sampler, args);
    case Call::kCreateUserEvent:
      return run(&Session::create_user_event, args);
    case Call::kCreateProgram:
      return run(&Session::create_program, args);
    case Call::kBuildProgram:
      return run(&Session::build_program, args);
    case Call::kCreateKernel:
      return run(&Session::create_kernel, args);
    case Call::kSetArgument:
      return run(&Session::set_argument, args);
    case Call::kRelease:
      return run(&Session::release, args);
    case Call::kUpload:
      return run(&Session::upload, args);
    default:
      return malformed();
  }
}

Answer Session::handle_command(Call call, Bytes args) {
  switch (call) {
    case Call::kLaunch:
      return run(&Session::run_kernel, args);
    case Call::kWriteBuffer:
      return run(&Session::write_buffer, args);
    case Call::kReadBuffer:
      return run(&Session::read_buffer, args);
    case Call::kCopyBuffer:
      return run(&Session::copy_buffer, args);
    case Call::kFillBuffer:
      return run(&Session::fill_buffer, args);
    case Call::kWriteRectangle:
      return run(&Session::write_rectangle, args);
    case Call::kReadRectangle:
      return run(&Session::read_rectangle, args);
    case Call::kCopyRectangle:
      return run(&Session::copy_rectangle, args);
    case Call::kWriteImage:
      return run(&Session::write_image, args);
    case Call::kReadImage:
      return run(&Session::read_image, args);
    case Call::kCopyImage:
      return run(&Session::copy_image, args);
    case Call::kCopyImageToBuffer:
      return run(&Session::copy_image_to_buffer, args);
    case Call::kCopyBufferToImage:
      return run(&Session::copy_buffer_to_image, args);
    case Call::kFillImage:
      return run(&Session::fill_image, args);
    case Call::kMark:
      return run(&Session::mark, args);
    case Call::kFlush:
      return run(&Session::flush, args);
    case Call::kFinish:
      return run(&Session::finish, args);
    case Call::kWait:
      return run(&Session::wait, args);
    case Call::kSetUserEvent:
      return run(&Session::set_user_event, args);
    default:
      return malformed();
  }
}

}  // namespace casemate::opencl
