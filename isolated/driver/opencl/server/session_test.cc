// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/server/session.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <optional>

#include "isolated/driver/opencl/server/serve.h"

namespace casemate::opencl {
namespace {

// PoCL keeps what it has compiled; a test's kernels are kept with the build.
const bool kCacheNamed = [] {
  const char* build = std::getenv("CASEMATE_BUILD");
  if (build == nullptr) return false;
  return ::setenv("POCL_CACHE_DIR", (std::string(build) + "/opencl/cache").c_str(), 1) == 0;
}();

// The build log of a driver that is not PoCL; nothing: PoCL's own.
std::optional<std::string> other_build_log;

constexpr const char* kSource =
    "__kernel void copy(__global const int* a, __global int* b, int bias) {"
    "  b[get_global_id(0)] = a[get_global_id(0)] + bias; }";

// A client that says what it likes.
struct Client {
  static constexpr uint32_t kContext = 1, kQueue = 2, kA = 3, kB = 4, kProgram = 5, kKernel = 6;
  static constexpr uint64_t kSize = 256;

  explicit Client(const SessionLimits& limits = {}) : session(*device(0), in, out, limits) {
    expect(CreateContext{.id = kContext});
    expect(CreateQueue{.id = kQueue, .context = kContext});
    expect(CreateBuffer{.id = kA, .context = kContext, .flags = 1, .size = kSize});
    expect(CreateBuffer{.id = kB, .context = kContext, .flags = 1, .size = kSize});
  }
  void with_kernel() {
    std::ranges::copy(bytes_of(std::string_view(kSource)), in.begin());
    expect(CreateProgram{
        .id = kProgram, .context = kContext, .text = {0, std::string_view(kSource).size()}});
    expect(BuildProgram{.id = kProgram});
    CreateKernel make{.id = kKernel, .program = kProgram};
    make.name = decltype(make.name)::from("copy");
    expect(make);
  }
  template <class T>
  Answer say(const T& call) {
    return session.handle(static_cast<uint32_t>(T::kCall), bytes_of(call));
  }
  template <class T>
  cl_int status(const T& call) {
    const Answer answer = say(call);
    EXPECT_EQ(answer.code, Code::kOk);
    return answer.outcome.status;
  }
  template <class T>
  void expect(const T& call) {
    EXPECT_EQ(status(call), CL_SUCCESS);
  }
  static Command command(uint32_t event = 0) { return {.queue = kQueue, .event = event}; }
  cl_int set(uint32_t index, Argument kind, uint32_t object, uint64_t size = 0) {
    SetArgument call;
    call.kernel = kKernel;
    call.index = index;
    call.kind = static_cast<uint32_t>(kind);
    call.object = object;
    call.size = size;
    return status(call);
  }
  Launch run(uint32_t event = 0) {
    Launch call;
    call.command = command(event);
    call.kernel = kKernel;
    call.dimensions = 1;
    call.global = {4, 0, 0};
    return call;
  }
  cl_int wait(uint32_t event) {
    Wait call;
    call.count = 1;
    call.events[0] = event;
    return status(call);
  }

