// SPDX-License-Identifier: Apache-2.0
// What partitions say to the monitor. Each message names an enclave; it must be one of the sender's
// own.

#include "base/log.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {

using control::Message;
using control::Type;

namespace {

// A template that is killed takes along what it was just asked to make, and its own end may be
// heard of a little later.
constexpr Duration kDoubt = std::chrono::milliseconds(20);

}  // namespace

void Monitor::take_messages(size_t p) {
  Tree& tree = *partitions_[p].active;
  if (const Status sent = tree.to_mos.flush(tree.mos.socket); !sent)
    return fail_partition(p, sent.error().text);
  // Bounded, so that one talkative partition cannot keep the monitor from the others.
  for (int i = 0; i < 32 && partitions_[p].active; ++i) {
    auto received = partitions_[p].active->mos.socket.poll();
    if (!received && received.error().code == Code::kPartitionFailed)
      return fail_partition(p, "its runtime died", Cause::kDeath);
    if (!received) return fail_partition(p, received.error().text);
    if (!*received) return;
    take_message(p, **received);
  }
}

std::optional<size_t> Monitor::enclave_of(size_t p, uint32_t id) const {
  const size_t index = EnclaveId{id}.index();
  if (index >= enclaves_.size() || description().enclaves[index].partition != p ||
      setup_->system.measured(index).enclave.number != id) {
    return std::nullopt;
  }
  return index;
}

void Monitor::take_message(size_t p, const control::Received& received) {
  const Message& message = received.message;
  const auto e = enclave_of(p, message.enclave);
  if (!e || !message.name.canonical() || !message.reason.canonical()) {
    return fail_partition(p, "its runtime spoke of an enclave that is not its own");
  }
  switch (static_cast<Type>(message.type)) {
    case Type::kReady:
      return on_ready(*e);
    case Type::kRefused:
      return on_refused(*e, message);
    case Type::kRunning:
      return on_running(*e, message);
    case Type::kDied:
      return on_died(*e);
    case Type::kAttest:
      return on_attest(p, *e, message);
    case Type::kLocked:
      return on_locked(*partitions_[p].active, *e, message);
    case Type::kPong:
      return enclaves_[*e].pinged_at.reset();
    default:
      return fail_partition(p, "its runtime sent a message that only the monitor may send");
  }
}

void Monitor::send(size_t e, const Message& message, std::vector<Fd> fds) {
  const size_t p = description().enclaves[e].partition;
  auto& tree = partitions_[p].active;
  if (!tree) return;
  if (const Status sent = tree->to_mos.send(tree->mos.socket, message, std::move(fds)); !sent)
    fail_partition(p, sent.error().text);
}

void Monitor::on_ready(size_t e) {
  auto& templates = partitions_[description().enclaves[e].partition].active->templates;
  const auto found = templates.find(e);
  if (enclaves_[e].life.state() != State::kStarting || found == templates.end() ||
      std::exchange(found->second.ready, true))
    return;
  fork_instance(e);
}

void Monitor::on_refused(size_t e, const Message& message) {
  Enclave& enclave = enclaves_[e];
  // Heard once, of what has not run yet.
  if (enclave.life.state() != State::kStarting) return;
  const size_t p = description().enclaves[e].partition;
  bury_template(p, e);
  enclave.life.refused();
  enclave.code = code_from(message.code);
  enclave.reason = message.reason;
  // The text came from a file that a stranger may have written; the log strips what is not
  // printable.
  log("enclave {}: refused: {}", name(e), enclave.reason.view());
  revoke_streams(e, enclave.code, enclave.reason.view());
  note_settled(p);
}

void Monitor::on_running(size_t e, const Message& message) {
  Enclave& enclave = enclaves_[e];
  if (enclave.life.state() != State::kStarting || !ready(e)) return;
  const Instant now = clock_.now();
  enclave.life.running(now);
  enclave.instance_lost = false;
  enclave.pinged_at.reset();
  enclave.start_us = static_cast<uint64_t>((now - enclave.fork_at).count()) / 1000;
  enclave.code = Code::kOk;
  ++enclave.starts;
  enclave.end.again = now;
  enclave.end.status = message.flags;  // a template's own word: it is told and nothing else
  connect_streams(e);
  note_settled(description().enclaves[e].partition);
}

void Monitor::on_died(size_t e) {
  Enclave& enclave = enclaves_[e];
  // An instance of an earlier template may be reported late; this one has none yet.
  const State state = enclave.life.state();
  if (!ready(e) || (state != State::kStarting && state != State::kRunning)) return;
  revoke_streams(e, Code::kPartitionFailed, "it died");
  if (!ready(e)) return;  // telling the others found its partition dead
  const Instant now = clock_.now();
  if (state == State::kStarting) {
    if (!std::exchange(enclave.unborn, true)) enclave.restart_at = now + kDoubt;
    return;
  }
  enclave.restart_at = enclave.life.failed(now);
  // Only a restart leaves the end of its template to be told from an end that counts.
  enclave.instance_lost = enclave.restart_at.has_value();
  if (!enclave.restart_at) return fail_enclave(e, "died");
  enclave.end = {.why = "its instance died",
                 .slot = partitions_[description().enclaves[e].partition].active->slot,
                 .at = now};
  log("enclave {}: its instance died; a fresh one comes from the template", name(e));
}

// An enclave may have itself vouched for, and those that it has streams to: whoever verifies it
// wants to know them.
bool Monitor::may_vouch(size_t asker, size_t subject) const {
  if (asker == subject) return true;
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (streams_.caller(i) == asker && streams_.callee(i) == subject) return true;
  }
  return false;
}

void Monitor::on_attest(size_t p, size_t e, const Message& message) {
  Message answer = control::make(Type::kAttested, EnclaveId{message.enclave});
  answer.ticket = message.ticket;
  const bool granted = partitions_[p].attestations.take(clock_.now());
  answer.code = static_cast<uint32_t>(granted ? attest(e, message, answer) : Code::kUnavailable);
  send(e, answer);
}

// Vouches for an enclave, and for a key of the asker's own.
Code Monitor::attest(size_t e, const Message& question, Message& answer) {
  const size_t subject = question.stream;  // index of the enclave that is asked about
  if (subject >= enclaves_.size() || !may_vouch(e, subject)) return Code::kDenied;
  const bool own = subject == e;
  const uint32_t epoch = partitions_[description().enclaves[subject].partition].epoch;
  const auto token =
      setup_->voucher.token(setup_->system.measured(subject), {epoch},
                            own ? question.key_sha384 : Sha384Digest{}, question.nonce);
  if (!token) return token.error().code;
  answer.token = *token;
  if (!own || question.key_sha256 == Sha256Digest{}) return Code::kOk;
  const auto evidence = setup_->voucher.vouch_for_key(question.key_sha256);
  if (!evidence || evidence->quote.size() > answer.quote.size() ||
      evidence->claims.size() > answer.claims.size())
    return Code::kPlatform;
  answer.quote_size = static_cast<uint32_t>(evidence->quote.size());
  answer.claims_size = static_cast<uint32_t>(evidence->claims.size());
  std::ranges::copy(evidence->quote, answer.quote.begin());
  std::ranges::copy(evidence->claims, answer.claims.begin());
  return Code::kOk;
}

}  // namespace casemate::monitor
