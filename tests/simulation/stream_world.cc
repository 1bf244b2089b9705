// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/stream_world.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace casemate::simulation {
namespace {

constexpr Duration kChaos = milliseconds(200);
constexpr uint64_t kStepsOfChaos = 1500;
constexpr uint64_t kAnswersInCalm = 6;

}  // namespace

StreamWorld::StreamWorld(uint64_t seed)
    : machine_(seed), description_(std::make_unique<SystemDescription>()) {
  Chance& chance = machine_.chance();
  bell_ = chance.one_in(2);
  deceit_ = chance.one_in(3);
  naps_ = deceit_;
  spin_ = chance.one_of<Duration>({Duration(0), microseconds(5), microseconds(50)});
  hurt_every_ = chance.one_of<uint64_t>({30, 150, 700, 100'000});
  machine_.set_switch_every(chance.one_of<uint64_t>({1, 2, 4, 16, 64}));
  description_->enclave_count = 2;
  description_->stream_count = 1;
  description_->streams[0] = {.caller = 0,
                              .callee = 1,
                              .slots = kSlots,
                              .regions = kSlots,
                              .bulk_in_bytes = kSlots * kRegion,
                              .bulk_out_bytes = kSlots * kRegion};
}

void StreamWorld::run() {
  watcher_ = machine_.spawn("monitor", 0, [this] { watch(); });
  start(kCaller);
  start(kCallee);
  const Instant chaos_ends = machine_.now() + kChaos;
  while (!calm_ || answered_in_calm_ < kAnswersInCalm) {
    if (!machine_.step()) fail("all processes wait for ever");
    check();
    if (calm_) continue;
    if (machine_.now() >= chaos_ends || machine_.steps() > kStepsOfChaos) {
      finish();
    } else if (machine_.chance().one_in(hurt_every_)) {
      hurt();
    }
  }
}

void StreamWorld::start(End end) {
  Peer& peer = peers_[end];
  peer.mail.reset();
  if (std::exchange(peer.turns, false)) peer.liar = !peer.liar;
  const char* name = end == kCaller ? "caller" : "callee";
  if (peer.liar) {
    peer.process = machine_.spawn(formatted("lying {}", name), 0, [this, end] { lie(end); });
  } else if (end == kCaller) {
    peer.process = machine_.spawn(name, 0, [this] { call(); });
  } else {
    peer.process = machine_.spawn(name, 0, [this] { serve(); });
  }
}

void StreamWorld::hurt() {
  Chance& chance = machine_.chance();
  const auto end = static_cast<End>(chance.below(2));
  Peer& peer = peers_[end];
  switch (chance.below(4)) {
    case 0:
      return machine_.kill(peer.process);
    case 1:
      peer.turns = deceit_;
      return machine_.kill(peer.process);
    case 2:
      peer.until = machine_.now() + chance.between(nanoseconds(0), milliseconds(60));
      machine_.trace("process {} is stopped for a while", peer.process);
      return machine_.stop(peer.process, true);
    default:
      if (chance.one_in(4)) revoke_wanted_ = true;
      if (chance.one_in(4)) machine_.pass(chance.between(nanoseconds(0), seconds(2)));
  }
}

// Nobody is hurt any more; who lies is replaced.
void StreamWorld::finish() {
  calm_ = true;
  calm_since_ = machine_.now();
  machine_.trace("from now on nobody is hurt");
  machine_.calm();
  for (Peer& peer : peers_) {
    peer.turns = peer.liar;
    if (peer.liar) machine_.kill(peer.process);
  }
}

void StreamWorld::check() {
  for (const End end : {kCaller, kCallee}) {
    Peer& peer = peers_[end];
    if (peer.until != Instant{} && peer.until <= machine_.now()) {
      peer.until = {};
      machine_.stop(peer.process, false);
    }
    if (machine_.alive(peer.process)) continue;
    // As the monitor does: first its streams, then the next of it.
    revoke_wanted_ = true;
    start(end);
  }
  if (machine_.steps() % 32 == 0) look_at_indices();
  if (calm_) expect(machine_.now() - calm_since_ < kPatience, "calls do not go through again");
}

// By the kernel's calls, so that to look changes nothing.
void StreamWorld::look_at_indices() {
  if (epoch_ == 0) return;
  Connection& connection = connections_[epoch_];
  if (!connection.honest || connection.revoked) return;
  uint64_t requested = 0;
  uint64_t completed = 0;
  if (::pread(requests_.number(), &requested, 8, 0) != 8 ||
      ::pread(replies_.number(), &completed, 8, 0) != 8)
    return;
  if (requested == ring::kPoison || completed == ring::kPoison) return;
  expect(requested >= connection.requested && completed >= connection.completed,
         "an index runs backwards");
  expect(completed <= requested && requested <= completed + kSlots, "an index overtakes");
  connection.requested = requested;
  connection.completed = completed;
}

srpc::Waiting StreamWorld::waiting(End end) const {
  const Outside outside;
  srpc::Waiting waiting;
  waiting.spin = spin_;
  // A caller with a bell is not woken where it sleeps on the ring.
  const bool naps = naps_ || (bell_ && end == kCaller);
  waiting.nap = naps ? Duration(milliseconds(5)) : Duration(std::chrono::hours(1));
  waiting.meet = end == kCallee && spin_ == Duration(0);
  return waiting;
}

std::optional<srpc::StreamEnd> StreamWorld::take_mail(End end) {
  const Outside outside;
  auto mail = std::exchange(peers_[end].mail, std::nullopt);
  if (!mail) return mail;
  for (const Fd* fd :
       {&mail->requests, &mail->replies, &mail->bulk_in, &mail->bulk_out, &mail->bell})
    machine_.own(fd->number(), machine_.owner());
  return mail;
}

void StreamWorld::connected(monitor::StreamTable::Ends ends, Epoch epoch) {
  const Outside outside;
  expect(epoch.number == epoch_ + 1, "each connection has an epoch of its own");
  epoch_ = epoch.number;
  connections_[epoch_].honest = !peers_[kCaller].liar && !peers_[kCallee].liar;
  connected_at_ = machine_.now();
  requests_ = Fd(::dup(ends.caller.requests.number()));
  replies_ = Fd(::dup(ends.callee.replies.number()));
  bell_of_caller_ = Fd(bell_ ? ::dup(ends.caller.bell.number()) : -1);
  for (srpc::StreamEnd* end : {&ends.caller, &ends.callee}) {
    for (const Fd* fd : {&end->requests, &end->replies, &end->bulk_in, &end->bulk_out, &end->bell})
      machine_.own(fd->number(), 0);
  }
  peers_[kCaller].mail = std::move(ends.caller);
  peers_[kCallee].mail = std::move(ends.callee);
  machine_.trace("epoch {} is connected", epoch_);
}

void StreamWorld::revoked() {
  const Outside outside;
  if (epoch_ != 0) connections_[epoch_].revoked = true;
  machine_.trace("epoch {} is revoked", epoch_);
  // An event loop hears of it from the monitor.
  const uint64_t one = 1;
  for (Peer& peer : peers_) peer.mail.reset();
  if (bell_of_caller_.valid()) [[maybe_unused]]
    const auto rung = ::write(bell_of_caller_.number(), &one, sizeof one);
}

void StreamWorld::closed(Duration again_in) {
  const Outside outside;
  expect(!connections_[epoch_].honest, "a stream of honest ends is never closed");
  if (machine_.now() - connected_at_ >= policy_.stable + milliseconds(1)) closed_in_a_row_ = 0;
  ++closed_in_a_row_;
  const Duration least =
      closed_in_a_row_ < 2
          ? Duration(0)
          : std::min(policy_.backoff_max,
                     policy_.backoff_first * (1 << std::min(closed_in_a_row_ - 2, 10u)));
  expect(again_in >= least, "a stream that is closed again and again is connected later each time");
}

bool StreamWorld::wants_revoking() {
  const Outside outside;
  if (revoke_wanted_ && epoch_ != 0) connections_[epoch_].revoking = true;
  return std::exchange(revoke_wanted_, false);
}

// A question is the epoch, and its number in it, which is what its sequence will be.
uint64_t StreamWorld::asking(Epoch epoch, bool posted) {
  const Outside outside;
  Connection& connection = connections_[epoch.number];
  const uint64_t question = uint64_t{epoch.number} << 32 | connection.asked.size();
  connection.asked.push_back(question);
  connection.posted.push_back(posted);
  return question;
}

bool StreamWorld::begin(Epoch epoch) {
  const Outside outside;
  return connections_[epoch.number].revoked;
}

uint64_t StreamWorld::answer_to(uint64_t question, Epoch epoch) {
  return question * 0x9E3779B97F4A7C15 + epoch.number;
}

Code StreamWorld::ran(const srpc::Request& request, Epoch epoch, bool revoked_before) {
  const Outside outside;
  Connection& connection = connections_[epoch.number];
  expect(!revoked_before, "a call is taken from a stream that was revoked");
  expect(request.epoch == epoch.number, "a call of another epoch is run");
  expect(request.sequence == connection.run, "calls are run once each, and in order");
  ++connection.run;
  if (!connection.honest) return Code::kOk;
  expect(request.sequence < connection.asked.size() && request.length == sizeof(uint64_t) &&
             load<uint64_t>(request.args()) == connection.asked[request.sequence],
         "a call is run that nobody made, or with other arguments");
  if (!connection.posted[request.sequence] || !machine_.chance().one_in(4)) return Code::kOk;
  if (connection.posted_error == Code::kOk) connection.posted_error = Code::kTooLarge;
  return Code::kTooLarge;
}

void StreamWorld::answered(Epoch epoch, const srpc::Reply& reply, bool revoked_before) {
  const Outside outside;
  Connection& connection = connections_[epoch.number];
  expect(!revoked_before, "an answer is taken from a stream that was revoked");
  expect(reply.epoch == epoch.number, "an answer of another epoch is taken");
  expect(reply.sequence >= connection.answered && reply.sequence < connection.asked.size(),
         "answers come once each, and in order");
  for (uint64_t i = connection.answered; i < reply.sequence; ++i)
    expect(connection.posted[i], "an answer is passed over");
  connection.answered = reply.sequence + 1;
  if (!connection.honest) return;
  expect(reply.sequence < connection.run, "an answer comes before its call was run");
  expect(reply.length == 8 &&
             load<uint64_t>(reply.value()) == answer_to(connection.asked[reply.sequence], epoch),
         "an answer is wrong");
  if (calm_) ++answered_in_calm_;
}

void StreamWorld::synced(Epoch epoch, const Status& status, bool failed) {
  const Outside outside;
  Connection& connection = connections_[epoch.number];
  if (failed || !connection.honest) return;
  const Code code = status ? Code::kOk : status.error().code;
  expect(connection.run == connection.asked.size(), "sync() returns before everything was run");
  expect(code == std::exchange(connection.posted_error, Code::kOk),
         "an error of a posted call comes up at the next sync, once");
  if (calm_) ++answered_in_calm_;
}

// An end that has failed, and says so.
void StreamWorld::failed(Epoch epoch) {
  const Outside outside;
  const Connection& connection = connections_[epoch.number];
  expect(connection.revoking || !connection.honest,
         "a stream of honest ends fails though nobody has revoked it");
}

}  // namespace casemate::simulation
