// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/inspector.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <span>
#include <utility>

#include "base/fd.h"
#include "base/format.h"
#include "base/log.h"
#include "outside/launch/programs.h"

namespace casemate::cli {
namespace {

constexpr int kFolder = 4;     // behind the model; closed where it may read no external data
constexpr int kRefused = 64;   // + a Code: the program's exit code for a model that it refuses
constexpr int kSpareFds = 50;  // beyond those that the program gets
constexpr size_t kReasonMax = 2000;

// A regular file, open for reading.
Result<Fd> open_model(const std::string& path) {
  // Not blocking: opening a FIFO would otherwise wait for a writer.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid() && errno == ENOENT)
    return Error{Code::kNotFound, formatted("there is no file {}", path)};
  if (!fd.valid()) return errno_error("open " + path);
  struct stat facts{};
  if (::fstat(fd.number(), &facts) != 0) return errno_error("stat " + path);
  if (!S_ISREG(facts.st_mode))
    return Error{Code::kInvalid, formatted("{} is no regular file", path)};
  if (facts.st_size == 0) return Error{Code::kInvalid, formatted("{} is empty", path)};
  return fd;
}

struct Pipe {
  Fd read;
  Fd write;

  static Result<Pipe> make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("making a pipe");
    return Pipe{Fd(ends[0]), Fd(ends[1])};
  }
};

struct Child {
  pid_t pid = -1;
  Fd handle;  // readable when it has ended
  Fd out;
  Fd err;
};

// The folder that the file is in.
Result<Fd> open_folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
  Fd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("open " + folder);
  return fd;
}

// Between fork and execve: the child of a process that may have threads calls nothing that takes
// locks.
[[noreturn]] void become(const char* program, char* const* arguments, pid_t parent,
                         std::span<const int> given) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Who died before that was asked for sends nothing.
  if (::getppid() != parent) ::_exit(1);
  // Away from their places first, so that no source is overwritten. Fewer than are spare.
  int from[kFolder + 1] = {::fcntl(::open("/dev/null", O_RDONLY), F_DUPFD, kSpareFds)};
  for (size_t i = 0; i < given.size(); ++i) from[i + 1] = ::fcntl(given[i], F_DUPFD, kSpareFds);
  for (size_t i = 0; i <= given.size(); ++i) {
    if (::dup2(from[i], static_cast<int>(i)) < 0) ::_exit(1);
  }
  ::close_range(static_cast<unsigned>(given.size() + 1), ~0u, 0);
  // What the user's environment holds is nobody's business there. glibc insists on registering
  // threads for restartable sequences if it could register the first one; its filter, which comes
  // later, forbids that.
  char no_sequences[] = "GLIBC_TUNABLES=glibc.pthread.rseq=0";
  char* const environment[] = {no_sequences, nullptr};
  ::execve(program, arguments, environment);
  ::_exit(127);
}

Result<Child> start(const std::string& program, std::vector<std::string> arguments,
                    const std::optional<std::string>& model, bool external_data) {
  Fd file;
  Fd folder;
  if (model) file = TRY(open_model(*model));
  if (model && external_data) folder = TRY(open_folder_of(*model));
  Pipe out = TRY(Pipe::make());
  Pipe err = TRY(Pipe::make());
  arguments.insert(arguments.begin(), "casemate-inspect");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("starting casemate-inspect");
  if (pid == 0) {
    // In the order of their places, from 1 on.
    const int given[] = {out.write.number(), err.write.number(), file.number(), folder.number()};
    const size_t count = folder.valid() ? 4 : file.valid() ? 3 : 2;
    become(program.c_str(), pointers.data(), parent, std::span(given, count));
  }
  Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle.valid()) {
    const Error error = errno_error("watching casemate-inspect");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  return Child{pid, std::move(handle), std::move(out.read), std::move(err.read)};
}

int milliseconds_until(Instant end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - system_clock().now()).count();
  return left <= 0 ? 0 : static_cast<int>(std::min<int64_t>(left + 1, 1 << 30));
}

