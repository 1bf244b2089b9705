// SPDX-License-Identifier: Apache-2.0
// Templates whose models are sealed wait for a key. What they ask and what they are answered passes
// through here unread; what is added is the monitor's word on who asks.
#include <sys/socket.h>

#include "trusted/monitor/monitor.h"

namespace casemate::monitor {

using operating::KeyAnswer;
using operating::KeyCommand;
using operating::KeyQuestion;

void Monitor::on_locked(Tree& tree, size_t e, const control::Message& message) {
  const auto found = tree.templates.find(e);
  if (found == tree.templates.end() || found->second.ready ||
      message.quote_size > message.quote.size())
    return;
  found->second.locked = message;
  found->second.locked->ticket = ++last_ticket_;
}

// A template that waits for its key is not late, and has all its time once it has that.
bool Monitor::late(size_t e, Instant now) const {
  const size_t p = description().enclaves[e].partition;
  Instant since = enclaves_[e].life.started();
  if (const auto found = partitions_[p].active->templates.find(e);
      found != partitions_[p].active->templates.end()) {
    if (found->second.locked) return false;
    since = std::max(since, found->second.unlocked_at);
  }
  return now - since >= std::chrono::milliseconds(description().partitions[p].load_ms);
}

// Who waits with that ticket; `next`: with the lowest above it.
std::optional<Monitor::Waiting> Monitor::waiting(uint64_t ticket, bool next) {
  std::optional<Waiting> found;
  for (Partition& partition : partitions_) {
    for (auto* tree : {&partition.active, &partition.standby}) {
      if (!*tree) continue;
      for (auto& [e, process] : (*tree)->templates) {
        if (!process.locked) continue;
        const uint64_t own = process.locked->ticket;
        if (next ? own <= ticket || (found && own > found->process.locked->ticket) : own != ticket)
          continue;
        found.emplace(Waiting{**tree, process, e});
      }
    }
  }
  return found;
}

Status Monitor::answer_keys(const KeyQuestion& question, KeyAnswer& answer) {
  const auto command = static_cast<KeyCommand>(question.command);
  const auto found = waiting(question.ticket, command == KeyCommand::kNext);
  if (!found) return Error{Code::kNotFound, ""};
  const control::Message& locked = *found->process.locked;
  answer.ticket = locked.ticket;
  answer.name = description().enclaves[found->enclave].name;
  answer.request_bytes = locked.quote_size;
  std::ranges::copy(locked.quote, answer.request.begin());
  if (command == KeyCommand::kVouch) {
    control::Message asked = locked;
    asked.stream = static_cast<uint32_t>(found->enclave);  // for itself
    asked.nonce = question.nonce;
    const Code code = attest(found->enclave, asked, answer.attested);
    return code == Code::kOk ? Status() : Status(Error{code, ""});
  }
  if (command != KeyCommand::kUnlock) return {};
  control::Message unlock =
      control::make(control::Type::kUnlock, setup_->system.measured(found->enclave).enclave);
  if (question.answer_bytes > unlock.quote.size() || !question.reason.canonical())
    return Error{Code::kInvalid, ""};
  unlock.code = question.code;
  unlock.reason = question.reason;
  unlock.quote_size = question.answer_bytes;
  std::ranges::copy(question.answer, unlock.quote.begin());
  found->process.locked.reset();
  found->process.unlocked_at = clock_.now();
  return found->tree.to_mos.send(found->tree.mos.socket, unlock);
}

void Monitor::serve_keys(const Fd& client, const KeyQuestion& question) {
  KeyAnswer answer;
  const Status done = question.magic == KeyQuestion::kMagic ? answer_keys(question, answer)
                                                            : Status(Error{Code::kInvalid, ""});
  if (!done) answer.code = static_cast<uint32_t>(done.error().code);
  ::send(client.number(), &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace casemate::monitor
