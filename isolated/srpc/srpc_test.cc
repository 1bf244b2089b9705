// SPDX-License-Identifier: Apache-2.0
#include "isolated/srpc/srpc.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "wire/srpc/stream_pair.h"

namespace casemate::srpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Stream {
  StreamPair pair;
  Caller caller;
  Callee callee;

  static Stream make(StreamShape shape = {}, Epoch epoch = {7}) {
    auto pair = StreamPair::make(StreamId{1}, epoch, shape);
    EXPECT_TRUE(pair) << pair.error().text;
    auto caller = Caller::make(*pair->caller_end());
    auto callee = Callee::make(*pair->callee_end());
    EXPECT_TRUE(caller && callee);
    return {std::move(*pair), std::move(*caller), std::move(*callee)};
  }
};

Bytes word(const uint64_t& value) { return bytes_of(value); }

// A writable view of what a hostile peer owns: what it would map itself.
GuardedMapping hostile(const Fd& fd, uint32_t slots) {
  auto mapping = GuardedMapping::make(fd.number(), ring::Geometry{slots, 256}.size(), true);
  EXPECT_TRUE(mapping);
  return std::move(*mapping);
}

void store(const GuardedMapping& memory, size_t offset, uint64_t value) {
  std::memcpy(memory.data() + offset, &value, sizeof value);
}

TEST(Srpc, calls_run_in_order_and_replies_come_in_order) {
  auto s = Stream::make();
  for (uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(s.caller.call(3, word(i)));
  for (uint64_t i = 0; i < 10; ++i) {
    const auto request = s.callee.next(seconds(1));
    ASSERT_TRUE(request);
    EXPECT_EQ(request->call, 3u);
    EXPECT_EQ(load<uint64_t>(request->args()), i);
    ASSERT_TRUE(s.callee.reply(Code::kOk, word(i * i)));
  }
  for (uint64_t i = 0; i < 10; ++i) {
    const auto reply = s.caller.next(seconds(1));
    ASSERT_TRUE(reply);
    EXPECT_EQ(load<uint64_t>(reply->value()), i * i);
  }
  EXPECT_EQ(s.caller.in_flight(), 0u);
}

TEST(Srpc, a_full_stream_says_unavailable_and_goes_on_afterwards) {
  auto s = Stream::make({.slots = 4});
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(s.caller.call(1, {}));
  const auto refused = s.caller.call(1, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  ASSERT_TRUE(s.callee.next(seconds(1)));
  ASSERT_TRUE(s.callee.reply(Code::kOk));
  ASSERT_TRUE(s.caller.next(seconds(1)));
  EXPECT_TRUE(s.caller.call(1, {}));
}

TEST(Srpc, an_error_of_a_posted_call_sticks_until_the_next_sync) {
  auto s = Stream::make();
  ASSERT_TRUE(s.caller.post(1, {}));
  ASSERT_TRUE(s.caller.post(2, {}));
  ASSERT_TRUE(s.callee.next(seconds(1)));
  ASSERT_TRUE(s.callee.reply(Code::kTooLarge));
  ASSERT_TRUE(s.callee.next(seconds(1)));
  ASSERT_TRUE(s.callee.reply(Code::kOk));
  const auto status = s.caller.sync(seconds(1));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kTooLarge);
  EXPECT_TRUE(s.caller.sync(seconds(1))) << "the error is reported once";
}

TEST(Srpc, posted_calls_outnumber_the_slots_without_anybody_taking_replies) {
  auto s = Stream::make({.slots = 4});
  std::thread callee([&] {
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(s.callee.next(seconds(5)));
      ASSERT_TRUE(s.callee.reply(Code::kOk));
    }
  });
  for (int i = 0; i < 1000;) {
    const auto posted = s.caller.post(1, {});
    if (posted) {
      ++i;
    } else {
      ASSERT_EQ(posted.error().code, Code::kUnavailable);
    }
  }
  EXPECT_TRUE(s.caller.sync(seconds(5)));
  callee.join();
}

