// SPDX-License-Identifier: Apache-2.0
// What a remote device's caller has to bear: a device that lies, dies, says nothing, or has little
// memory in its stream. What any device must do, the conformance test asks of remote ones, too.
#include "isolated/driver/remote/remote.h"

#include <gtest/gtest.h>

#include <thread>

#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/npu_device/npu_device.h"
#include "isolated/driver/remote/served_device.h"

namespace casemate::driver {
namespace {

using remote::Call;

constexpr srpc::StreamShape kShape{16, 1 << 20, 1 << 20, false};
constexpr Duration kReplyMax = std::chrono::milliseconds(300);

// What the other side answers in place of the truth; nothing: the truth.
using Lie = std::function<std::optional<Server::Answer>(Call call, Bytes args)>;

// The caller's end of a stream whose other end is a fake device that lies.
class Liar final {
 public:
  explicit Liar(Lie lie) : lie_(std::move(lie)) {
    callee_.emplace(*srpc::Callee::make(*pair_.callee_end()));
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~Liar() {
    pair_.revoke();
    thread_.request_stop();
  }
  Result<std::unique_ptr<Device>> device() {
    return make_remote(*pair_.caller_end(), {.reply_max = kReplyMax});
  }
  [[nodiscard]] bool closed() const { return pair_.closed(); }
  void die() { pair_.revoke(); }

 private:
  void serve(const std::stop_token& stop) {
    Server server(*device_, callee_->bulk_in(), callee_->bulk_out(), {});
    while (!stop.stop_requested()) {
      const auto request = callee_->next(std::chrono::milliseconds(50));
      if (!request && request.error().code == Code::kTimedOut) continue;
      if (!request) return;
      const auto lie = lie_(static_cast<Call>(request->call), request->args());
      if (lie && lie->code == Code::kCancelled) continue;  // no answer at all
      const auto answer = lie ? *lie : server.handle(request->call, request->args());
      static_cast<void>(callee_->reply(answer.code, answer.value));
    }
  }

  Lie lie_;
  std::unique_ptr<Device> device_ = *make_fake();
  srpc::StreamPair pair_ = *srpc::StreamPair::make({1}, {1}, kShape);
  std::optional<srpc::Callee> callee_;
  std::jthread thread_;
};

template <class T>
Server::Answer said(const T& value, Code code = Code::kOk) {
  const Bytes bytes = bytes_of(value);
  return {code, {bytes.begin(), bytes.end()}};
}

remote::Hello good_hello() {
  return {.kind = Text<16>::from("fake"),
          .memory_bytes = 1 << 20,
          .buffer_bytes_max = 1 << 20,
          .alignment = 64,
          .buffers_max = 8,
          .programs_max = 8,
          .queues_max = 2,
          .commands_max = 8,
          .share_percent = 100};
}

TEST(Remote, that_says_nonsense_of_itself_is_no_device) {
  const std::vector<std::pair<const char*, std::function<void(remote::Hello&)>>> lies = {
      {"no kind", [](auto& hello) { hello.kind = {}; }},
      {"a kind without an end", [](auto& hello) { hello.kind.characters.fill('x'); }},
      {"no alignment", [](auto& hello) { hello.alignment = 0; }},
      {"a crooked alignment", [](auto& hello) { hello.alignment = 3; }},
      {"a huge alignment", [](auto& hello) { hello.alignment = 1ull << 40; }},
      {"endless memory", [](auto& hello) { hello.memory_bytes = UINT64_MAX; }},
      {"a buffer beyond it", [](auto& hello) { hello.buffer_bytes_max = 1ull << 40; }},
      {"no buffers", [](auto& hello) { hello.buffers_max = 0; }},
      {"no programs", [](auto& hello) { hello.programs_max = 0; }},
      {"no queues", [](auto& hello) { hello.queues_max = 0; }},
      {"no commands", [](auto& hello) { hello.commands_max = 0; }},
      {"endless commands", [](auto& hello) { hello.commands_max = UINT32_MAX; }},
      {"no share", [](auto& hello) { hello.share_percent = 0; }},
      {"more than all", [](auto& hello) { hello.share_percent = 101; }},
  };
  for (const auto& [what, change] : lies) {
    remote::Hello hello = good_hello();
    change(hello);
    Liar liar([&](Call call, Bytes) -> std::optional<Server::Answer> {
      if (call == Call::kHello) return said(hello);
      return std::nullopt;
    });
    const auto device = liar.device();
    ASSERT_FALSE(device) << what;
    EXPECT_EQ(device.error().code, Code::kInvalid) << what;
    EXPECT_TRUE(liar.closed()) << what;
  }
}

struct Told {
  const char* what;
  Call call;
  std::function<Server::Answer(Bytes)> lie;
  bool closes = true;  // otherwise it is no lie, but a refusal
};

std::vector<Told> lies() {
  const auto progress = [](uint64_t done, uint32_t failure = 0) {
    return [=](Bytes) { return said(remote::Progress{done, failure}); };
  };
  return {
      {"more is done than was given", Call::kWait, progress(1000)},
      {"all is done and something failed", Call::kWait, progress(3, 1)},
      {"endlessly much is done", Call::kWait, progress(UINT64_MAX)},
      {"an empty answer", Call::kWait, [](Bytes) { return Server::Answer{}; }},
      {"an answer that is too long", Call::kWait,
       [](Bytes) { return Server::Answer{Code::kOk, std::vector<uint8_t>(232, 0xFF)}; }},
      {"no answer at all", Call::kWait, [](Bytes) { return Server::Answer{Code::kCancelled, {}}; }},
      {"no answer to a queue", Call::kOpen,
       [](Bytes) { return Server::Answer{Code::kCancelled, {}}; }},
      {"a queue that is refused", Call::kOpen,
       [](Bytes) { return Server::Answer{Code::kUnavailable, {}}; }, false},
      {"a code that is none", Call::kAllocate,
       [](Bytes) { return Server::Answer{static_cast<Code>(77), {}}; }, false},
      {"a command that is refused", Call::kWait, progress(0, 1), false},
      {"a failure of no kind", Call::kWait, progress(0, 4'000'000'000), false},
      {"a wait that is refused", Call::kWait,
       [](Bytes) { return Server::Answer{Code::kInvalid, {}}; }, false},
  };
}

// Write, read, wait: how it ended.
Status use(Device& device) {
  const auto buffer = TRY(device.make_buffer(64));
  const auto queue = TRY(device.make_queue());
  const ByteList bytes = pattern(64);
  ByteList got(64);
  TRY(queue->write(*buffer, 0, bytes));
  TRY(queue->write(*buffer, 0, bytes));
  const auto fence = TRY(queue->read(*buffer, 0, got));
  TRY(fence->wait(system_clock().now() + kReplyMax));
  if (got != bytes) return Error{Code::kInvalid, "what was read is not what was written"};
  return {};
}

TEST(Remote, that_lies_in_an_answer_is_left_and_its_stream_closed) {
  for (const Told& told : lies()) {
    SCOPED_TRACE(told.what);
    Liar liar([&](Call call, Bytes args) -> std::optional<Server::Answer> {
      if (call == told.call) return told.lie(args);
      return std::nullopt;
    });
    const auto device = liar.device();
    ASSERT_TRUE(device) << device.error().text;
    EXPECT_FALSE(use(**device));
    EXPECT_EQ(liar.closed(), told.closes);
    if (!told.closes) continue;
    EXPECT_EQ((*device)->state().health, Health::kFailed);
    const auto later = (*device)->make_buffer(1);
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code, Code::kPlatform);
  }
}

TEST(Remote, that_takes_back_what_it_has_done_has_lied) {
  int waits = 0;
  Liar liar([&](Call call, Bytes) -> std::optional<Server::Answer> {
    if (call != Call::kWait || ++waits == 1) return std::nullopt;
    return said(remote::Progress{0, 0});
  });
  const auto device = *liar.device();
  const auto buffer = *device->make_buffer(64);
  const auto queue = *device->make_queue();
  const ByteList bytes = pattern(64);
  ASSERT_TRUE((*queue->write(*buffer, 0, bytes))->wait(in_the_end()));
  EXPECT_FALSE((*queue->write(*buffer, 0, bytes))->wait(in_the_end()));
  EXPECT_TRUE(liar.closed());
}

TEST(Remote, whose_partition_dies_ends_every_wait) {
  Liar* dying = nullptr;
  Liar liar([&](Call call, Bytes) -> std::optional<Server::Answer> {
    if (call == Call::kWait) dying->die();
    return std::nullopt;
  });
  dying = &liar;
  const auto device = *liar.device();
  const Status used = use(*device);
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, Code::kPlatform);
  EXPECT_EQ(device->state().health, Health::kFailed);
}

TEST(Remote, with_little_memory_in_its_stream_copies_in_parts) {
  const auto device = make_served(make_fake(), {16, 64 << 10, 64 << 10, false});
  ASSERT_TRUE(device) << device.error().text;
  const auto buffer = *(*device)->make_buffer(3 << 20);
  const auto queue = *(*device)->make_queue();
  const ByteList sent = pattern((3 << 20) - 13);
  ByteList got(sent.size());
  const auto written = queue->write(*buffer, 5, sent);
  ASSERT_TRUE(written) << written.error().text;
  const auto read = queue->read(*buffer, 5, got);
  ASSERT_TRUE(read) << read.error().text;
  ASSERT_TRUE((*read)->wait(in_the_end()));
  EXPECT_EQ(got, sent);
  EXPECT_FALSE(make_served(make_fake(), {16, 4096, 4096, false}));
}

TEST(Remote, that_faults_says_so_until_it_is_reset) {
  auto faulting = make_npu({.misbehaviour = {npu::Misbehaviour::Kind::kFault, 0}});
  const auto device = make_served(std::move(faulting));
  ASSERT_TRUE(device) << device.error().text;
  const engine::Graph piece = integer_convolution();
  const auto ran = run_on(**device, piece, inputs_for(piece));
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, Code::kPlatform);
  EXPECT_EQ((*device)->state().health, Health::kFailed);
  EXPECT_TRUE((*device)->reset(in_the_end()));
  EXPECT_EQ((*device)->state().health, Health::kWell);
}

}  // namespace
}  // namespace casemate::driver
