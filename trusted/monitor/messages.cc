// SPDX-License-Identifier: Apache-2.0
// What partitions say to the monitor. Each message names an enclave; it must be one of the sender's
// own.

#include <poll.h>

#include "base/log.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {

using control::Message;
using control::Type;

namespace {

// A template that is killed takes along what it was just asked to make, and its own end may be
// heard of a little later.
constexpr Duration kDoubt = std::chrono::milliseconds(20);
// A gateway that has to wait for another quote asks again many times within this.
constexpr Duration kTurn = std::chrono::seconds(1);

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
    case Type::kPong:
      return enclaves_[*e].pinged_at.reset();
    case Type::kLocked:
      if (!sealed(*e)) return fail_partition(p, "it asks for a key, and its model is not sealed");
      return static_cast<void>(on_locked(*partitions_[p].active, *e, message));
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
  found->second.locked.reset();
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

// An enclave, and behind it all that it calls in the order of its streams, each followed by those
// that it calls in its turn: the order of tokens (wire/evidence).
void Monitor::list_callees(size_t e, std::vector<size_t>& list) const {
  if (list.size() == enclaves_.size()) return;  // streams that run in a circle
  list.push_back(e);
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (streams_.caller(i) == e) list_callees(streams_.callee(i), list);
  }
}

void Monitor::on_attest(size_t p, size_t e, const Message& message) {
  Message answer = control::make(Type::kAttested, EnclaveId{message.enclave});
  answer.ticket = message.ticket;
  const bool granted = partitions_[p].attestations.take(clock_.now());
  // Keys are vouched for where clients connect: others would be taken for that by whoever reads
  // nothing but the quote, and would keep the root from it.
  const bool keyed = message.key_sha256 != Sha256Digest{};
  const Code code = !granted                  ? Code::kUnavailable
                    : keyed && !is_gateway(e) ? Code::kDenied
                                              : attest(e, message, answer);
  if (code == Code::kOk && keyed && message.stream == e)
    return vouch(e, message.key_sha256, answer);
  // What the device says goes along in the place of a quote.
  if (const size_t subject = EnclaveId{answer.token.enclave}.index();
      answer.token.device_evidence != Sha384Digest{})
    return send_evidence(e, answer, setup_->system.measured(subject).device_evidence, {});
  answer.code = static_cast<uint32_t>(code);
  send(e, answer);
}

// The token about an enclave, or one of those behind it, with a key of the asker's own.
Code Monitor::attest(size_t e, const Message& question, Message& answer) {
  const size_t named = question.stream;  // index of the enclave that is asked about
  if (named >= enclaves_.size() || !may_vouch(e, named)) return Code::kDenied;
  std::vector<size_t> list;
  list_callees(named, list);
  if (question.place >= list.size()) return Code::kDenied;
  answer.place_count = static_cast<uint32_t>(list.size());
  const size_t subject = list[question.place];
  const uint32_t epoch = partitions_[description().enclaves[subject].partition].epoch;
  // The key of a model is one that it asks for its own key with, and keys.cc signs for those.
  const Sha384Digest key = subject == e && is_gateway(e) ? question.key_sha384 : Sha384Digest{};
  const auto token =
      setup_->voucher.token(setup_->system.measured(subject), {epoch}, key, question.nonce);
  if (!token) return token.error().code;
  answer.token = *token;
  return Code::kOk;
}

// Has the root vouch for a key, and answers when it has. A root that takes its time does so for
// one at a time: whoever comes meanwhile is told to ask again.
void Monitor::vouch(size_t e, const Sha256Digest& key, const Message& answer) {
  gateways_until_ = quoted_ ? clock_.now() + kTurn : Instant{};
  if (quoted_)
    return send_evidence(e, answer, Error{Code::kUnavailable, "another quote is on its way"}, {});
  auto vouched = setup_->voucher.vouch_for_key(key);
  if (!vouched) return send_evidence(e, answer, vouched.error(), {});
  if (!vouched->quoting) return send_evidence(e, answer, vouched->quote, vouched->claims);
  quoted_.emplace(Quoted{*std::move(vouched), e, enclaves_[e].fork_at, answer,
                         clock_.now() + attest::Quoting::kPatience});
}

void Monitor::finish_quote(Instant now) {
  if (!quoted_) return;
  pollfd ended{quoted_->vouched.quoting->fd(), POLLIN, 0};
  if (now < quoted_->until && ::poll(&ended, 1, 0) != 1) return;
  Quoted quoted = *std::exchange(quoted_, std::nullopt);
  reap();
  if (quoted.ticket != 0) {
    return keep_quote(quoted.ticket, quoted.vouched.quoting->finish(),
                      std::move(quoted.vouched.claims));
  }
  gateways_until_ = {};  // now it is a model's turn
  // An instance that came after the one that asked has another key.
  if (enclaves_[quoted.enclave].fork_at != quoted.forked_at) return;
  send_evidence(quoted.enclave, quoted.answer, quoted.vouched.quoting->finish(),
                quoted.vouched.claims);
}

void Monitor::send_evidence(size_t e, Message answer, const Result<std::vector<uint8_t>>& quote,
                            Bytes claims) {
  std::vector<Fd> fds;
  auto attached = quote ? control::attach_evidence(answer, *quote, claims) : quote.error();
  if (attached) {
    fds.push_back(std::move(*attached));
  } else {
    answer.code = static_cast<uint32_t>(attached.error().code);
    // Who has to wait for another asks again many times.
    if (attached.error().code != Code::kUnavailable)
      log("enclave {}: its key is not vouched for: {}", name(e), attached.error().text);
  }
  send(e, answer, std::move(fds));
}

}  // namespace casemate::monitor
