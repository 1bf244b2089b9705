// SPDX-License-Identifier: Apache-2.0
#pragma once
// The table of all subcommands: name, one line of help. Each is defined in NAME_command.cc.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    none needed.
//   Fails    cannot.

#include "outside/cli/command.h"

#define CASEMATE_COMMANDS(COMMAND)                                                \
  COMMAND(serve, "serve a repository of models from attested partitions")         \
  COMMAND(run, "run an unmodified program, its accelerator in another partition") \
  COMMAND(status, "what runs here: partitions, enclaves, failures, recovery")     \
  COMMAND(top, "the same, live: rates, restarts and their reasons")               \
  COMMAND(devices, "what can be computed on here: limits, health, tenants")       \
  COMMAND(kill, "end a partition or an enclave; the monitor starts it again")     \
  COMMAND(doctor, "which walls stand on this machine, and which do not")          \
  COMMAND(infer, "run a model on a server that was verified first")               \
  COMMAND(attest, "who is there, and can it be trusted: a verdict, with reasons") \
  COMMAND(proxy, "plain KServe v2 on this machine, a verified server behind it")  \
  COMMAND(verify, "the same off line, for evidence in a file")                    \
  COMMAND(endorse, "say by signature which programs drive a kind of accelerator") \
  COMMAND(collateral, "fetch what verify judges a hardware root's evidence by")   \
  COMMAND(tpm, "have the key of this machine's TPM certified by its owner")       \
  COMMAND(seal, "encrypt a model for enclaves that its owner's policy accepts")   \
  COMMAND(keys, "the owner's keys, and the service that gives them to enclaves")  \
  COMMAND(zoo, "standard architectures with random weights, as ONNX files")       \
  COMMAND(check, "whether this build can serve a model, and if not, all reasons") \
  COMMAND(plan, "what the engine runs for a model, step by step")                 \
  COMMAND(profile, "where a model's time goes, beside what the machine can do")

namespace casemate::cli {

#define CASEMATE_DECLARE(name, help) Run add_##name(CLI::App& app);
CASEMATE_COMMANDS(CASEMATE_DECLARE)
#undef CASEMATE_DECLARE

}  // namespace casemate::cli
