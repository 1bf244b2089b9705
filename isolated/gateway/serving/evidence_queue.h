// SPDX-License-Identifier: Apache-2.0
#pragma once
// EvidenceQueue: who waits for evidence that an Attestor makes only so often.
//
//   add -> waiting, first come first served -> asked -> answered
//                          ^                     |
//                          `---- too often ------'
//
// A connection has one question at a time, so that one client cannot use up what there is. When the
// attestor says kUnavailable, which the monitor does beyond its rate, nothing is asked for a while
// and then one at a time, until that succeeds again.
//
//   Owns     the questions that wait.
//   Threads  one, the loop's.
//   Trust    questions are clients'; they are bounded in number and in time.
//   Fails    add() with kUnavailable; afterwards through Answer, kUnavailable after `patience`.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "isolated/gateway/http/loop.h"
#include "isolated/gateway/http/message.h"
#include "isolated/gateway/serving/attestor.h"

namespace casemate::gateway {

class EvidenceQueue final {
 public:
  struct Question {
    CallId call;
    std::optional<Nonce> nonce;
    std::string model;
    std::string version;
  };
  struct Bounds {
    uint32_t asked;  // at the attestor at once
    uint32_t known;  // those, and those that wait
    Duration patience;
  };
  using Answer = std::function<void(CallId call, const Result<std::vector<uint8_t>>& evidence)>;

  EvidenceQueue(Loop& loop, Attestor& attestor, const Bounds& bounds, Answer answer);

  // Answers it once, now or later, unless it is cancelled.
  Status add(Question question);
  void cancel(CallId call);

 private:
  struct Entry {
    Question question;
    Instant deadline{};
    bool asked = false;      // the attestor has it
    bool cancelled = false;  // and yet the attestor still has it
  };
  using Entries = std::map<uint64_t, Entry>;  // by the order in which they came

  // Between a refusal and the next try: doubled while refusals go on, up to where the monitor has
  // as many attestations again as it grants at once.
  static constexpr Duration kPauseMin = std::chrono::milliseconds(50);
  static constexpr Duration kPauseMax = std::chrono::seconds(2);

  // Somebody there still wants an answer.
  [[nodiscard]] bool waits(uint32_t connection) const;
  // The attestor has a question of theirs, wanted or not.
  [[nodiscard]] bool has_asked(uint32_t connection) const;
  Entries::iterator next();
  void ask_on();
  void ask(uint64_t number, Entry& entry);
  void done(uint64_t number, const Result<std::vector<uint8_t>>& evidence);
  void asked_too_often();
  void wake();
  void set_timer();

  Loop& loop_;
  Attestor& attestor_;
  const Bounds bounds_;
  Answer answer_;
  Entries entries_;
  uint64_t next_number_ = 0;
  uint32_t asked_ = 0;
  uint32_t asked_max_;
  bool asking_ = false;
  Duration pause_ = kPauseMin;
  std::optional<Instant> paused_until_;
  Loop::Timer timer_;
};

}  // namespace casemate::gateway
