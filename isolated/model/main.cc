// SPDX-License-Identifier: Apache-2.0
// casemate-model: the enclave that serves one model. Descriptor 3 is its control socket.
#include <cstdlib>

#include "base/log.h"
#include "isolated/model/model_program.h"

int main() {
  casemate::log_as("model");
  const char* options = std::getenv("CASEMATE_OPTIONS");
  casemate::model::ModelProgram program(options != nullptr ? options : "");
  return casemate::enclave::run_template(program, {casemate::lockdown::Filter::kModel, 1});
}
