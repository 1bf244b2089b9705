// SPDX-License-Identifier: Apache-2.0
#pragma once
// Statements: what Intel's provisioning service says, picked out of a folder of collateral by
// content.
//
// Two forms are read: the service's own answers, {"tcbInfo": {...}, "signature": "..."} and
// {"enclaveIdentity": {...}, "signature": "..."}, and bundles of quote libraries, one object with
// "tcb_info", "tcb_info_signature", "qe_identity", "qe_identity_signature", chains in PEM and
// revocation lists in hexadecimal DER. A signature is over the bytes of the statement as they
// were sent, so those are kept, and what is read is read from them alone.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    nothing here is believed until its signature was checked.
//   Fails    cannot: a document that is none of these is passed over, one that is broken is told
//            of.

#include <string>
#include <vector>

#include "outside/verify/collateral/collateral.h"

namespace casemate::verify::intel {

struct Statement {
  std::string what;  // for people: "the TCB info of v4.json"
  std::string text;
  std::vector<uint8_t> signature;
};

struct Statements {
  std::vector<Statement> tcb_infos;
  std::vector<Statement> qe_identities;
  std::vector<X509Certificate> certificates;  // those of the whole folder too
  std::vector<X509Crl> crls;
  std::string broken;  // what the first broken document is; or ""
};

Statements statements_of(const Collateral& collateral);

}  // namespace casemate::verify::intel