// Everything that it says until it ends, or until there is a reason to end it.
Result<std::pair<std::string, std::string>> listen(const Child& child, uint64_t bytes_max,
                                                   Instant end) {
  std::array<std::string, 2> said;
  std::array<pollfd, 3> sources = {pollfd{child.out.number(), POLLIN, 0},
                                   pollfd{child.err.number(), POLLIN, 0},
                                   pollfd{child.handle.number(), POLLIN, 0}};
  std::array<char, 1 << 16> buffer;
  // When it has ended and closed both, or given them to nobody, there is nothing more to come.
  while (sources[0].fd >= 0 || sources[1].fd >= 0 || sources[2].fd >= 0) {
    const int ready = ::poll(sources.data(), sources.size(), milliseconds_until(end));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return errno_error("waiting for casemate-inspect");
    if (ready == 0) return Error{Code::kTimedOut, ""};
    for (size_t i = 0; i < said.size(); ++i) {
      if (sources[i].revents == 0) continue;
      const ssize_t size = ::read(sources[i].fd, buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) sources[i].fd = -1;
      if (size > 0) said[i].append(buffer.data(), static_cast<size_t>(size));
      if (said[i].size() > bytes_max) return Error{Code::kTooLarge, ""};
    }
    if (sources[2].revents != 0) sources[2].fd = -1;
  }
  return std::pair(std::move(said[0]), std::move(said[1]));
}

// Control characters and what is beyond ASCII as '?', line by line.
std::string harmless(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines += printable(text.substr(0, end), end) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Error ended_by(int signal, const std::string& last_words, bool model) {
  const char* name = ::sigabbrev_np(signal);
  std::string text = formatted(
      "the program that looked at the {} was ended by SIG{}, behind its walls; this machine took "
      "no harm{}",
      model ? "model" : "devices", name == nullptr ? std::to_string(signal) : name,
      model ? ", and a server would refuse the model likewise" : "");
  if (signal == SIGSYS) text += " (it tried what its walls forbid, or met a bug)";
  if (signal == SIGBUS) text += " (was the file cut while it was read?)";
  if (signal == SIGKILL) text += " (was there too little memory?)";
  if (!last_words.empty()) text += ": " + last_words;
  return {Code::kPartitionFailed, std::move(text)};
}

Result<InspectorAnswer> judge(int status, std::pair<std::string, std::string> said, bool model) {
  std::string reason = printable(said.second.substr(0, said.second.find('\n')), kReasonMax);
  if (WIFSIGNALED(status)) return ended_by(WTERMSIG(status), reason, model);
  InspectorAnswer answer{.text = harmless(said.first)};
  const int code = WEXITSTATUS(status);
  if (code == 0) return answer;
  if (code < kRefused || reason.empty()) {
    return Error{Code::kPlatform,
                 formatted("casemate-inspect did not come to an answer (exit code {}){}{}", code,
                           reason.empty() ? "" : ": ", reason)};
  }
  answer.refusal = Error{code_from(static_cast<uint32_t>(code - kRefused)), std::move(reason)};
  return answer;
}

Error broken_off(const Error& why, const std::string& subject, const InspectorLimits& limits) {
  if (why.code == Code::kTimedOut) {
    return {why.code,
            formatted("{}: no answer within {:.1f} s; give it longer with --timeout SECONDS",
                      subject, std::chrono::duration<double>(limits.patience).count())};
  }
  if (why.code == Code::kTooLarge) {
    return {why.code, formatted("{}: the answer is longer than {} bytes, and was broken off",
                                subject, limits.text_bytes_max)};
  }
  return why;
}

}  // namespace

Result<InspectorAnswer> inspect(const std::string& program, const std::optional<std::string>& model,
                                const std::vector<std::string>& arguments,
                                const InspectorLimits& limits) {
  TRY(launch::check_program(program));
  const Child child = TRY(start(program, arguments, model, limits.external_data));
  auto said = listen(child, limits.text_bytes_max, system_clock().now() + limits.patience);
  if (!said) ::kill(child.pid, SIGKILL);
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0) {
    if (errno != EINTR) return errno_error("waiting for casemate-inspect");
  }
  if (!said) return broken_off(said.error(), model.value_or("the devices"), limits);
  return judge(status, *std::move(said), model.has_value());
}

}  // namespace casemate::cli
