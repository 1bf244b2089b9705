// SPDX-License-Identifier: Apache-2.0
// casemate run: an unmodified OpenCL program in one partition, its accelerator in another.
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <sstream>

#include "base/format.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory_file.h"
#include "outside/cli/commands.h"
#include "outside/cli/order.h"
#include "outside/launch/describe_run.h"
#include "outside/launch/programs.h"
#include "outside/launch/start.h"

namespace casemate::cli {
namespace {

using program::Ending;
using program::Report;

struct RunFlags {
  launch::RunSettings settings;
  std::vector<std::string> files;
  std::vector<std::string> environment;
  std::vector<std::string> command;
  bool verbose = false;
};

constexpr int kSignalled = 128;  // as shells say it: and the signal's number
constexpr off_t kSaidMax = 16 << 10;
constexpr int kLookMs = 250;

// SOURCE or SOURCE:TARGET.
launch::Placed placed(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return {text, ""};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

// What the user says of a variable stands for what we would.
program::Order order_of(const RunFlags& flags, const launch::DescribedRun& described) {
  // A heap that gives memory back pays for it again page by page, natively as here. A native
  // program seldom does: its OpenCL driver's memory, which is in another partition here, lies above
  // its own.
  constexpr const char* kKeepHeap =
      "GLIBC_TUNABLES=glibc.malloc.trim_threshold=268435456:glibc.malloc.mmap_threshold=33554432";
  program::Order order{.path = described.path, .words = flags.command, .environment = {}};
  order.environment = flags.environment;
  for (std::string ours :
       {std::string("PATH=/usr/bin:/bin"), std::string("HOME=/tmp"), std::string("LC_ALL=C"),
        std::string(kKeepHeap), "LD_LIBRARY_PATH=" + described.search_path,
        std::string("CASEMATE_OPENCL_SOCKET=3")}) {
    const std::string_view name = std::string_view(ours).substr(0, ours.find('=') + 1);
    if (std::ranges::none_of(flags.environment,
                             [&](const std::string& given) { return given.starts_with(name); }))
      order.environment.push_back(std::move(ours));
  }
  return order;
}

// The last that the monitor said, for whom it concerns now.
void repeat(const Fd& said, std::ostream& err) {
  const off_t size = ::lseek(said.number(), 0, SEEK_END);
  std::string text(static_cast<size_t>(std::min(size, kSaidMax)), '\0');
  const ssize_t got =
      ::pread(said.number(), text.data(), text.size(), std::max<off_t>(size - kSaidMax, 0));
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) err << printable(line) << "\n";
}

Result<int> exit_code_of(const Report& report, const RunFlags& flags) {
  if (report.device_lost != 0) {
    log("{} failed while the program ran; --verbose --debug shows what its partition says",
        flags.settings.device);
  }
  switch (static_cast<Ending>(report.ending)) {
    case Ending::kExited:
      return static_cast<int>(report.value & 0xff);
    case Ending::kKilled:
      return kSignalled + static_cast<int>(report.value & 0x7f);
    case Ending::kNotStarted:
      return Error{Code::kInvalid,
                   formatted("{}: cannot be executed in its jail ({})", flags.command[0],
                             ::strerror(static_cast<int>(report.value)))};
    case Ending::kNoDevice:
      break;
  }
  return Error{Code::kPartitionFailed,
               formatted("{} did not start; --verbose shows what its partition says",
                         flags.settings.device)};
}

// What never came to life, or died, reports nothing: the monitor knows.
bool given_up(const launch::RunningSystem& system) {
  const auto status = launch::ask(system.socket_path(), operating::Command::kStatus);
  if (!status || (*status)->enclave_count == 0) return false;
  const auto state = static_cast<operating::State>((*status)->enclaves[0].state);
  return state == operating::State::kGivenUp || state == operating::State::kRefused;
}

// Waits for the program's end, or for a signal, which ends it.
Result<int> wait_for_report(const launch::RunningSystem& system, const Fd& reports,
                            const sigset_t& signals, const RunFlags& flags) {
  const Fd signal_source(::signalfd(-1, &signals, SFD_CLOEXEC));
  std::array<pollfd, 2> sources = {pollfd{reports.number(), POLLIN, 0},
                                   pollfd{signal_source.number(), POLLIN, 0}};
  while (::poll(sources.data(), sources.size(), kLookMs) <= 0 && !given_up(system)) {
  }
  signalfd_siginfo signal{};
  if (sources[0].revents == 0 && ::read(signal_source.number(), &signal, sizeof signal) > 0)
    return kSignalled + static_cast<int>(signal.ssi_signo);
  Report report;
  if (::recv(reports.number(), &report, sizeof report, MSG_DONTWAIT) == sizeof report)
    return exit_code_of(report, flags);
  return Error{Code::kPartitionFailed,
               "the program's partition ended before the program did; it may have needed more "
               "memory than --program-memory-mib allows; --verbose shows what the monitor says"};
}

Result<int> run_program(const RunFlags& flags, const sigset_t& signals, const Fd& said) {
  const std::string programs = TRY(launch::program_folder());
  launch::RunSettings settings = flags.settings;
  settings.program = flags.command[0];
  for (const std::string& file : flags.files) settings.files.push_back(placed(file));
  const auto described = TRY(launch::describe_run(settings, programs));
  auto door = TRY(OrderSocket::pair());
  auto report = TRY(OrderSocket::pair());
  const std::array<int, program::Order::kFds> given = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO,
                                                       report[1].number()};
  TRY(OrderSocket::send(door[0], order_of(flags, described), given));
  auto system = TRY(launch::RunningSystem::start(*described.description, door[1], programs,
                                                 {.monitor = said.number()}));
  report[1].reset();
  door[1].reset();
  const auto code = wait_for_report(system, report[0], signals, flags);
  TRY(system.stop());
  return code;
}

int run(const RunFlags& flags, Streams streams) {
  log_as("run");
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  Fd said;
  if (!flags.verbose) {
    auto made = make_memory_file("log");
    if (!made) return fail(made.error(), streams);
    said = std::move(*made);
  }
  const auto code = run_program(flags, signals, said);
  if (code) return *code;
  if (said.valid()) repeat(said, streams.err);
  return fail(code.error(), streams);
}

}  // namespace

