// SPDX-License-Identifier: Apache-2.0
// What the processes of a StreamWorld do. This file is compiled as the product's code is here, so
// that they are interrupted within their own accesses to shared memory, too.
#include <algorithm>

#include "isolated/srpc/srpc.h"
#include "tests/simulation/liar.h"
#include "tests/simulation/stream_world.h"

namespace casemate::simulation {
namespace {

// So long that a wake-up that never comes is found by it.
constexpr Duration kForever = std::chrono::hours(1);

void sleep_for(Duration duration) {
  Machine::here().wait(Wait::kTime, Machine::here().now() + duration);
}

Chance& chance() { return Machine::here().chance(); }

void fill(MutableBytes region, uint64_t value) {
  std::array<uint64_t, StreamWorld::kRegion / 8> words;
  words.fill(value);
  std::memcpy(region.data(), words.data(), sizeof words);
}

bool holds(Bytes region, uint64_t value) {
  std::array<uint64_t, StreamWorld::kRegion / 8> words;
  std::memcpy(words.data(), region.data(), sizeof words);
  return std::ranges::all_of(words, [&](uint64_t word) { return word == value; });
}

size_t region_of(uint64_t sequence) {
  return sequence % StreamWorld::kSlots * StreamWorld::kRegion;
}

}  // namespace

void StreamWorld::watch() {
  monitor::StreamTable table(allow::assume_all_powers().revoke, *description_, {bell_, false},
                             {policy_});
  std::optional<Instant> connect_at = Machine::here().now();
  while (true) {
    const Instant now = Machine::here().now();
    if (!table.connected(0) && connect_at && *connect_at <= now) {
      auto ends = table.connect(0, now);
      if (!ends) fail("a stream could not be connected: " + ends.error().text);
      const Epoch epoch = ends->caller.epoch;
      connected(*std::move(ends), epoch);
    }
    if (wants_revoking()) {
      table.revoke(0);
      revoked();
      connect_at = Machine::here().now() + milliseconds(1);
    }
    if (!table.closed().empty()) {
      const Instant closing = Machine::here().now();
      connect_at = table.fail(0, closing);
      revoked();
      closed(connect_at.value_or(Instant::max()) - closing);
    }
    sleep_for(milliseconds(2));
  }
}

void StreamWorld::call() {
  while (true) {
    auto mail = take_mail(kCaller);
    if (!mail) {
      sleep_for(microseconds(200));
      continue;
    }
    const Epoch epoch = mail->epoch;
    auto made = srpc::Caller::make(*std::move(mail), waiting(kCaller));
    if (!made) {
      expect(made.error().code == Code::kPlatform, "an end can be made unless its memory is gone");
      continue;
    }
    while (ask(*made, epoch)) {
      if (chance().one_in(4)) sleep_for(chance().between(Duration(0), microseconds(500)));
    }
    failed(epoch);
    expect(!made->call(1, {}) && !made->poll(), "a stream that has failed stays failed");
  }
}

// Some calls, and all that comes of them. False when the stream has failed.
bool StreamWorld::ask(srpc::Caller& caller, Epoch epoch) {
  const uint64_t calls = chance().below(kSlots + 1);
  const bool posted = chance().one_in(3);
  for (uint64_t i = 0; i < calls && caller.free_slots() > 0; ++i) {
    const uint64_t question = asking(epoch, posted);
    fill(caller.bulk_in().subspan(region_of(question & 0xFFFFFFFF), kRegion), question);
    const bool sent = posted ? caller.post(1, bytes_of(question)).has_value()
                             : caller.call(1, bytes_of(question)).has_value();
    if (!sent) break;
  }
  if (caller.failed()) return false;
  if (posted) {
    const Status done = caller.sync(kForever);
    synced(epoch, done, caller.failed());
  }
  while (!posted && !caller.failed() && caller.in_flight() > 0) {
    const bool before = begin(epoch);
    const auto reply = wait_for_reply(caller);
    if (!reply) break;
    if (!*reply) continue;
    const Bytes region = caller.bulk_out().subspan(region_of((*reply)->sequence), kRegion);
    const bool right = holds(region, answer_to(load<uint64_t>((*reply)->payload), epoch));
    expect(right || caller.failed() || (*reply)->code != 0 || !connections_[epoch.number].honest,
           "an answer's bulk memory is what the callee wrote");
    answered(epoch, **reply, before);
  }
  return !caller.failed();
}

// By the ring's word, or by the bell as an event loop does.
Result<std::optional<srpc::Reply>> StreamWorld::wait_for_reply(srpc::Caller& caller) {
  if (bell_ && chance().one_in(2)) {
    auto polled = TRY(caller.poll());
    if (polled || !caller.arm()) return polled;
    pollfd bell{caller.bell(), POLLIN, 0};
    ::poll(&bell, 1, naps_ ? 5 : 3'600'000);
    uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(caller.bell(), &count, sizeof count);
    return polled;
  }
  if (bell_) caller.disarm();
  auto reply = caller.next(bell_ ? milliseconds(5) : kForever);
  if (!reply && reply.error().code == Code::kTimedOut) return std::optional<srpc::Reply>();
  return std::optional(TRY(std::move(reply)));
}

void StreamWorld::serve() {
  while (true) {
    auto mail = take_mail(kCallee);
    if (!mail) {
      sleep_for(microseconds(200));
      continue;
    }
    const Epoch epoch = mail->epoch;
    auto made = srpc::Callee::make(*std::move(mail), waiting(kCallee));
    if (!made) continue;
    srpc::Callee& callee = *made;
    while (true) {
      const bool before = begin(epoch);
      const auto request = callee.next(kForever);
      if (!request) {
        if (request.error().code == Code::kPartitionFailed) break;
        continue;
      }
      const Code code = ran(*request, epoch, before);
      const auto question =
          request->length == sizeof(uint64_t) ? load<uint64_t>(request->args()) : 0;
      const size_t region = region_of(question & 0xFFFFFFFF);
      const bool right = holds(callee.bulk_in().subspan(region, kRegion), question);
      expect(right || callee.failed() || !connections_[epoch.number].honest,
             "a call's bulk memory is what the caller wrote");
      callee.progress().fetch_add(1, std::memory_order_relaxed);
      if (chance().one_in(4)) sleep_for(chance().between(microseconds(0), microseconds(300)));
      const uint64_t answer = answer_to(question, epoch);
      fill(callee.bulk_out().subspan(region, kRegion), answer_to(answer, epoch));
      if (!callee.reply(code, bytes_of(answer))) break;
    }
    failed(epoch);
    expect(!callee.next(Duration(0)), "a stream that has failed stays failed");
  }
}

void StreamWorld::lie(End end) {
  while (true) {
    if (auto mail = take_mail(end)) {
      srpc::StreamEnd& theirs = *mail;
      Liar liar(end == kCaller ? theirs.requests : theirs.replies,
                ring::Geometry{theirs.slots, sizeof(srpc::Request)}, theirs.epoch,
                end == kCaller ? theirs.bulk_in : theirs.bulk_out);
      while (!peers_[end].mail) {
        liar.lie();
        sleep_for(chance().between(microseconds(0), microseconds(300)));
      }
    }
    sleep_for(microseconds(200));
  }
}

}  // namespace casemate::simulation
