// SPDX-License-Identifier: Apache-2.0
// casemate-numerics [-o REPORT.md]: the largest error of every kernel against its operator's
// meaning in double precision. Exits with 1 when a kernel has no case, or cannot be run.
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "isolated/engine/numerics/measure.h"

namespace casemate::engine {
namespace {

void print(std::FILE* to, const char* title, const std::vector<Measured>& measured) {
  std::fprintf(to, "| %s | run by | cases | largest error |\n|---|---|--:|--:|\n", title);
  for (const Measured& one : measured)
    std::fprintf(to, "| %s | %s | %d | %.1e |\n", one.name.c_str(), one.how.c_str(), one.cases,
                 one.error);
  std::fprintf(to, "\n");
}

int run(int argc, char** argv) {
  std::FILE* to = stdout;
  if (argc == 3 && std::string_view(argv[1]) == "-o") {
    to = std::fopen(argv[2], "w");
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: casemate-numerics [-o REPORT.md]\n");
    return 2;
  }
  if (to == nullptr) return 3;
  const auto kernels = measure_kernels();
  if (!kernels) {
    std::fprintf(stderr, "%s\n", kernels.error().text.c_str());
    return 1;
  }
  std::fprintf(to,
               "# Numerics\n\nThe largest error of each kernel on seeded inputs of several shapes, "
               "against the operator's own function in\ndouble precision, in units of the root of "
               "the mean square of the exact result: 6e-8 is the rounding of one float.\n"
               "`casemate-numerics` writes this page; the instruction sets are those of the "
               "processor that it ran on.\n\n");
  print(to, "kernel", *kernels);
  print(to, "loop", measure_loops());
  if (to != stdout) std::fclose(to);
  return 0;
}

}  // namespace
}  // namespace casemate::engine

int main(int argc, char** argv) { return casemate::engine::run(argc, argv); }
