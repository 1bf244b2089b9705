// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/format.h"
#include "outside/cli/commands.h"
#include "outside/launch/programs.h"
#include "outside/launch/roots.h"

namespace casemate::cli {
namespace {

void print_roots(std::ostream& out) {
  const auto roots = launch::roots_here();
  const RootKind chosen = launch::choose_root("auto", roots).value_or(RootKind::kSoftware);
  out << "\nRoots of trust, the strongest first (+ usable, - not, and why):\n";
  for (const launch::RootHere& root : roots)
    out << formatted("{} {}: {}\n", root.usable ? '+' : '-', name_of(root.kind), root.what);
  out << formatted("casemate serve takes '{}' unless --root names another\n", name_of(chosen));
}

}  // namespace

// The monitor tries each wall itself: only its own code can say what it would get.
Run add_doctor(CLI::App&) {
  return [](Streams streams) {
    const auto folder = launch::program_folder();
    if (!folder) return fail(folder.error(), streams);
    const std::string program = *folder + "/casemate-monitor";
    if (const Status there = launch::check_program(program); !there)
      return fail(there.error(), streams);
    streams.out << "Walls on this machine (+ stands, - does not, and what that means):\n"
                << std::flush;
    const pid_t child = ::fork();
    if (child < 0) return fail(errno_error("starting " + program), streams);
    if (child == 0) {
      ::execl(program.c_str(), "casemate-monitor", "--walls", nullptr);
      ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
      if (errno != EINTR) return fail(errno_error("waiting for " + program), streams);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      print_roots(streams.out);
      return kDone;
    }
    return fail({Code::kPlatform, program + " does not run: build it with ./dev build"}, streams);
  };
}

}  // namespace casemate::cli
