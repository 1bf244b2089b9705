// SPDX-License-Identifier: Apache-2.0
#pragma once
// Drafts: answers whose text takes long to write. One of them grows at a time, by a bounded part in
// each round of the loop, so that whoever else is ready gets a turn in between. What is whole after
// one part waits for nothing, and short answers are written at once, also while a draft grows.
//
//   short:  room() -> written          long:  Draft -> room(draft), round after round -> written
//
// Connections take turns, so that a client with many such answers delays its own.
//
//   Owns     the order of the drafts; a Draft its text. A draft that goes away, for whatever
//            reason, makes way for the next.
//   Threads  one, the loop's.
//   Trust    sizes are a model's and a client's. What waits is bounded by the slots of channels: 64
//            on one, each with kPerRound of text at most; of what grows there is one.
//   Fails    never.

#include <cstdint>
#include <map>
#include <vector>

#include "isolated/gateway/http/loop.h"
#include "isolated/gateway/http/message.h"
#include "isolated/gateway/protocol/inference_response.h"

namespace casemate::gateway {

class Draft;

class Drafts final {
 public:
  // Text of all short answers in one round, but for those of whoever has had none in it, and as
  // much again of drafts: 1 ms each, by an estimate that nothing here measures.
  static constexpr size_t kPerRound = 128 << 10;
  // An answer that is expected to be longer is a draft: 3,000 numbers are not.
  static constexpr size_t kShort = 32 << 10;

  explicit Drafts(const Loop& loop) : loop_(loop) {}

  // How much text a short answer that comes from there, or that draft, may get now; 0: none in this
  // round. A short one gets more than it is expected to need, or none: whoever asks for many may
  // neither cut it nor keep it from its turn.
  [[nodiscard]] size_t room(const void* origin);
  [[nodiscard]] size_t room(const Draft& draft);
  void wrote(const Draft* draft, size_t bytes);

 private:
  friend class Draft;
  void renew();
  void add(const Draft& draft);
  void remove(const Draft& draft);

  const Loop& loop_;
  std::map<CallId, const Draft*> drafts_;
  const Draft* growing_ = nullptr;  // one of them, as long as there are any
  Instant round_{};
  std::vector<const void*> served_;  // origins that had room in this round
  size_t short_bytes_ = 0;           // in this round
  size_t grown_bytes_ = 0;
};

class Draft final {
 public:
  // What `begun` has written so far is its beginning. Requires: the call has no other draft.
  Draft(Drafts& drafts, CallId call, ResponseWriter begun)
      : writer(std::move(begun)), drafts_(drafts), call_(call) {
    drafts_.add(*this);
  }
  ~Draft() { drafts_.remove(*this); }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  ResponseWriter writer;

 private:
  friend class Drafts;
  Drafts& drafts_;
  const CallId call_;
};

}  // namespace casemate::gateway