TEST(Srpc, a_sleeping_side_is_woken_for_every_one_of_many_calls) {
  auto s = Stream::make();
  constexpr int kCalls = 2000;
  std::thread callee([&] {
    for (int i = 0; i < kCalls; ++i) {
      ASSERT_TRUE(s.callee.next(seconds(10)));
      ASSERT_TRUE(s.callee.reply(Code::kOk));
    }
  });
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(s.caller.call(1, {}));
    ASSERT_TRUE(s.caller.next(seconds(10)));
  }
  callee.join();
}

TEST(Srpc, waiting_ends_in_time_when_the_peer_never_answers) {
  auto s = Stream::make();
  ASSERT_TRUE(s.caller.call(1, {}));
  EXPECT_EQ(s.caller.next(milliseconds(30)).error().code, Code::kTimedOut);
  ASSERT_TRUE(s.callee.next(seconds(1)));
  EXPECT_EQ(s.callee.next(milliseconds(30)).error().code, Code::kTimedOut);
  ASSERT_TRUE(s.callee.reply(Code::kOk));
  EXPECT_TRUE(s.caller.next(seconds(1))) << "a late answer is still an answer";
}

TEST(Srpc, waiting_for_nothing_is_refused_instead_of_hanging) {
  auto s = Stream::make();
  EXPECT_EQ(s.caller.next(seconds(60)).error().code, Code::kInvalid);
}

TEST(Srpc, revoking_wakes_both_sleepers_with_partition_failed) {
  auto s = Stream::make();
  ASSERT_TRUE(s.caller.call(1, {}));
  ASSERT_TRUE(s.callee.next(seconds(1)));
  Code caller_code = Code::kOk;
  Code callee_code = Code::kOk;
  std::thread caller([&] { caller_code = s.caller.next(seconds(60)).error().code; });
  std::thread callee([&] { callee_code = s.callee.next(seconds(60)).error().code; });
  std::this_thread::sleep_for(milliseconds(20));
  s.pair.revoke();
  caller.join();
  callee.join();
  EXPECT_EQ(caller_code, Code::kPartitionFailed);
  EXPECT_EQ(callee_code, Code::kPartitionFailed);
  EXPECT_EQ(s.caller.call(1, {}).error().code, Code::kPartitionFailed) << "and for ever after";
}

TEST(Srpc, bulk_memory_that_vanishes_reads_as_zeros_and_fails_the_stream) {
  auto s = Stream::make({.slots = 4, .bulk_in_bytes = 1 << 20, .bulk_out_bytes = 1 << 20});
  s.caller.bulk_in()[4096] = 42;
  EXPECT_EQ(s.callee.bulk_in()[4096], 42);
  s.pair.revoke();
  EXPECT_EQ(s.callee.bulk_in()[4096], 0) << "nothing stale can be read";
  s.callee.bulk_out()[0] = 1;  // writes into the void
  EXPECT_TRUE(s.callee.failed());
  EXPECT_EQ(s.callee.next(seconds(1)).error().code, Code::kPartitionFailed);
}

TEST(Srpc, neither_side_can_write_what_belongs_to_the_other) {
  auto pair = StreamPair::make(StreamId{1}, Epoch{1},
                               {.slots = 4, .bulk_in_bytes = 4096, .bulk_out_bytes = 4096});
  const auto caller = pair->caller_end();
  const auto callee = pair->callee_end();
  const auto writable = [](const Fd& fd) {
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.number(), 0);
    if (memory != MAP_FAILED) ::munmap(memory, 4096);
    return memory != MAP_FAILED;
  };
  EXPECT_TRUE(writable(caller->requests));
  EXPECT_FALSE(writable(caller->replies));
  EXPECT_TRUE(writable(caller->bulk_in));
  EXPECT_FALSE(writable(caller->bulk_out));
  EXPECT_FALSE(writable(callee->requests));
  EXPECT_TRUE(writable(callee->replies));
  EXPECT_FALSE(writable(callee->bulk_in));
  EXPECT_TRUE(writable(callee->bulk_out));
  EXPECT_NE(::fcntl(caller->requests.number(), F_ADD_SEALS, F_SEAL_SHRINK), 0)
      << "nobody can keep pages from the monitor";
}

