// SPDX-License-Identifier: Apache-2.0
// SAFETY: clone without CLONE_VM is fork. The template has one thread (Program::start must leave
// none behind), so the child may run anything; libc's own fork handlers are skipped, which is why
// allocators' locks must be free: they are, with one thread and no allocation in progress.
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
// The only flags that the filters let through.
constexpr unsigned long kInstance = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
static_assert(kInstance == 0x7e020011, "the policies name this number");

Status become_instance(const Frame& frame, Fd control) {
  if (::dup2(control.number(), kControl) < 0) return errno_error("taking the control socket");
  control.reset();
  TRY(lockdown::close_from(frame.inherited_fds));
  TRY(lockdown::drop_capabilities());
  return lockdown::apply(frame.instance);
}

[[noreturn]] void run_instance(Program& program, const Frame& frame, Fd control,
                               const control::Message& manifest) {
  const Status locked = become_instance(frame, std::move(control));
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

// Makes an instance with the control socket that came with the request.
Status fork_instance(Program& program, const Frame& frame, control::Received& request,
                     const control::Message& manifest) {
  if (request.fds.size() != 1)
    return Error{Code::kInvalid, "a fork request came without a control socket"};
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  const long child = ::syscall(SYS_clone, kInstance, nullptr, nullptr, nullptr, 0);
  if (child == 0) run_instance(program, frame, std::move(request.fds[0]), manifest);
  if (child < 0) return errno_error("forking an instance");
  return {};
}

}  // namespace

int run_template(Program& program, const Frame& frame) {
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
  while (true) {
    auto received = control.receive(-1);
    if (!received) return received.error().code == Code::kPartitionFailed ? 0 : 3;
    if (received->type() == control::Type::kStop) return 0;
    if (received->type() != control::Type::kFork || !started) continue;
    if (const Status forked = fork_instance(program, frame, *received, manifest); !forked)
      log("{}", forked.error().text);
  }
}

}  // namespace casemate::enclave
