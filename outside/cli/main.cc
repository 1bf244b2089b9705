// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "outside/cli/command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return casemate::cli::run(arguments, {std::cout, std::cerr});
}