TEST(Srpc, callee_survives_a_lying_caller) {
  const auto lie = [](auto bend) {
    auto s = Stream::make({.slots = 4});
    auto end = s.pair.caller_end();
    const GuardedMapping memory = hostile(end->requests, 4);
    ASSERT_TRUE(s.caller.call(1, {}));
    bend(memory);
    const auto request = s.callee.next(milliseconds(100));
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().code, Code::kPartitionFailed) << request.error().text;
    EXPECT_TRUE(s.callee.failed());
  };
  lie([](const auto& m) { store(m, 0, 6); });                          // index: more than the slots
  lie([](const auto& m) { store(m, 0, ~uint64_t{0} - 1); });           // index: absurd
  lie([](const auto& m) { store(m, 4096, 9); });                       // sequence
  lie([](const auto& m) { store(m, 4096 + 8, 8); });                   // epoch of another life
  lie([](const auto& m) { store(m, 4096 + 16, kPayloadBytes + 1); });  // length
}

TEST(Srpc, an_index_that_runs_backwards_closes_the_stream) {
  auto s = Stream::make({.slots = 4});
  auto end = s.pair.caller_end();
  const GuardedMapping memory = hostile(end->requests, 4);
  ASSERT_TRUE(s.caller.call(1, {}));
  ASSERT_TRUE(s.callee.next(seconds(1)));
  store(memory, 0, 0);
  EXPECT_EQ(s.callee.next(milliseconds(50)).error().code, Code::kPartitionFailed);
}

TEST(Srpc, caller_survives_a_lying_callee) {
  const auto lie = [](auto bend) {
    auto s = Stream::make({.slots = 4});
    auto end = s.pair.callee_end();
    const GuardedMapping memory = hostile(end->replies, 4);
    ASSERT_TRUE(s.caller.call(1, {}));
    ASSERT_TRUE(s.callee.next(seconds(1)));
    ASSERT_TRUE(s.callee.reply(Code::kOk));
    bend(memory);
    const auto reply = s.caller.next(milliseconds(100));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::kPartitionFailed) << reply.error().text;
  };
  lie([](const auto& m) { store(m, 0, 2); });         // completed more than requested
  lie([](const auto& m) { store(m, 4096, 1); });      // a stale or repeated answer
  lie([](const auto& m) { store(m, 4096 + 8, 6); });  // stale epoch
  lie([](const auto& m) { store(m, 4096 + 16, kPayloadBytes + 1); });  // length
}

// Words of a ring besides its index; see ring_unsafe.cc.
constexpr size_t kSleeping = 64;
constexpr size_t kProgress = 128;
constexpr size_t kCore = 192;
constexpr uint64_t kNonsense[] = {0, 1, 1023, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, ~uint64_t{0}};

// Longer than a test may take: whoever is not woken and does not look is found by that.
constexpr std::chrono::minutes kForever{10};

// One call and its answer, with both ends on threads that sleep.
void expect_call_goes_through(Stream& s) {
  std::thread callee([&] {
    ASSERT_TRUE(s.callee.next(kForever));
    ASSERT_TRUE(s.callee.reply(Code::kOk, word(42)));
  });
  ASSERT_TRUE(s.caller.call(1, {}));
  const auto reply = s.caller.next(kForever);
  callee.join();
  ASSERT_TRUE(reply) << reply.error().text;
  EXPECT_EQ(load<uint64_t>(reply->value()), 42u);
}

