// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/evidence_queue.h"

#include <algorithm>
#include <utility>

namespace casemate::gateway {

EvidenceQueue::EvidenceQueue(Loop& loop, Attestor& attestor, const Bounds& bounds, Answer answer)
    : loop_(loop),
      attestor_(attestor),
      bounds_(bounds),
      answer_(std::move(answer)),
      asked_max_(bounds.asked),
      timer_(loop, [this] { wake(); }) {}

bool EvidenceQueue::waits(uint32_t connection) const {
  return std::ranges::any_of(entries_, [&](const auto& each) {
    return each.second.question.call.connection == connection && !each.second.cancelled;
  });
}

bool EvidenceQueue::has_asked(uint32_t connection) const {
  return std::ranges::any_of(entries_, [&](const auto& each) {
    return each.second.question.call.connection == connection && each.second.asked;
  });
}

Status EvidenceQueue::add(Question question) {
  if (entries_.size() >= bounds_.known)
    return Error{Code::kUnavailable, "too many clients ask for evidence at once; try again"};
  if (waits(question.call.connection))
    return Error{Code::kUnavailable,
                 "this connection waits for evidence already; ask again behind its answer"};
  const bool reusable = !question.nonce;
  const uint64_t number = next_number_++;
  Entry& entry = entries_[number];
  entry = {.question = std::move(question), .deadline = loop_.now() + bounds_.patience};
  // What others were given costs no attestation, and so need not wait for one.
  if (reusable && !has_asked(entry.question.call.connection)) {
    ask(number, entry);
  } else {
    ask_on();
  }
  set_timer();
  return {};
}

// What the attestor has keeps its place until it is answered: whoever cancels and asks again waits
// for that.
void EvidenceQueue::cancel(CallId call) {
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    Entry& entry = at->second;
    if (entry.question.call != call || entry.cancelled) continue;
    entry.cancelled = entry.asked;
    if (!entry.asked) entries_.erase(at);
    return;
  }
}

EvidenceQueue::Entries::iterator EvidenceQueue::next() {
  return std::ranges::find_if(entries_, [this](const auto& each) {
    const Entry& entry = each.second;
    return !entry.asked && !has_asked(entry.question.call.connection);
  });
}

void EvidenceQueue::ask_on() {
  if (std::exchange(asking_, true)) return;
  while (!paused_until_ && asked_ < asked_max_) {
    const auto at = next();
    if (at == entries_.end()) break;
    ask(at->first, at->second);
  }
  asking_ = false;
}

// May answer at once, and the entry is then gone.
void EvidenceQueue::ask(uint64_t number, Entry& entry) {
  entry.asked = true;
  ++asked_;
  const Question question = entry.question;
  attestor_.evidence(
      question.nonce, question.model, question.version,
      [this, number](const Result<std::vector<uint8_t>>& evidence) { done(number, evidence); });
}

void EvidenceQueue::done(uint64_t number, const Result<std::vector<uint8_t>>& evidence) {
  const auto at = entries_.find(number);
  --asked_;
  at->second.asked = false;
  const bool too_often = !evidence && evidence.error().code == Code::kUnavailable;
  if (too_often) {
    asked_too_often();
  } else {
    pause_ = kPauseMin;
    asked_max_ = std::min(asked_max_ + 1, bounds_.asked);
  }
  const bool waits_on = too_often && !at->second.cancelled && loop_.now() < at->second.deadline;
  if (!waits_on) {
    const Entry entry = std::move(at->second);
    entries_.erase(at);
    if (!entry.cancelled) answer_(entry.question.call, evidence);
  }
  ask_on();
  set_timer();
}

// All that was refused in one go counts once.
void EvidenceQueue::asked_too_often() {
  asked_max_ = 1;
  if (paused_until_) return;
  paused_until_ = loop_.now() + pause_;
  pause_ = std::min(2 * pause_, kPauseMax);
}

void EvidenceQueue::wake() {
  if (paused_until_ && *paused_until_ <= loop_.now()) paused_until_.reset();
  std::vector<CallId> late;
  std::erase_if(entries_, [&](const auto& each) {
    const Entry& entry = each.second;
    if (entry.asked || entry.deadline > loop_.now()) return false;
    late.push_back(entry.question.call);
    return true;
  });
  for (const CallId call : late)
    answer_(call,
            Error{Code::kUnavailable, "evidence is asked for too often: ask again in a second"});
  ask_on();
  set_timer();
}

// Until the pause ends, or the first of those that wait has waited long enough.
void EvidenceQueue::set_timer() {
  timer_.clear();
  const auto first =
      std::ranges::find_if(entries_, [](const auto& each) { return !each.second.asked; });
  if (first == entries_.end()) return;
  timer_.set(std::min(first->second.deadline, paused_until_.value_or(Instant::max())));
}

}  // namespace casemate::gateway