Run add_run(CLI::App& app) {
  auto flags = std::make_shared<RunFlags>();
  launch::RunSettings& s = flags->settings;
  app.add_option("--device", s.device, "the accelerator: opencl:0 is the first of this machine")
      ->capture_default_str();
  app.add_option("--file", flags->files,
                 "a file that the program opens, and where (SOURCE or SOURCE:TARGET); repeat it")
      ->allow_extra_args(false);
  app.add_option("--env", flags->environment, "NAME=VALUE for the program; repeat it")
      ->allow_extra_args(false);
  app.add_option("--memory-mib", s.memory_mib, "of the device's partition")
      ->check(CLI::Range(256u, 1u << 20))
      ->capture_default_str();
  app.add_option("--program-memory-mib", s.program_memory_mib, "of the program's partition")
      ->check(CLI::Range(64u, 1u << 20))
      ->capture_default_str();
  app.add_option("--stream-mib", s.stream_mib, "of memory for data on its way, each way")
      ->check(CLI::Range(1u, 4096u))
      ->capture_default_str();
  app.add_option("--hang", s.hang_seconds,
                 "seconds that the device may work without ending a command, before it is ended; "
                 "building a program is one, so leave room for the slowest build")
      ->check(CLI::Range(1u, limits::kRestartMs / 1000))
      ->capture_default_str();
  app.add_flag("--debug", s.debug, "what starts program and device may write to stderr");
  app.add_flag("--verbose", flags->verbose, "show what the monitor says");
  app.add_option("PROGRAM", flags->command, "the program and its arguments, behind --")->required();
  app.positionals_at_end();
  app.prefix_command(false);
  return [flags](Streams streams) { return run(*flags, streams); };
}

}  // namespace casemate::cli