TEST(Srpc, lies_about_sleep_progress_and_core_cost_no_call) {
  for (const size_t field : {kSleeping, kProgress, kCore}) {
    for (const uint64_t lie : kNonsense) {
      auto s = Stream::make({.slots = 4});
      const auto caller_end = s.pair.caller_end();
      const auto callee_end = s.pair.callee_end();
      store(hostile(caller_end->requests, 4), field, lie);
      store(hostile(callee_end->replies, 4), field, lie);
      for (int i = 0; i < 3; ++i) expect_call_goes_through(s);
      EXPECT_FALSE(s.caller.failed() || s.callee.failed());
      EXPECT_FALSE(s.pair.closed()) << "for the monitor too, the stream is sound";
    }
  }
}

TEST(Srpc, a_peer_that_unsays_our_sleep_all_the_time_costs_a_nap_and_no_call) {
  auto s = Stream::make({.slots = 4});
  const auto caller_end = s.pair.caller_end();
  const auto callee_end = s.pair.callee_end();
  const GuardedMapping requests = hostile(caller_end->requests, 4);
  const GuardedMapping replies = hostile(callee_end->replies, 4);
  std::atomic<bool> done = false;
  std::thread liar([&] {
    while (!done) {
      store(requests, kSleeping, 0);
      store(replies, kSleeping, 0);
    }
  });
  for (int i = 0; i < 20; ++i) expect_call_goes_through(s);
  done = true;
  liar.join();
}

TEST(Srpc, memory_that_was_revoked_stays_away_whoever_holds_it) {
  const std::string page(4096, 'A');
  auto pair = StreamPair::make(StreamId{1}, Epoch{1}, {4, 1 << 16, 1 << 16, false});
  const auto caller = pair->caller_end();
  const auto callee = pair->callee_end();
  const auto size_of = [](const Fd& fd) { return ::lseek(fd.number(), 0, SEEK_END); };
  for (const Fd* fd : {&caller->requests, &caller->bulk_in, &callee->replies, &callee->bulk_out}) {
    const auto size = size_of(*fd);
    EXPECT_LT(::write(fd->number(), page.data(), page.size()), 0) << "not beyond its end";
    EXPECT_NE(::ftruncate(fd->number(), size + 4096), 0);
    EXPECT_EQ(size_of(*fd), size);
  }
  pair->revoke();
  for (const Fd* fd : {&caller->requests, &caller->bulk_in, &callee->replies, &callee->bulk_out}) {
    EXPECT_EQ(size_of(*fd), 0);
    EXPECT_LT(::write(fd->number(), page.data(), page.size()), 0);
    EXPECT_NE(::ftruncate(fd->number(), 4096), 0);
    EXPECT_EQ(size_of(*fd), 0);
  }
}

// Where only our own memory has gone, the peer's looks as it did.
TEST(Srpc, a_sleeper_sees_the_end_though_its_peer_puts_its_own_memory_back) {
  auto s = Stream::make({.slots = 4});
  ASSERT_TRUE(s.caller.call(1, {}));
  ASSERT_TRUE(s.callee.next(seconds(1)));
  Code caller_code = Code::kOk;
  Code callee_code = Code::kOk;
  std::thread caller([&] { caller_code = s.caller.next(kForever).error().code; });
  std::this_thread::sleep_for(milliseconds(20));
  ASSERT_EQ(::ftruncate(s.pair.caller_end()->requests.number(), 0), 0);
  caller.join();
  EXPECT_EQ(caller_code, Code::kPartitionFailed);
  s = Stream::make({.slots = 4});
  std::thread callee([&] { callee_code = s.callee.next(kForever).error().code; });
  std::this_thread::sleep_for(milliseconds(20));
  ASSERT_EQ(::ftruncate(s.pair.callee_end()->replies.number(), 0), 0);
  callee.join();
  EXPECT_EQ(callee_code, Code::kPartitionFailed);
}

// The cores that a callee may use after its caller said to run on a core, by that word.
cpu_set_t cores_after(uint64_t word) {
  auto pair = StreamPair::make(StreamId{1}, Epoch{7}, {.slots = 4});
  auto callee = Callee::make(*pair->callee_end(), {.meet = true});
  EXPECT_TRUE(callee);
  store(hostile(pair->caller_end()->requests, 4), kCore, word);
  EXPECT_EQ(callee->next(milliseconds(5)).error().code, Code::kTimedOut);
  cpu_set_t cores;
  EXPECT_EQ(::sched_getaffinity(0, sizeof cores, &cores), 0);
  return cores;
}