  std::vector<uint8_t> in = std::vector<uint8_t>(4096);
  std::vector<uint8_t> out = std::vector<uint8_t>(4096);
  Session session;
};

WriteBuffer writing(uint32_t buffer, uint64_t offset, const Region& data) {
  WriteBuffer call;
  call.command = Client::command();
  call.buffer = buffer;
  call.offset = offset;
  call.data = data;
  return call;
}
ReadBuffer reading(uint32_t buffer, uint64_t offset, const Region& data) {
  ReadBuffer call;
  call.command = Client::command();
  call.buffer = buffer;
  call.blocking = 1;
  call.offset = offset;
  call.data = data;
  return call;
}

TEST(Session, runs_a_kernel_on_what_was_written) {
  Client client;
  client.with_kernel();
  const std::array<int32_t, 4> values{1, 2, 3, 4};
  std::ranges::copy(bytes_of(values), client.in.begin());
  client.expect(writing(Client::kA, 0, {0, sizeof values}));
  // It was taken when the answer came.
  std::ranges::fill(client.in, 0xFF);
  EXPECT_EQ(client.set(0, Argument::kMemory, Client::kA), CL_SUCCESS);
  EXPECT_EQ(client.set(1, Argument::kMemory, Client::kB), CL_SUCCESS);
  SetArgument bias{.kernel = Client::kKernel, .index = 2, .size = 4};
  bias.kind = static_cast<uint32_t>(Argument::kValue);
  bias.value[0] = 10;
  client.expect(bias);
  client.expect(client.run());
  client.expect(reading(Client::kB, 0, {64, sizeof values}));
  EXPECT_EQ((load<std::array<int32_t, 4>>(Bytes(client.out).subspan(64))),
            (std::array<int32_t, 4>{11, 12, 13, 14}));
}

TEST(Session, handles_that_are_none_or_of_another_kind_are_refused) {
  Client client;
  client.with_kernel();
  for (const uint32_t wrong : {99u, Client::kContext, Client::kQueue, Client::kKernel}) {
    EXPECT_EQ(client.status(writing(wrong, 0, {0, 4})), CL_INVALID_MEM_OBJECT);
    EXPECT_EQ(client.set(0, Argument::kMemory, wrong), CL_INVALID_MEM_OBJECT);
  }
  Launch run = client.run();
  run.kernel = Client::kA;
  EXPECT_EQ(client.status(run), CL_INVALID_KERNEL);
  run = client.run();
  run.command.queue = Client::kContext;
  EXPECT_EQ(client.status(run), CL_INVALID_COMMAND_QUEUE);
  run = client.run();
  run.command.wait_count = 1;
  run.command.waits[0] = Client::kA;
  EXPECT_EQ(client.status(run), CL_INVALID_EVENT_WAIT_LIST);
  EXPECT_EQ(client.status(BuildProgram{.id = Client::kKernel}), CL_INVALID_PROGRAM);
  EXPECT_EQ(client.status(CreateQueue{.id = 50, .context = Client::kA}), CL_INVALID_CONTEXT);
}

TEST(Session, a_value_is_not_taken_for_a_handle) {
  Client client;
  client.with_kernel();
  // Eight bytes of the client's choice where a pointer goes, and a handle where a value goes.
  EXPECT_EQ(client.set(0, Argument::kValue, 0, 8), CL_INVALID_ARG_VALUE);
  EXPECT_EQ(client.set(2, Argument::kMemory, Client::kA), CL_INVALID_ARG_VALUE);
  EXPECT_EQ(client.set(7, Argument::kMemory, Client::kA), CL_INVALID_ARG_INDEX);
  // And the kernel does not run with what was there before.
  EXPECT_EQ(client.status(client.run()), CL_INVALID_ARG_VALUE);
}

TEST(Session, a_number_is_taken_once) {
  Client client;
  const CreateBuffer again{.id = Client::kA, .context = Client::kContext, .flags = 1, .size = 16};
  EXPECT_EQ(client.say(again).code, Code::kInvalid);
  client.expect(Release{static_cast<uint32_t>(Kind::kMemory), Client::kA});
  EXPECT_EQ(client.say(Release{static_cast<uint32_t>(Kind::kMemory), Client::kA}).code,
            Code::kInvalid);
  EXPECT_EQ(client.status(writing(Client::kA, 0, {0, 4})), CL_INVALID_MEM_OBJECT);
  client.expect(again);
}

TEST(Session, what_could_not_be_made_answers_with_its_error) {
  Client client({.memory_bytes = 1000});
  const CreateBuffer large{.id = 10, .context = Client::kContext, .flags = 1, .size = 2000};
  EXPECT_EQ(client.status(large), CL_MEM_OBJECT_ALLOCATION_FAILURE);
  EXPECT_EQ(client.status(writing(10, 0, {0, 4})), CL_MEM_OBJECT_ALLOCATION_FAILURE);
  const CreateSubBuffer part{.id = 11, .parent = 10, .flags = 1, .size = 4};
  EXPECT_EQ(client.status(part), CL_MEM_OBJECT_ALLOCATION_FAILURE);
}

TEST(Session, memory_is_counted_and_given_back) {
  Client client({.memory_bytes = 1000});
  const auto buffer = [](uint32_t id) {
    return CreateBuffer{.id = id, .context = Client::kContext, .flags = 1, .size = 400};
  };
  client.expect(buffer(10));
  EXPECT_EQ(client.status(buffer(11)), CL_MEM_OBJECT_ALLOCATION_FAILURE);
  client.expect(Release{static_cast<uint32_t>(Kind::kMemory), 11});
  client.expect(Release{static_cast<uint32_t>(Kind::kMemory), 10});
  client.expect(buffer(12));
}

TEST(Session, a_client_has_only_so_many_objects) {
  Client client({.objects = 4});
  client.expect(CreateBuffer{.id = 10, .context = Client::kContext, .flags = 1, .size = 4});
  client.expect(CreateBuffer{.id = 11, .context = Client::kContext, .flags = 1, .size = 4});
  EXPECT_EQ(
      client.say(CreateBuffer{.id = 12, .context = Client::kContext, .flags = 1, .size = 4}).code,
      Code::kInvalid);
}

TEST(Session, the_event_of_a_failed_command_is_its_error) {
  Client client;
  WriteBuffer beyond = writing(Client::kA, Client::kSize - 2, {0, 4});
  beyond.command.event = 20;
  EXPECT_EQ(client.status(beyond), CL_INVALID_VALUE);
  EXPECT_EQ(client.wait(20), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
  QueryCall state{.object = 20, .parameter = CL_EVENT_COMMAND_EXECUTION_STATUS};
  state.query = static_cast<uint32_t>(Query::kEvent);
  const Answer answer = client.say(state);
  EXPECT_EQ(load<cl_int>(answer.value), CL_INVALID_VALUE);
  WriteBuffer after = writing(Client::kA, 0, {0, 4});
  after.command.wait_count = 1;
  after.command.waits[0] = 20;
  EXPECT_EQ(client.status(after), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
}

TEST(Session, ranges_outside_are_refused) {
  Client client;
  constexpr uint64_t kHuge = ~uint64_t{0};
  for (const Region region :
       {Region{4000, 100}, Region{kHuge, 4}, Region{4, kHuge}, Region{4097, 0}}) {
    EXPECT_EQ(client.say(writing(Client::kA, 0, region)).code, Code::kInvalid);
    EXPECT_EQ(client.say(reading(Client::kA, 0, region)).code, Code::kInvalid);
    EXPECT_EQ(client.say(CreateProgram{.id = 30, .context = Client::kContext, .text = region}).code,
              Code::kInvalid);
    QueryCall query{.parameter = CL_DEVICE_NAME, .out = region};
    query.query = static_cast<uint32_t>(Query::kDevice);
    EXPECT_EQ(client.say(query).code, Code::kInvalid);
  }
  for (const uint64_t offset : {Client::kSize - 3, Client::kSize + 1, kHuge, kHuge - 3}) {
    EXPECT_EQ(client.status(writing(Client::kA, offset, {0, 4})), CL_INVALID_VALUE);
    EXPECT_EQ(client.status(reading(Client::kA, offset, {0, 4})), CL_INVALID_VALUE);
  }
  WriteRectangle box;
  box.command = Client::command();
  box.buffer = Client::kA;
  box.extent = {16, 4, 1};
  box.data = {0, 64};
  box.row_pitch = 16;
  client.expect(box);
  box.origin = {0, 13, 0};
  EXPECT_EQ(client.status(box), CL_INVALID_VALUE);
  box.origin = {0, kHuge / 16, 0};
  EXPECT_EQ(client.status(box), CL_INVALID_VALUE);
  box.origin = {};
  box.data.size = 63;
  EXPECT_EQ(client.status(box), CL_INVALID_VALUE);
}

TEST(Session, questions_whose_answers_are_addresses_are_not_answered) {
  Client client;
  for (const uint32_t parameter : {CL_DEVICE_PLATFORM, CL_DEVICE_PARENT_DEVICE}) {
    QueryCall query{.parameter = parameter};
    query.query = static_cast<uint32_t>(Query::kDevice);
    EXPECT_EQ(client.status(query), CL_INVALID_VALUE);
  }
}

TEST(Session, messages_of_the_wrong_size_or_kind_are_none) {
  Client client;
  const std::vector<uint8_t> bytes(srpc::kPayloadBytes, 1);
  for (uint32_t call = 0; call < 40; ++call)
    for (const size_t size : {size_t{0}, size_t{1}, size_t{7}, size_t{231}})
      EXPECT_EQ(client.session.handle(call, Bytes(bytes).first(size)).code, Code::kInvalid)
          << call << " " << size;
  EXPECT_EQ(client.session.handle(~0u, {}).code, Code::kInvalid);
}

TEST(Session, ends_while_a_command_waits_for_an_event_that_nobody_sets) {
  Client client;
  client.expect(CreateUserEvent{.id = 40, .context = Client::kContext});
  WriteBuffer gated = writing(Client::kA, 0, {0, 4});
  gated.command.wait_count = 1;
  gated.command.waits[0] = 40;
  gated.command.event = 41;
  client.expect(gated);
  Wait wait{.bounded = 1, .count = 1};
  wait.events[0] = 41;
  EXPECT_EQ(client.status(wait), kNotYet);
}

TEST(Session, texts_end_with_one_nul_however_the_driver_ends_them) {
  using std::string_literals::operator""s;
  Client client;
  client.with_kernel();
  QueryCall log{.object = Client::kProgram, .parameter = CL_PROGRAM_BUILD_LOG, .out = {0, 4096}};
  log.query = static_cast<uint32_t>(Query::kProgramBuild);
  struct Case {
    std::string driver, said;
  };
  const std::string two_ends = "a log\0\0\0"s, two_texts = "a log\0of two\0"s;
  for (const Case& c : {Case{"", "\0"s}, Case{"\0"s, "\0"s}, Case{two_ends, "a log\0"s},
                        Case{two_texts, "a log\0"s}, Case{"no end", "no end\0"s}}) {
    other_build_log = c.driver;
    const Answer answer = client.say(log);
    EXPECT_EQ(answer.outcome.status, CL_SUCCESS);
    EXPECT_EQ(text_of(Bytes(answer.value).first(answer.value_size)), c.said);
  }
  // One that does not fit in a reply, and a number, whose bytes are not looked at.
  other_build_log = std::string(1000, 'x') + "\0\0"s;
  std::ranges::fill(client.out, 0xFF);
  EXPECT_EQ(client.say(log).outcome.size, 1001u);
  EXPECT_EQ(client.out[999], 'x');
  EXPECT_EQ(client.out[1000], 0);
  other_build_log.reset();
  log.parameter = CL_PROGRAM_BUILD_STATUS;
  EXPECT_EQ(client.say(log).value_size, sizeof(cl_int));
}

}  // namespace
}  // namespace casemate::opencl

// This program's own, which is found before OpenCL's.
extern "C" cl_int clGetProgramBuildInfo(cl_program program, cl_device_id device,
                                        cl_program_build_info what, size_t room, void* value,
                                        size_t* size) {
  static const auto next =
      std::bit_cast<decltype(&clGetProgramBuildInfo)>(::dlsym(RTLD_NEXT, "clGetProgramBuildInfo"));
  const auto& log = casemate::opencl::other_build_log;
  if (what != CL_PROGRAM_BUILD_LOG || !log) return next(program, device, what, room, value, size);
  if (size != nullptr) *size = log->size();
  if (value != nullptr) log->copy(static_cast<char*>(value), room);
  return CL_SUCCESS;
}
