// SPDX-License-Identifier: Apache-2.0
// Templates whose models are sealed wait for a key. What they ask and what they are answered passes
// through here unread; what is added is the word of the root and the monitor on who asks.
#include <sys/socket.h>

#include <algorithm>

#include "base/log.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {
namespace {

using operating::KeyAnswer;
using operating::KeyCommand;
using operating::KeyQuestion;

// After a root has failed, or a partition has asked for too much.
constexpr Duration kAskAgain = std::chrono::seconds(5);
// Key services want a recent quote, and one may have to wait long for its service.
constexpr Duration kQuoteLife = std::chrono::seconds(30);

}  // namespace

// Once for each template, before it has its key: who knows weights has no way to say anything to
// the operator. False: it has nothing to ask.
bool Monitor::on_locked(Tree& tree, size_t e, const control::Message& message) {
  const auto found = tree.templates.find(e);
  // The last words of one that has been replaced have its own ticket.
  if (found == tree.templates.end() || found->second.ticket != message.ticket ||
      found->second.ready || found->second.locked || found->second.unlocked_at)
    return false;
  found->second.locked.emplace(Tree::Locked{message});
  return true;
}

// Of the templates that wait and are `wanted`, the one that was started first.
template <class Wanted>
std::optional<Monitor::Waiting> Monitor::first_waiting(Wanted wanted) {
  std::optional<Waiting> first;
  for (Partition& partition : partitions_) {
    for (auto* tree : {&partition.active, &partition.standby}) {
      if (!*tree) continue;
      for (auto& [e, process] : (*tree)->templates) {
        if (process.locked && wanted(process) && (!first || process.ticket < first->process.ticket))
          first.emplace(Waiting{**tree, process, e});
      }
    }
  }
  return first;
}

// Has the root vouch for their keys, one after the other, and behind all gateways.
void Monitor::vouch_for_locked(Instant now) {
  while (!quoted_ && now >= gateways_until_) {
    const auto found = first_waiting([&](const Tree::Template& process) {
      return process.locked->quote.empty() && now >= process.locked->ask_at;
    });
    if (!found) return;
    found->process.locked->ask_at = now + kAskAgain;
    if (!partitions_[description().enclaves[found->enclave].partition].attestations.take(now))
      continue;
    const Sha256Digest& key = found->process.locked->question.key_sha256;
    auto vouched = setup_->voucher.vouch_for_key(key, KeyUse::kHpke);
    if (vouched && vouched->quoting) {
      quoted_.emplace(Quoted{.vouched = *std::move(vouched),
                             .enclave = found->enclave,
                             .until = now + attest::Quoting::kPatience,
                             .ticket = found->process.ticket});
    } else if (vouched) {
      keep_quote(found->process.ticket, std::move(vouched->quote), std::move(vouched->claims));
    } else {
      keep_quote(found->process.ticket, vouched.error(), {});
    }
  }
}

void Monitor::keep_quote(uint64_t ticket, Result<std::vector<uint8_t>> quote,
                         std::vector<uint8_t> claims) {
  const auto found = first_waiting([&](const auto& process) { return process.ticket == ticket; });
  if (!found) return;  // it has died meanwhile
  Tree::Locked& locked = *found->process.locked;
  if (!quote) {
    locked.ask_at = clock_.now() + kAskAgain;
    return log("enclave {}: its key is not vouched for: {}", name(found->enclave),
               quote.error().text);
  }
  locked.quote = *std::move(quote);
  locked.claims = std::move(claims);
  locked.quoted_at = clock_.now();
}

Status Monitor::answer_keys(const KeyQuestion& question, KeyAnswer& answer) {
  const auto command = static_cast<KeyCommand>(question.command);
  const auto found = first_waiting([&](const Tree::Template& process) {
    return !process.locked->quote.empty() &&
           (command == KeyCommand::kNext ? process.ticket > question.ticket
                                         : process.ticket == question.ticket);
  });
  if (!found) return Error{Code::kNotFound, ""};
  answer.ticket = found->process.ticket;
  answer.name = description().enclaves[found->enclave].name;
  answer.request = found->process.locked->question.blob;
  switch (command) {
    case KeyCommand::kNext:
      return {};
    case KeyCommand::kVouch:
      return vouch_to_service(*found, question.nonce, answer);
    case KeyCommand::kUnlock:
      return unlock(*found, question);
  }
  return Error{Code::kUnsupported, ""};
}

Status Monitor::vouch_to_service(const Waiting& waiting, const Nonce& asked, KeyAnswer& answer) {
  Tree::Locked& locked = *waiting.process.locked;
  Partition& partition = partitions_[description().enclaves[waiting.enclave].partition];
  if (!partition.attestations.take(clock_.now())) return Error{Code::kUnavailable, ""};
  if (clock_.now() - locked.quoted_at > kQuoteLife) {
    locked.quote.clear();  // and the root is asked again
    return Error{Code::kUnavailable, ""};
  }
  // What is signed is never what somebody chose.
  const Nonce nonce = proof_nonce(asked, locked.question.key_sha256);
  answer.token = TRY(setup_->voucher.token(setup_->system.measured(waiting.enclave),
                                           {partition.epoch}, locked.question.key_sha384, nonce));
  answer.claims_bytes = static_cast<uint32_t>(locked.claims.size());
  answer.quote_bytes = static_cast<uint32_t>(locked.quote.size());
  std::ranges::copy(locked.claims, answer.claims.begin());
  std::ranges::copy(locked.quote, answer.quote.begin());
  return {};
}

Status Monitor::unlock(const Waiting& waiting, const KeyQuestion& question) {
  if (!question.reason.canonical()) return Error{Code::kInvalid, ""};
  auto unlock =
      control::make(control::Type::kUnlock, setup_->system.measured(waiting.enclave).enclave);
  unlock.code = question.code;
  unlock.reason = question.reason;
  unlock.blob = question.answer;
  TRY(waiting.tree.to_mos.send(waiting.tree.mos.socket, unlock));
  waiting.process.locked.reset();
  waiting.process.unlocked_at = clock_.now();
  return {};
}

void Monitor::serve_keys(const Fd& client, const KeyQuestion& question) {
  const auto answer = std::make_unique<KeyAnswer>();
  const Status done = question.magic == KeyQuestion::kMagic ? answer_keys(question, *answer)
                                                            : Status(Error{Code::kInvalid, ""});
  if (!done) answer->code = static_cast<uint32_t>(done.error().code);
  ::send(client.number(), answer.get(), sizeof *answer, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace casemate::monitor
