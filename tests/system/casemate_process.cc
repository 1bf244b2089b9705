// SPDX-License-Identifier: Apache-2.0
#include "tests/system/casemate_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/format.h"
#include "tests/system/small_system.h"

namespace casemate::tests {

pid_t start_casemate(std::vector<std::string> arguments, const std::string& printed,
                     std::chrono::milliseconds after) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::this_thread::sleep_for(after);
  const int log = ::open(printed.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  arguments.insert(arguments.begin(), build_folder() + "/bin/casemate");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers.front(), pointers.data());
  ::_exit(127);
}

std::string run_casemate(const std::vector<std::string>& arguments, const std::string& printed) {
  int status = 0;
  ::waitpid(start_casemate(arguments, printed), &status, 0);
  return formatted("{} {}", WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(printed));
}

std::string content_of(const std::string& path) {
  std::error_code absent;
  if (!std::filesystem::is_regular_file(path, absent)) return {};
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace casemate::tests
