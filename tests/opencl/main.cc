// SPDX-License-Identifier: Apache-2.0
// casemate-opencl-pair LIBRARY PROGRAM [ARG ...]: runs a program with the driver and a server
// beside it, without walls, to look at either.
#include <cstdio>

#include "tests/opencl/pair.h"

int main(int count, char** words) {
  if (count < 3) {
    std::fputs("usage: casemate-opencl-pair LIBRARY PROGRAM [ARG ...]\n", stderr);
    return 2;
  }
  casemate::opencl::PairOptions options;
  options.driver = words[1];
  options.lockstep = options.driver.contains("lockstep");
  const auto code = casemate::opencl::run_pair({words + 2, words + count}, options);
  if (!code) std::fprintf(stderr, "%s\n", code.error().text.c_str());
  return code ? *code : 3;
}