TEST(Srpc, a_callee_goes_to_no_core_that_it_may_not_use) {
  cpu_set_t all;
  ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "there is but one core";
  // A thread of its own, since one learns once where it may run.
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    size_t core = 0;
    while (!CPU_ISSET(core, &all)) ++core;
    CPU_SET(core, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    for (uint64_t other = 0; other < CPU_SETSIZE; other += other < 16 ? 1 : 97) {
      const cpu_set_t now = cores_after(other + 1);
      EXPECT_TRUE(CPU_EQUAL(&now, &one)) << other;
    }
    for (const uint64_t lie : kNonsense) {
      const cpu_set_t now = cores_after(lie);
      EXPECT_TRUE(CPU_EQUAL(&now, &one)) << lie;
    }
  }).join();
}

TEST(Srpc, a_code_that_nobody_knows_is_handed_on_as_a_number_and_harms_nothing) {
  for (const uint32_t code : {11u, 4711u, 0x80000000u, 0xFFFFFFFFu}) {
    for (const bool posted : {false, true}) {
      auto s = Stream::make({.slots = 4});
      const auto end = s.pair.callee_end();
      const GuardedMapping memory = hostile(end->replies, 4);
      ASSERT_TRUE(posted ? s.caller.post(1, {}).has_value() : s.caller.call(1, {}).has_value());
      ASSERT_TRUE(s.callee.next(seconds(1)));
      ASSERT_TRUE(s.callee.reply(Code::kOk));
      std::memcpy(memory.data() + 4096 + 12, &code, sizeof code);
      if (posted) {
        EXPECT_EQ(s.caller.sync(seconds(1)).error().code, Code::kPlatform);
      } else {
        EXPECT_EQ(code_from(s.caller.next(seconds(1))->code), Code::kPlatform);
      }
      expect_call_goes_through(s);
    }
  }
}

TEST(Srpc, a_call_that_nobody_knows_and_words_that_mean_nothing_are_the_callees_to_refuse) {
  for (const uint32_t lie : {0u, 4711u, 0xFFFFFFFFu}) {
    auto s = Stream::make({.slots = 4});
    const auto end = s.pair.caller_end();
    const GuardedMapping memory = hostile(end->requests, 4);
    ASSERT_TRUE(s.caller.call(1, word(5)));
    std::memcpy(memory.data() + 4096 + 12, &lie, sizeof lie);  // the call
    std::memcpy(memory.data() + 4096 + 20, &lie, sizeof lie);  // reserved
    const auto request = s.callee.next(seconds(1));
    ASSERT_TRUE(request);
    EXPECT_EQ(request->call, lie);
    EXPECT_EQ(load<uint64_t>(request->args()), 5u);
    ASSERT_TRUE(s.callee.reply(Code::kUnsupported));
    EXPECT_EQ(s.caller.next(seconds(1))->code, static_cast<uint32_t>(Code::kUnsupported));
    expect_call_goes_through(s);
  }
}

TEST(Srpc, an_unknown_error_code_of_a_peer_is_a_platform_error) {
  EXPECT_EQ(code_from(4711), Code::kPlatform);
}

TEST(Srpc, indices_wrap_around_the_ring_many_times) {
  auto s = Stream::make({.slots = 2});
  for (uint64_t i = 0; i < 100000; ++i) {
    ASSERT_TRUE(s.caller.call(1, word(i)));
    const auto request = s.callee.next(seconds(1));
    ASSERT_EQ(load<uint64_t>(request->args()), i);
    ASSERT_TRUE(s.callee.reply(Code::kOk, word(i)));
    ASSERT_EQ(load<uint64_t>(s.caller.next(seconds(1))->value()), i);
  }
}

