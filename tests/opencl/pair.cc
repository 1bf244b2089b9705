// SPDX-License-Identifier: Apache-2.0
#include "tests/opencl/pair.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "isolated/driver/opencl/server/serve.h"
#include "tests/opencl/lockstep/serve.h"
#include "wire/control/control.h"
#include "wire/srpc/stream_pair.h"

namespace casemate::opencl {
namespace {

constexpr int kSocket = 3;

[[noreturn]] void serve_device(srpc::StreamEnd end, const PairOptions& options) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  log_as("device");
  auto callee = srpc::Callee::make(std::move(end));
  const auto chosen = device(options.device);
  if (!callee || !chosen) {
    log("{}", !callee ? callee.error().text : chosen.error().text);
    ::_exit(3);
  }
  if (options.lockstep) {
    lockstep::serve(*callee, *chosen, {.memory_bytes = options.memory_bytes});
    ::_exit(0);
  }
  uint64_t calls = 0;
  const Status served = serve(*callee, *chosen, {.memory_bytes = options.memory_bytes}, [&] {
    return options.calls_max == 0 || calls++ < options.calls_max;
  });
  if (!served) log("{}", served.error().text);
  ::_exit(served ? 0 : 3);
}

[[noreturn]] void become(const std::vector<std::string>& command, const std::string& output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!output.empty()) {
    const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || ::dup2(file, 1) < 0) ::_exit(127);
  }
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  log("{}: {}", command[0], errno_error("execve").text);
  ::_exit(127);
}

int end_of(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// A folder with the one file that tells the loader of our library.
Result<std::string> vendors(const std::string& library) {
  std::string folder = "/tmp/casemate-opencl-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return errno_error("making a folder");
  std::ofstream(folder + "/casemate.icd") << library << "\n";
  return folder;
}

}  // namespace

Result<int> run_natively(const std::vector<std::string>& command, const std::string& output) {
  const pid_t program = ::fork();
  if (program == 0) become(command, output);
  if (program < 0) return errno_error("fork");
  return end_of(program);
}

Result<int> run_pair(const std::vector<std::string>& command, const PairOptions& options) {
  auto pair = TRY(srpc::StreamPair::make(StreamId{1}, Epoch{1},
                                         {.slots = limits::kStreamSlots,
                                          .bulk_in_bytes = options.bulk_bytes,
                                          .bulk_out_bytes = options.bulk_bytes}));
  auto callee = TRY(pair.callee_end());
  const std::string folder = TRY(vendors(options.driver));
  const pid_t server = ::fork();
  if (server == 0) serve_device(std::move(callee), options);
  if (server < 0) return errno_error("fork");
  auto sockets = TRY(control::Socket::pair());
  auto message = control::connect_message(TRY(pair.caller_end()), control::Role::kCaller, {});
  std::vector<int> numbers;
  for (const Fd& fd : message.fds) numbers.push_back(fd.number());
  const control::Socket socket(std::move(sockets[0]));
  TRY(socket.send(message.message, numbers));
  const pid_t program = ::fork();
  if (program == 0) {
    ::dup2(sockets[1].number(), kSocket);
    if (sockets[1].number() == kSocket) ::fcntl(kSocket, F_SETFD, 0);
    ::setenv("CASEMATE_OPENCL_SOCKET", std::to_string(kSocket).c_str(), 1);
    ::setenv("OCL_ICD_VENDORS", folder.c_str(), 1);
    become(command, options.output);
  }
  int code = 0;
  if (program > 0 && options.calls_max != 0) {
    // The monitor's part: the server's end is the stream's.
    end_of(server);
    pair.revoke();
    code = end_of(program);
  } else {
    code = program < 0 ? 127 : end_of(program);
    pair.revoke();
    end_of(server);
  }
  std::filesystem::remove_all(folder);
  return code;
}

}  // namespace casemate::opencl
