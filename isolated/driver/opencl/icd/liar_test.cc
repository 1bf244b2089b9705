// SPDX-License-Identifier: Apache-2.0
// A program whose device's partition lies. The device here is a thread that is honest but for its
// answer to one call. A program has one driver, and a lie ends it: so each lie has a process.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "isolated/driver/opencl/icd/api.h"
#include "isolated/driver/opencl/icd/driver.h"
#include "wire/control/control.h"
#include "wire/srpc/stream_pair.h"

namespace casemate::opencl {
namespace {

enum class Bend : uint8_t {
  kNot,
  kShort,     // a byte is missing; where there is no value, the outcome
  kLong,      // there is a byte more
  kEmpty,     // there is no value
  kHuge,      // the value is said to be longer than all memory
  kRoom,      // and that there must be as much room as that
  kPositive,  // OpenCL's errors are negative
  kOther,     // the answer to another call
  kNoNul,     // a text's last byte
  kKind,      // an object that there is not
  kSilence,   // nothing, and after a while the stream's end
  kDeaf,      // nothing, until the program has ended
};

struct Lie {
  Bend bend = Bend::kNot;
  Call call{};
  cl_uint parameter = 0;  // of a query
};

constexpr uint32_t kBinarySize = 300;  // too long for a reply
constexpr const char* kSaid = "a text";

// What an honest device says, as OpenCL has it.
std::vector<uint8_t> honest_value(Call call, Bytes args) {
  if (call == Call::kCreateKernel) return {static_cast<uint8_t>(Argument::kMemory)};
  if (call != Call::kQuery) return {};
  const auto query = load<QueryCall>(args);
  const auto number = [](auto value) {
    const Bytes bytes = bytes_of(value);
    return std::vector<uint8_t>(bytes.begin(), bytes.end());
  };
  switch (query.parameter) {
    case CL_DEVICE_TYPE:
      return number(cl_device_type{CL_DEVICE_TYPE_CPU});
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
      return number(cl_ulong{1 << 20});
    case CL_DEVICE_QUEUE_PROPERTIES:
      return number(cl_command_queue_properties{3});
    case CL_DEVICE_MAX_COMPUTE_UNITS:
    case CL_DEVICE_VENDOR_ID:
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
      return number(cl_uint{8});
    case CL_DEVICE_MAX_WORK_ITEM_SIZES:
    case CL_KERNEL_COMPILE_WORK_GROUP_SIZE:
      return number(std::array<size_t, 3>{});
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
    case CL_KERNEL_WORK_GROUP_SIZE:
    case CL_PROGRAM_NUM_KERNELS:
      return number(size_t{1});
    case CL_PROGRAM_BINARY_SIZES:
      return number(size_t{kBinarySize});
    case CL_PROGRAM_BINARIES:
      return std::vector<uint8_t>(kBinarySize, 7);
    case CL_PROGRAM_BUILD_STATUS:
    case CL_EVENT_COMMAND_EXECUTION_STATUS:
      return number(cl_int{0});
    case CL_PROFILING_COMMAND_START:
      return number(cl_ulong{1});
    case CL_MEM_OBJECT_IMAGE2D:
      return number(cl_image_format{CL_RGBA, CL_UNSIGNED_INT8});
    default: {
      const Bytes text = bytes_of(std::string_view(kSaid, std::string_view(kSaid).size() + 1));
      return {text.begin(), text.end()};
    }
  }
}

struct Told {
  Outcome outcome;
  std::vector<uint8_t> value;
  bool whole = true;  // the outcome is there
};

void bend(Told& told, Bend how) {
  switch (how) {
    case Bend::kShort:
      if (told.value.empty()) told.whole = false;
      if (!told.value.empty()) told.value.pop_back();
      break;
    case Bend::kLong:
      told.value.push_back(0);
      break;
    case Bend::kEmpty:
      told.value.clear();
      break;
    case Bend::kOther:
      told.value.assign(told.value.size() == 5 ? 6 : 5, 0);
      break;
    case Bend::kNoNul:
      told.value.back() = 'x';
      break;
    case Bend::kKind:
      told.value.back() = 200;
      break;
    default:
      break;
  }
  told.outcome.size = told.value.size();
  if (how == Bend::kHuge || how == Bend::kRoom) told.outcome.size = uint64_t{1} << 60;
  if (how == Bend::kRoom) told.outcome.status = CL_OUT_OF_HOST_MEMORY;
  if (how == Bend::kPositive) told.outcome.status = 5;
  if (how == Bend::kHuge || how == Bend::kRoom || how == Bend::kPositive) told.value.clear();
  if (how == Bend::kPositive) told.outcome.size = 0;
}

class Device final {
 public:
  Device(srpc::StreamPair& pair, const Lie& lie) : pair_(pair), lie_(lie) {}

