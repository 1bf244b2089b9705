// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include "outside/cli/commands.h"
#include "outside/launch/programs.h"

namespace casemate::cli {

// The monitor tries each wall itself: only its own code can say what it would get.
Run add_doctor(CLI::App&) {
  return [](Streams streams) {
    const auto folder = launch::program_folder();
    if (!folder) return fail(folder.error(), streams);
    streams.out << "Walls on this machine (+ stands, - does not, and what that means):\n"
                << std::flush;
    const std::string program = *folder + "/casemate-monitor";
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl(program.c_str(), "casemate-monitor", "--walls", nullptr);
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return kDone;
    return fail({Code::kPlatform, program + " does not run: build it with ./dev build"}, streams);
  };
}

}  // namespace casemate::cli
