// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/roots.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/format.h"

namespace casemate::launch {
namespace {

bool there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }
bool ours(const std::string& path) { return ::access(path.c_str(), R_OK | W_OK) == 0; }

RootHere tsm(const std::string& machine) {
  RootHere root{RootKind::kTsm, false, ""};
  const std::string reports = machine + "/sys/kernel/config/tsm/report";
  // The folder alone may be a kernel's that could be a guest's; Arm's driver has no device.
  const bool guest = there(machine + "/dev/sev-guest") || there(machine + "/dev/tdx_guest") ||
                     there(machine + "/sys/module/arm_cca_guest");
  if (!there(reports)) {
    root.what = guest ? "a confidential guest whose reports are not in " + reports +
                            ": Linux 6.7 or later, and mount -t configfs none /sys/kernel/config"
                      : "no confidential guest (SEV-SNP, TDX or CCA) with its driver loaded";
  } else if (!guest) {
    root.what = reports +
                " is there, but no driver of a confidential guest: in one, modprobe "
                "sev-guest, tdx_guest or arm-cca-guest";
  } else if (!ours(reports)) {
    root.what = reports + " may be used by root alone: start as root";
  } else {
    root = {RootKind::kTsm, true, "a confidential guest, with reports in " + reports};
  }
  return root;
}

RootHere gramine(const std::string& machine) {
  const std::string type = machine + "/dev/attestation/attestation_type";
  if (there(type)) return {RootKind::kGramine, true, "an SGX enclave under Gramine"};
  return {RootKind::kGramine, false, "no SGX enclave under Gramine: there is no " + type};
}

RootHere tpm(const std::string& machine) {
  const char* other = std::getenv("CASEMATE_TPM");
  const std::string device = other == nullptr ? machine + "/dev/tpmrm0" : other;
  if (!there(device))
    return {RootKind::kTpm, false,
            "no TPM 2.0, or its driver is not loaded (modprobe tpm_tis or tpm_crb)"};
  if (!ours(device))
    return {RootKind::kTpm, false,
            device + " may not be used by this user: start as root, or as one of the group tss"};
  return {RootKind::kTpm, true, "a TPM 2.0, " + device};
}

}  // namespace

std::vector<RootHere> roots_here(const std::string& machine) {
  return {tsm(machine),
          gramine(machine),
          tpm(machine),
          {RootKind::kSoftware, true,
           "keys in files, for development: a client refuses it unless it is told otherwise"}};
}

Result<RootKind> choose_root(std::string_view name, const std::vector<RootHere>& roots) {
  const auto found = std::ranges::find_if(roots, [&](const RootHere& root) {
    return name == "auto" ? root.usable : name == name_of(root.kind);
  });
  if (found != roots.end()) return found->kind;
  return Error{Code::kInvalid, formatted("--root {}: there is no such root of trust; name auto, "
                                         "tsm, gramine, tpm or software",
                                         name)};
}

}  // namespace casemate::launch