  void serve() {
    auto callee = srpc::Callee::make(*pair_.callee_end());
    while (true) {
      const auto request = callee->next(std::chrono::milliseconds(100));
      if (!request && request.error().code == Code::kTimedOut) continue;
      if (!request) return;
      const auto call = static_cast<Call>(request->call & ~kPosted);
      seen.insert(call);
      Told told{.value = honest_value(call, request->args())};
      told.outcome.size = told.value.size();
      const bool lies =
          call == lie_.call && lie_.bend != Bend::kNot &&
          (call != Call::kQuery || load<QueryCall>(request->args()).parameter == lie_.parameter);
      if (lies && lie_.bend == Bend::kSilence) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        end();
        return;
      }
      if (lies && lie_.bend == Bend::kDeaf) {
        while (!callee->failed()) static_cast<void>(callee->next(std::chrono::milliseconds(100)));
        return;
      }
      if (lies) bend(told, lie_.bend);
      if (!answer(*callee, told, request->call, request->args())) return;
    }
  }

  // As the monitor ends a stream, once.
  void end() {
    std::call_once(ended_, [&] { pair_.revoke(); });
  }

  std::set<Call> seen;

 private:
  static bool answer(srpc::Callee& callee, const Told& told, uint32_t call, Bytes args) {
    std::vector<uint8_t> reply;
    if (told.whole) reply.assign(bytes_of(told.outcome).begin(), bytes_of(told.outcome).end());
    if (told.value.size() > kInlineAnswer) {
      if (call != static_cast<uint32_t>(Call::kQuery)) std::abort();
      const Region out = load<QueryCall>(args).out;
      std::ranges::copy(told.value, callee.bulk_out().subspan(out.offset).begin());
    } else {
      reply.insert(reply.end(), told.value.begin(), told.value.end());
    }
    return static_cast<bool>(callee.reply(Code::kOk, reply));
  }

  srpc::StreamPair& pair_;
  Lie lie_;
  std::once_flag ended_;
};

// Runs `program` over a device that tells `lie`, in this process, which is one of its own. Its
// code: the program's, or 90 and more for what the test itself could not do.
int run(const Lie& lie, const std::function<int()>& program, size_t calls_expected = 0) {
  ::alarm(30);  // a wait without an end is a death
  auto pair = srpc::StreamPair::make(
      StreamId{1}, Epoch{1}, {.slots = 64, .bulk_in_bytes = 1 << 20, .bulk_out_bytes = 1 << 20});
  auto sockets = control::Socket::pair();
  if (!pair || !sockets) return 90;
  auto message = control::connect_message(*pair->caller_end(), control::Role::kCaller, {});
  std::vector<int> numbers;
  for (const Fd& fd : message.fds) numbers.push_back(fd.number());
  const control::Socket socket(std::move((*sockets)[0]));
  if (!socket.send(message.message, numbers)) return 91;
  const int other = ::dup((*sockets)[1].number());
  ::setenv(kSocketVariable, std::to_string(other).c_str(), 1);
  Device device(*pair, lie);
  std::thread serving([&] { device.serve(); });
  int code = Driver::instance() == nullptr ? 92 : program();
  device.end();
  serving.join();
  if (code == 0 && device.seen.size() < calls_expected) code = 93;
  return code;
}

// Whether the driver still asks: of something that no test has asked for before.
cl_int still_there() {
  cl_uint id = 0;
  return api::clGetDeviceInfo(Driver::instance()->device(), CL_DEVICE_VENDOR_ID, sizeof id, &id,
                              nullptr);
}

// What the questions are about.
struct Objects {
  cl_device_id device = Driver::instance()->device();
  cl_context context = api::clCreateContext(nullptr, 1, &device, nullptr, nullptr, nullptr);
  cl_command_queue queue =
      api::clCreateCommandQueue(context, device, CL_QUEUE_PROFILING_ENABLE, nullptr);
  cl_program program = nullptr;
  cl_kernel kernel = nullptr;
  cl_event event = nullptr;

