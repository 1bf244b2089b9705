// SPDX-License-Identifier: Apache-2.0
#pragma once
// The TPM root: evidence rooted in a TPM 2.0. Its key signs nothing but what the TPM itself says;
// the monitor's measurement goes into PCR 23, which is reset and extended whenever it is not there.
//
//   Owns     the connection to the TPM, and the key's place in it.
//   Threads  one.
//   Trust    the machine's kernel, which says who may open the TPM: whoever may can have any key
//            vouched for. The TPM's answers are bounded and not believed: verifiers judge them.
//   Fails    open: no TPM, or one that cannot do it, with what to do; quote(): likewise,
//            once it has tried again over a new connection.

#include "trusted/attest/root.h"

namespace casemate::attest {

struct TpmOptions {
  std::string device = "/dev/tpmrm0";  // or a software TPM's socket
  // Of the key, as `casemate tpm install` has put it there. No such file: quotes carry none, and
  // verifiers must know the key itself.
  std::string certificate_path;
  bool debug = false;
};

Result<std::unique_ptr<RootOfTrust>> open_tpm_root(const TpmOptions& options,
                                                   const Sha384Digest& platform_measurement);

}  // namespace casemate::attest
