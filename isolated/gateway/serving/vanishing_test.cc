// SPDX-License-Identifier: Apache-2.0
// A model's memory that vanishes behind its completed answer reads as zeros; no client may take
// those for results.

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/format.h"
#include "isolated/gateway/loopback/running_gateway.h"
#include "wire/ring/guard.h"

namespace casemate::gateway {
namespace {

using std::chrono::milliseconds;

// Completes each call with `size` bytes of 1 in shared memory, of which only the first `left` are
// there any more when poll() returns.
class VanishingChannel final : public Channel {
 public:
  VanishingChannel(size_t size, size_t left)
      : size_(size),
        left_(left),
        memory_(::memfd_create("results", MFD_CLOEXEC)),
        bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    CHECK(::ftruncate(memory_.number(), static_cast<off_t>(size)) == 0, "a memfd grows");
    mapping_ = *GuardedMapping::make(memory_.number(), size, true);
    std::ranges::fill(mapping_.bytes(), uint8_t{1});
  }
  [[nodiscard]] uint32_t slots() const override { return 8; }
  Status start(uint64_t ticket, std::span<const TensorView>) override {
    started_.push_back(ticket);
    const uint64_t one = 1;
    (void)!::write(bell_.number(), &one, sizeof one);
    return {};
  }
  void poll(std::vector<Completion>& completions) override {
    for (const uint64_t ticket : started_) {
      Completion& completion = completions.emplace_back();
      completion.ticket = ticket;
      completion.outputs.push_back(
          {ElementType::kUint8, {1, static_cast<int64_t>(size_)}, mapping_.bytes()});
    }
    if (!started_.empty() && left_ < size_) shrink(left_);
    started_.clear();
  }
  void shrink(size_t left) {
    CHECK(::ftruncate(memory_.number(), static_cast<off_t>(left)) == 0, "a memfd shrinks");
  }
  void release(uint64_t) override {}
  [[nodiscard]] int bell() const override { return bell_.number(); }
  [[nodiscard]] bool failed() const override { return mapping_.failed(); }

 private:
  size_t size_;
  size_t left_;
  Fd memory_;
  Fd bell_;
  GuardedMapping mapping_;
  std::vector<uint64_t> started_;
};

// A gateway with a model "ones" of `size` outputs, whose first channel keeps `left` of them.
class Ones final {
 public:
  Ones(size_t size, size_t left) : size_(size) {
    gateway_.run([&] { model_ = *gateway_.serving().models().add("ones", 1); });
    attach(left);
  }
  void attach(size_t left) {
    ModelDescription ones = doubling_description(1, 8);
    ones.outputs[0] = port("y", ElementType::kUint8, {-1, static_cast<int64_t>(size_)});
    auto channel = std::make_unique<VanishingChannel>(size_, left);
    channel_ = channel.get();
    gateway_.run([&] { CHECK(model_->attach(std::move(channel), ones), "it is sound"); });
  }
  [[nodiscard]] static std::string request(bool binary) {
    return post("/v2/models/ones/infer",
                formatted(R"({{"inputs":[{{"name":"x","shape":[1,1],"datatype":"FP32",)"
                          R"("data":[1]}}],"parameters":{{"binary_data_output":{}}}}})",
                          binary));
  }
  [[nodiscard]] uint16_t port_number() const { return gateway_.port(); }
  [[nodiscard]] RunningGateway& gateway() { return gateway_; }
  [[nodiscard]] Model& model() { return *model_; }
  [[nodiscard]] VanishingChannel& channel() { return *channel_; }
  // Whether the request waits for a channel, within patience.
  bool waits() {
    size_t queued = 0;
    for (int i = 0; i < 500 && queued == 0; ++i) {
      gateway_.run([&] { queued = model_->queued(); });
      ::usleep(10'000);
    }
    return queued == 1;
  }

 private:
  size_t size_;
  RunningGateway gateway_;
  Model* model_ = nullptr;
  VanishingChannel* channel_ = nullptr;
};

TEST(Vanishing, what_has_not_left_yet_is_run_again_and_answered_right) {
  for (const bool binary : {true, false}) {
    for (const size_t size : {size_t{4096}, size_t{1} << 20}) {
      Ones ones(size, 0);
      TlsClient client(ones.port_number());
      ASSERT_TRUE(client.send(Ones::request(binary)));
      EXPECT_TRUE(ones.waits()) << size;
      ones.attach(size);
      const auto answer = client.receive();
      ASSERT_TRUE(answer) << size;
      EXPECT_EQ(answer->status, 200);
      const std::string right = binary ? std::string(size, 1) : "[1,1,1,1";
      EXPECT_NE(answer->body.find(right), std::string::npos);
      EXPECT_EQ(answer->body.find(binary ? std::string(1, 0) : "[0"), std::string::npos);
    }
  }
}

TEST(Vanishing, an_answer_that_is_half_sent_is_cut_and_never_filled_up_with_zeros) {
  // So large that no socket takes all of it: the pieces that are encrypted at once vanish, or those
  // that are kept for later.
  constexpr size_t kSize = 32 << 20;
  for (const size_t left : {size_t{64} << 10, kSize - 4096}) {
    Ones ones(kSize, left);
    TlsClient client(ones.port_number());
    ASSERT_TRUE(client.send(Ones::request(true)));
    EXPECT_FALSE(client.receive()) << left;
    const std::string& received = client.received();
    EXPECT_LT(received.size(), kSize);
    EXPECT_EQ(received.find('\0'), std::string::npos) << left;
    // Nobody else's answer holds any of it.
    ones.attach(kSize);
    TlsClient other(ones.port_number());
    const auto answer = other.exchange(Ones::request(true));
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->body.find(std::string(kSize, 1)), std::string::npos);
  }
}

TEST(Vanishing, in_the_middle_of_writing_a_long_answer_runs_it_again) {
  constexpr size_t kSize = 1 << 20;
  for (const size_t left : {size_t{0}, kSize / 2}) {
    Ones ones(kSize, kSize);
    TlsClient client(ones.port_number());
    int rounds = 0;
    {
      const EachRound each(ones.gateway(), [&](int) {
        if (ones.model().in_flight() != 1 || ++rounds != 5) return;
        EXPECT_EQ(ones.model().statistics().success.count, 0u);
        ones.channel().shrink(left);
      });
      ASSERT_TRUE(client.send(Ones::request(false)));
      EXPECT_TRUE(ones.waits()) << left;
    }
    EXPECT_GE(rounds, 5);
    ones.attach(kSize);
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << left;
    EXPECT_EQ(answer->status, 200);
    EXPECT_FALSE(answer->body.contains(",0")) << left;
    EXPECT_TRUE(answer->body.ends_with(",1,1]}]}"));
  }
}

}  // namespace
}  // namespace casemate::gateway
