// SPDX-License-Identifier: Apache-2.0
// casemate-model: the enclave that serves one model. Descriptor 3 is its control socket.
#include "base/log.h"
#include "isolated/model/model_program.h"

int main() {
  casemate::log_as("model");
  casemate::model::ModelProgram program;
  return casemate::enclave::run_template(program, {casemate::lockdown::Filter::kModel, 1});
}
