// SPDX-License-Identifier: Apache-2.0
#pragma once
// RootOfTrust: what evidence is rooted in. It signs 64 bytes of report data together with what it
// knows about the platform, in a format of its own. Hardware roots are slow, so the monitor asks
// once per key and keeps the answer.
//
//   Owns     whatever reaches the root: a key, a device.
//   Threads  one.
//   Trust    whoever can call quote() can have any key vouched for: only the monitor holds one.
//   Fails    make returns why this machine has no such root; quote() returns kPlatform.

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "trusted/allow/allow.h"
#include "wire/evidence/evidence.h"

namespace casemate::attest {

class RootOfTrust {
 public:
  virtual ~RootOfTrust() = default;
  virtual Result<std::vector<uint8_t>> quote(const allow::Vouch&,
                                             const ByteArray<64>& report_data) = 0;
  // Whether quote() always returns within a few milliseconds.
  [[nodiscard]] virtual bool quick() const { return false; }
};

// The development root: a P-384 key and its certificates in `state_folder` (wire/evidence names the
// files), which whoever starts the monitor has made, readable by their owner only. Its quotes have
// the shape of hardware's, and whoever reads the key can forge them: a verifier refuses it unless
// told otherwise.
Result<std::unique_ptr<RootOfTrust>> open_software_root(const std::string& state_folder,
                                                        const Sha384Digest& platform_measurement,
                                                        bool debug);

// The root of a confidential guest: reports of Linux's configfs-tsm, which is at `folder`. Its
// quotes say what the guest has booted; of the monitor they say what the claims do.
Result<std::unique_ptr<RootOfTrust>> open_tsm_root(const std::string& folder);

// The root of an SGX enclave under Gramine, whose files are in `folder`.
Result<std::unique_ptr<RootOfTrust>> open_gramine_root(const std::string& folder);

}  // namespace casemate::attest
