// SPDX-License-Identifier: Apache-2.0
// SAFETY: clone without CLONE_VM is fork. The template has one thread (Program::start must leave
// none behind), so the child may run anything; libc's own fork handlers are skipped, which is why
// allocators' locks must be free: they are, with one thread and no allocation in progress. The
// child's copy of the memory has a stack that the template does not use; it never returns from
// there. Addresses of pieces from malloc are compared as numbers, and read through by nobody.
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "base/log.h"
#include "base/mapping.h"
#include "isolated/enclave/enclave.h"
#include "isolated/enclave/handover.h"

namespace casemate::enclave {
namespace {

constexpr int kControl = 3;
constexpr int kManifestPatienceMs = 10'000;
// A dying instance closes its socket, which asks for the next one, a moment before it is gone; with
// much memory or many threads the moment is longer.
constexpr int kEndMs = 2000;
// After one was used, before the next is made: what has just started is served first.
constexpr int kPauseMs = 50;
// After one could not be made.
constexpr int kAgainMs = 1000;
// Between looks that no signal asked for.
constexpr Duration kLook = std::chrono::seconds(10);
// The only flags that the filters let through.
constexpr int kInstance = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                          CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
static_assert(kInstance == 0x7e020011, "the policies name this number");

// Of a spare's stack: all, as much as any thread has; what it has used when it serves; what nobody
// may touch.
constexpr size_t kStack = 8 << 20;
constexpr size_t kWarm = 32 << 10;
constexpr size_t kGuard = 4 << 10;

using Word = Handover::Word;

// The descriptors that came with the request take their places: they were received in ascending
// order, each beyond its own.
Status become_instance(const Frame& frame, const std::vector<Fd>& fds) {
  for (size_t i = 0; i < fds.size(); ++i) {
    if (::dup2(fds[i].number(), kControl + static_cast<int>(i)) < 0)
      return errno_error("taking what came with the request");
  }
  TRY(lockdown::close_from(kControl + frame.fds));
  if (frame.foreign) return {};
  return lockdown::apply(frame.instance);
}

[[noreturn]] void end(const Status& done) {
  // That nobody is there any more who could ask something of it is how most end.
  if (!done && done.error().code != Code::kPartitionFailed) log("{}", done.error().text);
  ::_exit(done ? 0 : 3);
}

struct Birth {
  Program& program;
  const Frame& frame;
  const control::Socket& control;  // the template's
  const control::Message& manifest;
  MutableBytes stack;  // of spares
};

Status run_instance(const Birth& birth, const std::vector<Fd>& fds, uint32_t end_before) {
  TRY(become_instance(birth.frame, fds));
  control::Socket socket{Fd(kControl)};
  auto running = control::make(control::Type::kRunning, EnclaveId{birth.manifest.enclave});
  running.flags = end_before;
  TRY(socket.send(running));
  return birth.program.run(std::move(socket), birth.manifest);
}

// The next request for an instance; nothing: no further one will come.
Result<std::optional<control::Received>> next_request(const Birth& birth) {
  while (true) {
    auto received = birth.control.receive(-1);
    if (!received && received.error().code != Code::kPartitionFailed) return received.error();
    if (!received || received->type() == control::Type::kStop)
      return std::optional<control::Received>();
    if (received->type() != control::Type::kFork) continue;
    if (received->fds.size() != static_cast<size_t>(birth.frame.fds))
      return Error{Code::kInvalid, "a fork request came without what an instance needs"};
    return std::optional(std::move(*received));
  }
}

// The life of an instance from its birth, which is before anybody wants it: it takes the next
// request off the template's control socket, says so, and serves when its predecessor has ended.
Status run_spare(const Birth& birth, const Handover& handover) {
  ::signal(SIGCHLD, SIG_DFL);
  TRY(lockdown::drop_capabilities());
  auto request = TRY(next_request(birth));
  if (!request) {
    handover.say(Word::kOver);
    return {};
  }
  handover.say(Word::kTaken);
  while (handover.wait_while(Word::kTaken, kLook) == Word::kTaken) {
  }
  const uint32_t end_before = handover.end_before();
  handover.leave();
  return run_instance(birth, request->fds, end_before);
}

// Waits for the end of the instance before, whose successor is asked for.
bool ended(pid_t instance, int& status) {
  const timespec pause{0, 100'000};
  for (int i = 0; instance > 0 && ::waitpid(instance, &status, WNOHANG) == 0; ++i) {
    if (i == kEndMs * 10) return false;
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

struct Spare {
  Handover handover;
  pid_t pid;
};

// Between the two sides of the spare that waits; where a signal's handler finds it.
std::atomic<const Handover*> waiting = nullptr;

// The end of a child ends the wait for its word, or the one that is about to begin.
void on_end_of_child(int) {
  if (const Handover* handover = waiting) handover->replace(Word::kWaiting, Word::kLook);
}

// kWaiting: it died before anybody wanted it.
Word fate_of(const Spare& spare) {
  waiting = &spare.handover;
  Word word = Word::kWaiting;
  while (true) {
    // In this order: an end before the handler knew where to tell it is seen by the look, a later
    // one leaves kLook for the wait.
    spare.handover.replace(Word::kLook, Word::kWaiting);
    if (::waitpid(spare.pid, nullptr, WNOHANG) == spare.pid) break;
    word = spare.handover.wait_while(Word::kWaiting, kLook);
    if (word != Word::kWaiting && word != Word::kLook) break;
    word = Word::kWaiting;
  }
  waiting = nullptr;
  return word;
}

// What a spare finds on its template's stack, where it reads and does not write.
struct Cradle {
  const Birth& birth;
  const Handover& handover;
};

// Where a spare begins. The part of its stack that it will use is made in one go.
int live(void* cradle) {
  const auto& [birth, handover] = *static_cast<const Cradle*>(cradle);
  const MutableBytes warm = birth.stack.last(kWarm);
  ::madvise(warm.data(), warm.size(), MADV_POPULATE_WRITE);
  end(run_spare(birth, handover));
}

Result<Spare> make_spare(const Birth& birth) {
  Handover handover = TRY(Handover::make());
  Cradle cradle{birth, handover};
  const int child = ::clone(live, birth.stack.data() + birth.stack.size(), kInstance, &cradle);
  if (child < 0) return errno_error("forking an instance");
  return Spare{std::move(handover), child};
}

// True when a request came within `patience_ms`, or was there.
bool asked(const Birth& birth, int patience_ms) {
  pollfd control{birth.control.fd(), POLLIN, 0};
  return ::poll(&control, 1, patience_ms) == 1;
}

// Makes one instance after another, the first when it is asked for, the others ahead of need, until
// nobody asks any more.
Status make_instances(const Birth& birth) {
  struct sigaction wake{};
  wake.sa_handler = on_end_of_child;
  ::sigaction(SIGCHLD, &wake, nullptr);
  bool wanted = asked(birth, -1);
  pid_t instance = -1;
  while (true) {
    const auto spare = make_spare(birth);
    if (!spare) {
      // Nobody has asked for it yet, and the one that serves may have used up what it needs.
      if (wanted) return spare.error();
      log("no instance is kept in reserve: {}", spare.error().text);
      wanted = asked(birth, kAgainMs);
      continue;
    }
    const Word fate = fate_of(*spare);
    if (fate == Word::kOver) return {};
    if (fate == Word::kTaken) {
      // It plays dead: it ends with this process, the first of its PID namespace's parent.
      int status = 0;
      if (!ended(instance, status))
        return Error{Code::kPartitionFailed, "an instance does not end"};
      spare->handover.let_go(instance > 0 ? std::optional(status) : std::nullopt);
      instance = spare->pid;
    }
    wanted = asked(birth, kPauseMs);
  }
}

// The one instance of a template that runs what is not ours.
Status make_one(const Birth& birth) {
  const auto request = TRY(next_request(birth));
  if (!request) return {};
  const long child = ::syscall(SYS_clone, kInstance, nullptr, nullptr, nullptr, 0);
  if (child < 0) return errno_error("forking an instance");
  if (child == 0) {
    if (const Status dropped = lockdown::drop_capabilities(); !dropped) end(dropped);
    end(run_instance(birth, request->fds, 0));
  }
  while (::waitpid(static_cast<pid_t>(child), nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

// What a template has freed while it loaded are holes all over its heap, and an instance that took
// its memory from them would copy a page for nearly every piece. They are filled, for good, so that
// the heap of an instance begins where the template's ends.
void fill_holes() {
  constexpr size_t kLargest = 64 << 10;
  constexpr size_t kKept = 1032;  // up to here malloc keeps pieces that are freed for the next
  ::malloc_trim(0);
  const struct mallinfo2 heap = ::mallinfo2();
  const auto end = reinterpret_cast<uintptr_t>(::sbrk(0)) - heap.keepcost;
  size_t left = heap.arena;
  for (size_t size = kLargest; size > 0; size -= 16) {
    while (true) {
      void* const piece = std::malloc(size);
      const bool hole = reinterpret_cast<uintptr_t>(piece) < end;
      if (!hole && size > kKept) std::free(piece);
      if (!hole || left < size) break;
      left -= size;
    }
  }
}

// On the template's stack, a spare would copy one page after another.
Result<Mapping> make_stack() {
  Mapping stack = TRY(Mapping::anonymous(kStack));
  if (::mprotect(stack.data(), kGuard, PROT_NONE) != 0) return errno_error("guarding a stack");
  return stack;
}

// One that could not load answers nobody; it is ended from outside.
int refuse(const control::Socket& control, const Error& error, const control::Message& manifest) {
  auto refusal = control::make(control::Type::kRefused, EnclaveId{manifest.enclave});
  refusal.code = static_cast<uint32_t>(error.code);
  refusal.reason = Text<256>::from(printable(error.text, 255));
  if (!control.send(refusal)) return 3;
  while (true) {
    const auto received = control.receive(-1);
    if (!received || received->type() == control::Type::kStop) return 0;
  }
}

}  // namespace

int run_template(Program& program, const Frame& frame) {
  const control::Socket control{Fd(kControl)};
  if (!lockdown::make_undumpable()) return 3;
  if (!frame.foreign && !lockdown::apply(lockdown::Filter::kTemplate)) return 3;
  auto hello = control.receive(kManifestPatienceMs);
  if (!hello || hello->type() != control::Type::kManifest) return 3;
  const control::Message manifest = hello->message;
  ::tzset();  // libc looks for the time zone's file once; an instance may not
  if (const Status unlocked = program.unlock(control, manifest); !unlocked)
    return refuse(control, unlocked.error(), manifest);
  if (const Status started = program.start(manifest); !started)
    return refuse(control, started.error(), manifest);
  if (!frame.foreign && !lockdown::apply(lockdown::Filter::kSealed)) return 3;
  fill_holes();
  if (const Status prepared = program.prepare(); !prepared)
    return refuse(control, prepared.error(), manifest);
  if (!control.send(control::make(control::Type::kReady, EnclaveId{manifest.enclave}))) return 3;
  const auto stack = make_stack();
  if (!stack) return 3;
  const Birth birth{program, frame, control, manifest, stack->bytes()};
  const Status made = frame.foreign ? make_one(birth) : make_instances(birth);
  if (!made) log("{}", made.error().text);
  return made ? 0 : 3;
}

}  // namespace casemate::enclave
