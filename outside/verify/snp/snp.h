// SPDX-License-Identifier: Apache-2.0
#pragma once
// Appraisal of AMD SEV-SNP reports: form, certificate, signature, chain to AMD's root, what the
// certificate binds (product, chip, firmware), revocation, and then the policy's rules.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    evidence and collateral are hostile; anchors are the rules'.
//   Fails    never: what is wrong is a failed check.

#include "outside/verdict/checks.h"
#include "outside/verdict/platform.h"
#include "outside/verify/collateral/collateral.h"
#include "outside/verify/snp/rules.h"

namespace casemate::verify::snp {

// Whether these bytes, binary or hexadecimal text, begin like a report.
bool looks_like(Bytes evidence);

// What the report proves at `now_unix`. Certificates are found among `collateral`, also in tables
// that a host gave (configfs-tsm: auxblob), and in a table behind the report.
Platform appraise(Bytes evidence, const Rules& rules, const Collateral& collateral,
                  int64_t now_unix, Checks& checks);

}  // namespace casemate::verify::snp
