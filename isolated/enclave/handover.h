// SPDX-License-Identifier: Apache-2.0
#pragma once
// Handover: one word between a template and the instance that it has forked ahead of need.
//
//   spare                          template
//   kWaiting  --- a request came --> kTaken
//   kTaken   <-- its predecessor has ended --- kGo
//   kWaiting  --- nobody asks any more --> kOver
//   kWaiting  <-- a child of the template has ended --> kLook
//
//   Owns     a page that both share. The spare leaves it before it serves.
//   Threads  one on each side.
//   Trust    both sides are the template's own code: the spare has read nothing but its request.
//   Fails    make returns kPlatform.

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/result.h"

namespace casemate::enclave {

class Handover final {
 public:
  enum class Word : uint32_t { kWaiting, kTaken, kGo, kOver, kLook };

  static Result<Handover> make();
  Handover(Handover&& other) noexcept;
  Handover& operator=(Handover&&) = delete;
  ~Handover();

  void say(Word word) const;
  // kGo, and how the predecessor ended, as of waitpid(); nothing: there was none.
  void let_go(std::optional<int> end) const;
  // The same as Message::flags of kRunning. Requires: the word is kGo.
  [[nodiscard]] uint32_t end_before() const;
  // In the spare: unmaps its page, which is the template's alone from then on. Requires: the spare
  // uses this object no more.
  void leave() const;
  // Says `to` if the word is `from`, and wakes nobody. A signal handler may call it.
  void replace(Word from, Word to) const;
  // What the word is once it is not `word` any more, or still, after `patience` or a signal.
  [[nodiscard]] Word wait_while(Word word, Duration patience) const;

 private:
  explicit Handover(void* page) : page_(page) {}
  void* page_;
};

}  // namespace casemate::enclave
