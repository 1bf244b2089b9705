// SPDX-License-Identifier: Apache-2.0
#pragma once
// Appraisal: one quote's way through the checks of intel.h, in their order.
//
//   Owns     what was read so far; refers to quote, rules and collateral.
//   Threads  one.
//   Trust    a check's body runs only while nothing required has failed, so it may rely on all
//            before it.
//   Fails    cannot: what is wrong is in the checks.

#include "outside/verdict/accepted_values.h"
#include "outside/verify/intel/intel.h"
#include "outside/verify/intel/pck.h"
#include "outside/verify/intel/statements.h"
#include "outside/verify/intel/tcb.h"
#include "outside/verify/x509/chain.h"

namespace casemate::verify::intel {

class Appraisal final {
 public:
  Appraisal(Bytes bytes, const Rules& rules, const Collateral& collateral, int64_t now,
            Checks& checks)
      : bytes_(bytes), rules_(rules), collateral_(collateral), now_(now), checks_(checks) {}

  Platform run() &&;

 private:
  // A statement of Intel's, and the certificates of who signed it.
  template <class T>
  struct Signed {
    T content;
    Chain signer;
  };

  // appraisal.cc: from the signature to the root.
  void check_signatures();
  void check_chain();
  void judge_body();
  void judge_measurements();
  void fill_platform();
  Finding trailing() const;
  Finding chain_to_root();
  Finding event_log() const;
  [[nodiscard]] ChainRules chain_rules() const;

  // levels.cc: how current it is.
  void check_statements();
  void check_levels();
  void judge_status();
  void judge_signers();
  Finding listed(const Chain& chain, const RevocationAdvice& advice) const;
  Finding in_force(const Window& window) const;
  Result<Chain> signer_of(const Statement& statement) const;
  template <class T, class Matches>
  Finding choose(const std::vector<Statement>& list,
                 Result<T> (*read)(std::string_view, std::string_view), Matches matches,
                 Signed<T>& into, std::string wanted);
  Finding right_qe() const;
  Finding qe_level();
  Finding module_level();
  Finding platform_level();
  Finding status();
  Finding advisories() const;

  Bytes bytes_;
  const Rules& rules_;
  const Collateral& collateral_;
  int64_t now_;
  Checks& checks_;
  Platform platform_;
  Quote quote_;
  Pck pck_;
  Statements statements_;
  std::vector<X509Certificate> certificates_;  // the quote's, the PCK's first
  Chain chain_;
  Signed<TcbInfo> info_;
  Signed<QeIdentity> identity_;
  const PlatformLevel* level_ = nullptr;  // of info_
  const EnclaveLevel* module_ = nullptr;  // of info_; none where modules have no versions
  const EnclaveLevel* qe_ = nullptr;      // of identity_
};

}  // namespace casemate::verify::intel