TEST(Srpc, an_armed_caller_hears_the_bell_once_a_reply_is_there) {
  auto s = Stream::make({.slots = 4, .caller_bell = true});
  ASSERT_TRUE(s.caller.call(1, {}));
  ASSERT_TRUE(s.caller.arm());
  uint64_t count = 0;
  EXPECT_LT(::read(s.caller.bell(), &count, sizeof count), 0) << "no reply, no bell";
  ASSERT_TRUE(s.callee.next(seconds(1)));
  ASSERT_TRUE(s.callee.reply(Code::kOk));
  EXPECT_EQ(::read(s.caller.bell(), &count, sizeof count), 8);
  s.caller.disarm();
  ASSERT_TRUE((*s.caller.poll()).has_value());
  ASSERT_TRUE(s.caller.call(1, {}));
  ASSERT_TRUE(s.callee.next(seconds(1)));
  ASSERT_TRUE(s.callee.reply(Code::kOk));
  EXPECT_FALSE(s.caller.arm()) << "a reply is there already";
}

// A caller that waits with look(), and its callee in this thread.
Stream looking_stream() {
  auto pair = StreamPair::make(StreamId{1}, Epoch{7}, {.slots = 4, .caller_bell = true});
  auto caller = Caller::make(*pair->caller_end(), {.look = true});
  auto callee = Callee::make(*pair->callee_end());
  EXPECT_TRUE(caller && callee);
  return {std::move(*pair), std::move(*caller), std::move(*callee)};
}

bool rings(const Caller& caller) {
  uint64_t count = 0;
  return ::read(caller.bell(), &count, sizeof count) == 8;
}

void answer(Stream& s) {
  ASSERT_TRUE(s.callee.next(seconds(1)));
  ASSERT_TRUE(s.callee.reply(Code::kOk));
}

// Short calls, until it is tried whether spinning is quicker.
void call_until_it_spins(Stream& s) {
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(s.caller.call(1, {}));
    const bool spins = s.caller.look() == Look::kSpinning;
    answer(s);
    EXPECT_EQ(rings(s.caller), !spins);
    ASSERT_TRUE(*s.caller.poll());
    if (spins) return;
  }
  FAIL() << "it never spins";
}

TEST(Look, finds_a_reply_and_leaves_the_rest_to_the_bell) {
  auto s = looking_stream();
  EXPECT_EQ(s.caller.look(), Look::kAsleep) << "nothing is in flight";
  ASSERT_TRUE(s.caller.call(1, {}));
  EXPECT_EQ(s.caller.look(), Look::kAsleep) << "it begins asleep";
  answer(s);
  EXPECT_TRUE(rings(s.caller));
  EXPECT_EQ(s.caller.look(), Look::kReply);
  EXPECT_TRUE(*s.caller.poll());
}

TEST(Look, spins_for_short_calls_and_then_needs_no_bell) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "there is but one core";
  auto s = looking_stream();
  call_until_it_spins(s);
  ASSERT_TRUE(s.caller.call(1, {}));
  answer(s);
  EXPECT_FALSE(rings(s.caller));
  EXPECT_EQ(s.caller.look(), Look::kReply);
}

TEST(Look, ends_in_sleep_where_no_reply_comes) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "there is but one core";
  auto s = looking_stream();
  call_until_it_spins(s);
  ASSERT_TRUE(s.caller.call(1, {}));
  std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(s.caller.look(), Look::kAsleep);
  answer(s);
  EXPECT_TRUE(rings(s.caller));
}

TEST(Look, sees_that_the_other_side_has_closed) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "there is but one core";
  auto s = looking_stream();
  call_until_it_spins(s);
  ASSERT_TRUE(s.caller.call(1, {}));
  s.pair.revoke();
  EXPECT_EQ(s.caller.look(), Look::kReply);
  EXPECT_FALSE(s.caller.poll());
  EXPECT_TRUE(s.caller.failed());
}

}  // namespace
}  // namespace casemate::srpc
