// SPDX-License-Identifier: Apache-2.0
// casemate-program: the enclave of an unmodified program. Descriptor 3 is its control socket, 4 its
// launcher's.
#include "base/log.h"
#include "isolated/program/foreign_program.h"

int main() {
  casemate::log_as("program");
  casemate::program::ForeignProgram program;
  return casemate::enclave::run_template(program, {.fds = 2, .foreign = true});
}
