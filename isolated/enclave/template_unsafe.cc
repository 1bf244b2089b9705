// SPDX-License-Identifier: Apache-2.0
// SAFETY: clone without CLONE_VM is fork. The template has one thread (Program::start must leave
// none behind), so the child may run anything; libc's own fork handlers are skipped, which is why
// allocators' locks must be free: they are, with one thread and no allocation in progress.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include "base/log.h"
#include "isolated/enclave/enclave.h"

namespace casemate::enclave {
namespace {

constexpr int kControl = 3;
constexpr int kManifestPatienceMs = 10'000;
// A dying instance closes its socket, which asks for the next one, a moment before it is gone; with
// much memory or many threads the moment is longer.
constexpr int kEndMs = 2000;
// The only flags that the filters let through.
constexpr unsigned long kInstance = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
static_assert(kInstance == 0x7e020011, "the policies name this number");

// Where a debug enclave says what goes wrong; closed in all others.
int error_output() { return ::fcntl(STDERR_FILENO, F_GETFD) >= 0 ? STDERR_FILENO : -1; }

Status become_instance(const Frame& frame, const std::vector<Fd>& fds, int errors) {
  // They were received in ascending order: each lies beyond its place, or below all places.
  for (size_t i = 0; i < fds.size(); ++i) {
    if (::dup2(fds[i].number(), kControl + static_cast<int>(i)) < 0)
      return errno_error("taking what came with the request");
  }
  // What lies below is the template's, or has just been put into its place.
  for (int fd = 0; fd < kControl; ++fd) {
    if (fd != errors) ::close(fd);
  }
  TRY(lockdown::close_from(kControl + frame.fds));
  TRY(lockdown::drop_capabilities());
  return lockdown::apply(frame.instance);
}

[[noreturn]] void run_instance(Program& program, const Frame& frame, const std::vector<Fd>& fds,
                               const control::Message& manifest, int errors) {
  const Status locked = become_instance(frame, fds, errors);
  if (!locked) {
    log("{}", locked.error().text);
    ::_exit(3);
  }
  control::Socket socket{Fd(kControl)};
  const Status said =
      socket.send(control::make(control::Type::kRunning, EnclaveId{manifest.enclave}));
  const Status done = said ? program.run(std::move(socket), manifest) : said;
  if (!done) log("{}", done.error().text);
  ::_exit(done ? 0 : 3);
}

// Waits for the end of the instance before, whose successor is asked for.
bool ended(pid_t instance) {
  const timespec pause{0, 100'000};
  for (int i = 0; instance > 0 && ::waitpid(instance, nullptr, WNOHANG) == 0; ++i) {
    if (i == kEndMs * 10) return false;
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

// Makes an instance with what came with the request.
Result<pid_t> fork_instance(Program& program, const Frame& frame, control::Received& request,
                            const control::Message& manifest, int errors) {
  if (request.fds.size() != static_cast<size_t>(frame.fds))
    return Error{Code::kInvalid, "a fork request came without what an instance needs"};
  const long child = ::syscall(SYS_clone, kInstance, nullptr, nullptr, nullptr, 0);
  if (child == 0) run_instance(program, frame, request.fds, manifest, errors);
  if (child < 0) return errno_error("forking an instance");
  return static_cast<pid_t>(child);
}

}  // namespace

int run_template(Program& program, const Frame& frame) {
  const int errors = error_output();  // before anything takes its number
  const control::Socket control{Fd(kControl)};
  if (!lockdown::make_undumpable() || !lockdown::apply(lockdown::Filter::kTemplate)) return 3;
  auto hello = control.receive(kManifestPatienceMs);
  if (!hello || hello->type() != control::Type::kManifest) return 3;
  const control::Message manifest = hello->message;
  ::tzset();  // libc looks for the time zone's file once; an instance may not
  const Status started = program.start(manifest);
  if (!started) {
    auto refusal = control::make(control::Type::kRefused, EnclaveId{manifest.enclave});
    refusal.code = static_cast<uint32_t>(started.error().code);
    refusal.reason = Text<256>::from(printable(started.error().text, 255));
    if (!control.send(refusal)) return 3;
  } else if (!lockdown::apply(lockdown::Filter::kSealed) ||
             !control.send(control::make(control::Type::kReady, EnclaveId{manifest.enclave}))) {
    return 3;
  }
  pid_t instance = -1;
  while (true) {
    auto received = control.receive(-1);
    if (!received) return received.error().code == Code::kPartitionFailed ? 0 : 3;
    if (received->type() == control::Type::kStop) return 0;
    if (received->type() != control::Type::kFork || !started) continue;
    // It plays dead: it ends with this process, the first of its PID namespace's parent.
    if (!ended(instance)) return 3;
    const auto forked = fork_instance(program, frame, *received, manifest, errors);
    instance = forked ? *forked : -1;
    if (!forked) log("{}", forked.error().text);
  }
}

}  // namespace casemate::enclave
