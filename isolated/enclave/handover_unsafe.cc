// SPDX-License-Identifier: Apache-2.0
// SAFETY: the word is a lock-free std::atomic_ref at the start of a page that this object mapped
// and unmaps once: a spare, whose copy of the object nobody destroys, by leave(). The number behind
// it is written before the word says so, and read after.
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <utility>

#include "isolated/enclave/handover.h"
#include "wire/control/control.h"

namespace casemate::enclave {
namespace {

constexpr size_t kPage = 4096;

std::atomic_ref<uint32_t> word_of(void* page) {
  return std::atomic_ref<uint32_t>(*static_cast<uint32_t*>(page));
}

}  // namespace

Result<Handover> Handover::make() {
  void* page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return errno_error("making a page for the next instance");
  return Handover(page);
}

Handover::Handover(Handover&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}

Handover::~Handover() {
  if (page_ != nullptr) ::munmap(page_, kPage);
}

void Handover::say(Word word) const {
  word_of(page_).store(static_cast<uint32_t>(word), std::memory_order_release);
  ::syscall(SYS_futex, page_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void Handover::leave() const { ::munmap(page_, kPage); }
void Handover::let_go(std::optional<int> end) const {
  static_cast<uint32_t*>(page_)[1] =
      end ? control::Message::kEnded | static_cast<uint32_t>(*end) : 0;
  say(Word::kGo);
}

uint32_t Handover::end_before() const { return static_cast<const uint32_t*>(page_)[1]; }

void Handover::replace(Word from, Word to) const {
  auto expected = static_cast<uint32_t>(from);
  word_of(page_).compare_exchange_strong(expected, static_cast<uint32_t>(to));
}

Handover::Word Handover::wait_while(Word word, Duration patience) const {
  const auto seen = static_cast<uint32_t>(word);
  const auto count = patience.count();
  const timespec relative{count / 1'000'000'000, count % 1'000'000'000};
  if (word_of(page_).load(std::memory_order_acquire) == seen)
    ::syscall(SYS_futex, page_, FUTEX_WAIT, seen, &relative, nullptr, 0);
  return static_cast<Word>(word_of(page_).load(std::memory_order_acquire));
}

}  // namespace casemate::enclave