  Objects() {
    const char* source = "kernel void k(global int* a) {}";
    program = api::clCreateProgramWithSource(context, 1, &source, nullptr, nullptr);
    static_cast<void>(api::clBuildProgram(program, 0, nullptr, "", nullptr, nullptr));
    kernel = api::clCreateKernel(program, "k", nullptr);
    static_cast<void>(api::clEnqueueMarker(queue, &event));
  }
};

enum class Type : uint8_t { kNumber, kText, kList };
struct Question {
  cl_uint parameter;
  Type type;
  size_t size;  // of the whole answer
  std::function<cl_int(const Objects&, size_t, void*, size_t*)> ask;
};

const std::vector<Question>& questions() {
  using O = const Objects&;
  constexpr size_t kTextSize = 7;
  const auto device = [](cl_uint parameter) {
    return [parameter](O o, size_t room, void* value, size_t* size) {
      return api::clGetDeviceInfo(o.device, parameter, room, value, size);
    };
  };
  const auto program = [](cl_uint parameter) {
    return [parameter](O o, size_t room, void* value, size_t* size) {
      return api::clGetProgramInfo(o.program, parameter, room, value, size);
    };
  };
  const auto build = [](cl_uint parameter) {
    return [parameter](O o, size_t room, void* value, size_t* size) {
      return api::clGetProgramBuildInfo(o.program, o.device, parameter, room, value, size);
    };
  };
  static const std::vector<Question> all = {
      {CL_DEVICE_MAX_COMPUTE_UNITS, Type::kNumber, 4, device(CL_DEVICE_MAX_COMPUTE_UNITS)},
      {CL_DEVICE_MAX_WORK_GROUP_SIZE, Type::kNumber, 8, device(CL_DEVICE_MAX_WORK_GROUP_SIZE)},
      {CL_DEVICE_MAX_WORK_ITEM_SIZES, Type::kList, 24, device(CL_DEVICE_MAX_WORK_ITEM_SIZES)},
      {CL_DEVICE_NAME, Type::kText, kTextSize, device(CL_DEVICE_NAME)},
      {CL_PROGRAM_NUM_KERNELS, Type::kNumber, 8, program(CL_PROGRAM_NUM_KERNELS)},
      {CL_PROGRAM_KERNEL_NAMES, Type::kText, kTextSize, program(CL_PROGRAM_KERNEL_NAMES)},
      {CL_PROGRAM_BINARY_SIZES, Type::kNumber, 8, program(CL_PROGRAM_BINARY_SIZES)},
      {CL_PROGRAM_BUILD_STATUS, Type::kNumber, 4, build(CL_PROGRAM_BUILD_STATUS)},
      {CL_PROGRAM_BUILD_LOG, Type::kText, kTextSize, build(CL_PROGRAM_BUILD_LOG)},
      {CL_KERNEL_FUNCTION_NAME, Type::kText, kTextSize,
       [](O o, size_t room, void* value, size_t* size) {
         return api::clGetKernelInfo(o.kernel, CL_KERNEL_FUNCTION_NAME, room, value, size);
       }},
      {CL_KERNEL_ARG_NAME, Type::kText, kTextSize,
       [](O o, size_t room, void* value, size_t* size) {
         return api::clGetKernelArgInfo(o.kernel, 0, CL_KERNEL_ARG_NAME, room, value, size);
       }},
      {CL_EVENT_COMMAND_EXECUTION_STATUS, Type::kNumber, 4,
       [](O o, size_t room, void* value, size_t* size) {
         return api::clGetEventInfo(o.event, CL_EVENT_COMMAND_EXECUTION_STATUS, room, value, size);
       }},
      {CL_PROFILING_COMMAND_START, Type::kNumber, 8,
       [](O o, size_t room, void* value, size_t* size) {
         return api::clGetEventProfilingInfo(o.event, CL_PROFILING_COMMAND_START, room, value,
                                             size);
       }},
      {CL_MEM_OBJECT_IMAGE2D, Type::kList, 8,
       [](O o, size_t room, void* value, size_t*) {
         return api::clGetSupportedImageFormats(o.context, 0, CL_MEM_OBJECT_IMAGE2D,
                                                static_cast<cl_uint>(room / 8),
                                                static_cast<cl_image_format*>(value), nullptr);
       }},
  };
  return all;
}

// The program's room, which nothing but an answer changes.
constexpr uint8_t kUntouched = 0xa5;
int ask(const Question& question, cl_int wanted, cl_int wanted_after) {
  const Objects objects;
  std::array<uint8_t, 64> room{};
  room.fill(kUntouched);
  const cl_int status = question.ask(objects, question.size, room.data(), nullptr);
  if (status != wanted) return 1;
  const auto untouched = [](uint8_t byte) { return byte == kUntouched; };
  if (wanted != CL_SUCCESS && !std::ranges::all_of(room, untouched)) return 2;
  if (wanted == CL_SUCCESS && std::ranges::any_of(Bytes(room).first(question.size), untouched))
    return 3;
  return still_there() == wanted_after ? 0 : 4;
}

constexpr const char* kSentence = "the device's partition answers .*start the program again";

TEST(LyingDevice, is_believed_while_it_does_not_lie) {
  for (const Question& question : questions()) {
    EXPECT_EXIT(std::_Exit(run({}, [&] { return ask(question, CL_SUCCESS, CL_SUCCESS); })),
                testing::ExitedWithCode(0), "")
        << question.parameter;
  }
}

TEST(LyingDevice, changes_no_variable_by_an_answer_of_another_type) {
  for (const Question& question : questions()) {
    std::vector<Bend> bends = {Bend::kShort, Bend::kLong,     Bend::kEmpty,
                               Bend::kHuge,  Bend::kPositive, Bend::kOther};
    if (question.type == Type::kText) bends.push_back(Bend::kNoNul);
    for (const Bend bend : bends) {
      // No format at all is an answer.
      if (question.parameter == CL_MEM_OBJECT_IMAGE2D && bend == Bend::kEmpty) continue;
      const Lie lie{bend, Call::kQuery, question.parameter};
      EXPECT_EXIT(
          std::_Exit(
              run(lie, [&] { return ask(question, CL_OUT_OF_RESOURCES, CL_OUT_OF_RESOURCES); })),
          testing::ExitedWithCode(0), kSentence)
          << question.parameter << ", bent by " << static_cast<int>(bend);
    }
  }
}

TEST(LyingDevice, gets_no_more_room_than_there_is) {
  for (const Question& question : questions()) {
    const Lie lie{Bend::kRoom, Call::kQuery, question.parameter};
    EXPECT_EXIT(
        std::_Exit(run(lie, [&] { return ask(question, CL_OUT_OF_HOST_MEMORY, CL_SUCCESS); })),
        testing::ExitedWithCode(0), "")
        << question.parameter;
  }
}

// Which may be no lie: another thread may have built the program anew.
TEST(LyingDevice, that_gives_a_binary_another_size_fills_no_room_and_is_asked_on) {
  for (const Bend bend : {Bend::kNot, Bend::kShort, Bend::kLong, Bend::kEmpty}) {
    const auto program = [&] {
      const Objects objects;
      // As long as it was told, and no byte more: a sanitizer sees the next one.
      std::vector<unsigned char> binary(kBinarySize, kUntouched);
      unsigned char* where = binary.data();
      const cl_int status = api::clGetProgramInfo(
          objects.program, CL_PROGRAM_BINARIES, sizeof where, static_cast<void*>(&where), nullptr);
      const bool honest = bend == Bend::kNot;
      if (status != (honest ? CL_SUCCESS : CL_INVALID_VALUE)) return 1;
      const uint8_t expected = honest ? 7 : kUntouched;
      if (std::ranges::count(binary, expected) != kBinarySize) return 2;
      return still_there() == CL_SUCCESS ? 0 : 3;
    };
    EXPECT_EXIT(std::_Exit(run({bend, Call::kQuery, CL_PROGRAM_BINARIES}, program)),
                testing::ExitedWithCode(0), "")
        << static_cast<int>(bend);
  }
}

TEST(LyingDevice, that_names_arguments_of_a_kind_that_there_is_not_makes_no_kernel) {
  const auto program = [] {
    return Objects().kernel == nullptr && still_there() == CL_OUT_OF_RESOURCES ? 0 : 1;
  };
  EXPECT_EXIT(std::_Exit(run({Bend::kKind, Call::kCreateKernel}, program)),
              testing::ExitedWithCode(0), "names kinds of arguments");
}

// ---- Every call ----

constexpr size_t kBytes = 4096;
constexpr std::array<size_t, 3> kZero{}, kBox{4, 4, 1};

void use_buffers(const Objects& o, std::vector<uint8_t>& host, cl_mem a, cl_mem b) {
  const cl_buffer_region half{0, kBytes / 2};
  const cl_mem part = api::clCreateSubBuffer(a, 0, CL_BUFFER_CREATE_TYPE_REGION, &half, nullptr);
  static_cast<void>(api::clReleaseMemObject(part));
  static_cast<void>(
      api::clEnqueueWriteBuffer(o.queue, a, CL_TRUE, 0, kBytes, host.data(), 0, nullptr, nullptr));
  static_cast<void>(api::clEnqueueCopyBuffer(o.queue, a, b, 0, 0, kBytes, 0, nullptr, nullptr));
  static_cast<void>(
      api::clEnqueueFillBuffer(o.queue, b, host.data(), 4, 0, kBytes, 0, nullptr, nullptr));
  static_cast<void>(api::clEnqueueWriteBufferRect(o.queue, a, CL_TRUE, kZero.data(), kZero.data(),
                                                  kBox.data(), 0, 0, 0, 0, host.data(), 0, nullptr,
                                                  nullptr));
  static_cast<void>(api::clEnqueueReadBufferRect(o.queue, a, CL_TRUE, kZero.data(), kZero.data(),
                                                 kBox.data(), 0, 0, 0, 0, host.data(), 0, nullptr,
                                                 nullptr));
  static_cast<void>(api::clEnqueueCopyBufferRect(o.queue, a, b, kZero.data(), kZero.data(),
                                                 kBox.data(), 0, 0, 0, 0, 0, nullptr, nullptr));
  static_cast<void>(
      api::clEnqueueReadBuffer(o.queue, b, CL_TRUE, 0, kBytes, host.data(), 0, nullptr, nullptr));
}

void use_images(const Objects& o, std::vector<uint8_t>& host, cl_mem buffer) {
  const cl_image_format format{CL_RGBA, CL_UNSIGNED_INT8};
  const cl_mem image = api::clCreateImage2D(o.context, 0, &format, 4, 4, 0, nullptr, nullptr);
  const cl_mem other = api::clCreateImage2D(o.context, 0, &format, 4, 4, 0, nullptr, nullptr);
  static_cast<void>(
      api::clCreateSampler(o.context, CL_FALSE, CL_ADDRESS_NONE, CL_FILTER_NEAREST, nullptr));
  static_cast<void>(api::clEnqueueWriteImage(o.queue, image, CL_TRUE, kZero.data(), kBox.data(), 0,
                                             0, host.data(), 0, nullptr, nullptr));
  static_cast<void>(api::clEnqueueFillImage(o.queue, image, host.data(), kZero.data(), kBox.data(),
                                            0, nullptr, nullptr));
  static_cast<void>(api::clEnqueueCopyImage(o.queue, image, other, kZero.data(), kZero.data(),
                                            kBox.data(), 0, nullptr, nullptr));
  static_cast<void>(api::clEnqueueCopyImageToBuffer(o.queue, image, buffer, kZero.data(),
                                                    kBox.data(), 0, 0, nullptr, nullptr));
  static_cast<void>(api::clEnqueueCopyBufferToImage(o.queue, buffer, image, 0, kZero.data(),
                                                    kBox.data(), 0, nullptr, nullptr));
  static_cast<void>(api::clEnqueueReadImage(o.queue, image, CL_TRUE, kZero.data(), kBox.data(), 0,
                                            0, host.data(), 0, nullptr, nullptr));
}

// A program that makes every call and looks at no answer, as some do.
int make_every_call(cl_int wanted_after) {
  const Objects o;
  std::vector<uint8_t> host(kBytes, 1);
  const cl_mem a =
      api::clCreateBuffer(o.context, CL_MEM_COPY_HOST_PTR, kBytes, host.data(), nullptr);
  const cl_mem b = api::clCreateBuffer(o.context, 0, kBytes, nullptr, nullptr);
  use_buffers(o, host, a, b);
  use_images(o, host, a);
  static_cast<void>(api::clSetKernelArg(o.kernel, 0, sizeof a, static_cast<const void*>(&a)));
  cl_event ran = nullptr;
  static_cast<void>(api::clEnqueueTask(o.queue, o.kernel, 0, nullptr, &ran));
  const cl_event own = api::clCreateUserEvent(o.context, nullptr);
  static_cast<void>(api::clSetUserEventStatus(own, CL_COMPLETE));
  static_cast<void>(api::clFlush(o.queue));
  static_cast<void>(api::clWaitForEvents(1, &ran));
  static_cast<void>(api::clFinish(o.queue));
  return still_there() == wanted_after ? 0 : 1;
}

constexpr auto kFirstCall = static_cast<uint32_t>(Call::kQuery);
constexpr auto kLastCall = static_cast<uint32_t>(Call::kSetUserEvent);

TEST(LyingDevice, has_every_call_of_the_protocol_from_this_program) {
  EXPECT_EXIT(std::_Exit(run(
                  {}, [] { return make_every_call(CL_SUCCESS); }, kLastCall)),
              testing::ExitedWithCode(0), "");
}

TEST(LyingDevice, is_left_whatever_call_it_lies_about) {
  for (uint32_t call = kFirstCall + 1; call <= kLastCall; ++call) {
    // Where there is no value, an empty answer is a short one.
    for (const Bend bend : {Bend::kShort, Bend::kLong, Bend::kHuge, Bend::kRoom, Bend::kPositive}) {
      // An argument less or more is a kernel, too, and what room it says it needs it may need.
      if (static_cast<Call>(call) == Call::kCreateKernel && bend != Bend::kHuge &&
          bend != Bend::kPositive)
        continue;
      const Lie lie{bend, static_cast<Call>(call)};
      EXPECT_EXIT(std::_Exit(run(lie, [] { return make_every_call(CL_OUT_OF_RESOURCES); })),
                  testing::ExitedWithCode(0), kSentence)
          << call << ", bent by " << static_cast<int>(bend);
    }
  }
}

TEST(LyingDevice, that_is_silent_keeps_nobody_beyond_the_end_of_the_stream) {
  for (uint32_t call = kFirstCall + 1; call <= kLastCall; ++call) {
    const Lie lie{Bend::kSilence, static_cast<Call>(call)};
    EXPECT_EXIT(std::_Exit(run(lie, [] { return make_every_call(CL_OUT_OF_RESOURCES); })),
                testing::ExitedWithCode(0), "")
        << call;
  }
  for (const Question& question : questions()) {
    const Lie lie{Bend::kSilence, Call::kQuery, question.parameter};
    EXPECT_EXIT(std::_Exit(run(
                    lie, [&] { return ask(question, CL_OUT_OF_RESOURCES, CL_OUT_OF_RESOURCES); })),
                testing::ExitedWithCode(0), "")
        << question.parameter;
  }
}

// Calls that have no answer do not wait for one. That they went well is said at the next wait.
int post_without_an_answer() {
  const Objects o;
  std::vector<uint8_t> host(kBytes, 1);
  const cl_mem a = api::clCreateBuffer(o.context, 0, kBytes, nullptr, nullptr);
  const cl_mem b = api::clCreateBuffer(o.context, 0, kBytes, nullptr, nullptr);
  cl_int first = api::clFlush(o.queue);  // from here on it answers nothing
  const auto also = [&](cl_int status) { first = first == CL_SUCCESS ? status : first; };
  for (int i = 0; i < 4; ++i) {
    const cl_mem argument = i % 2 == 0 ? a : b;
    also(api::clEnqueueWriteBuffer(o.queue, a, CL_TRUE, 0, kBytes, host.data(), 0, nullptr,
                                   nullptr));
    also(api::clEnqueueCopyBuffer(o.queue, a, b, 0, 0, kBytes, 0, nullptr, nullptr));
    also(api::clEnqueueFillBuffer(o.queue, b, host.data(), 4, 0, kBytes, 0, nullptr, nullptr));
    also(api::clSetKernelArg(o.kernel, 0, sizeof argument, static_cast<const void*>(&argument)));
    cl_event ran = nullptr;
    also(api::clEnqueueTask(o.queue, o.kernel, 0, nullptr, &ran));
    also(api::clReleaseEvent(ran));
    also(api::clEnqueueBarrier(o.queue));
    also(api::clFlush(o.queue));
  }
  cl_int made = CL_SUCCESS;
  const cl_mem another = api::clCreateBuffer(o.context, 0, kBytes, nullptr, &made);
  also(made);
  also(api::clReleaseMemObject(another));
  return first == CL_SUCCESS ? 0 : 1;
}

TEST(LyingDevice, is_not_waited_for_by_calls_that_have_no_answer) {
  EXPECT_EXIT(std::_Exit(run({Bend::kDeaf, Call::kFlush}, post_without_an_answer)),
              testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace casemate::opencl
