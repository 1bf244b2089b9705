// SPDX-License-Identifier: Apache-2.0
#pragma once
// SoftwareTpm: a TPM 2.0 in a process (swtpm), with a folder of its own, for tests.
//
//   Owns     the process and the folder; both go with it.
//   Threads  one.
//   Trust    test code.
//   Fails    make() returns why there is none. That is a reason to skip a test only where it is not
//            installed(): one that does not start would leave everything here unproved.

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace casemate::tests {

class SoftwareTpm final {
 public:
  // Whether swtpm, its tools and tpm2-tools are there.
  static bool installed();
  // `manufactured`: with endorsement keys and certificates of a maker of its own. `banks`: the
  // only PCR banks, such as "sha384"; "": all.
  static Result<SoftwareTpm> make(bool manufactured = false, const std::string& banks = "");
  SoftwareTpm(SoftwareTpm&& other) noexcept;
  SoftwareTpm& operator=(SoftwareTpm&&) = delete;
  ~SoftwareTpm();

  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::string socket() const { return folder_ + "/tpm.sock"; }
  // The certificates of its maker: the root, and what the root certified.
  [[nodiscard]] std::string maker_root() const {
    return folder_ + "/swtpm-localca-rootca-cert.pem";
  }
  [[nodiscard]] std::string maker() const { return folder_ + "/issuercert.pem"; }
  // As if the machine were switched off and on.
  Status restart();

  // Runs one of tpm2-tools in its folder, which talks to this TPM or, `alone`, to none; what it
  // printed. Requires: nobody is connected to the TPM, which has one client at a time.
  [[nodiscard]] Result<std::string> tool(std::vector<std::string> command,
                                         bool alone = false) const;

 private:
  explicit SoftwareTpm(std::string folder) : folder_(std::move(folder)) {}
  Status manufacture(const std::string& banks) const;
  Status start();
  void stop();
  std::string folder_;
  pid_t pid_ = -1;
};

}  // namespace casemate::tests
