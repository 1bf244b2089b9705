// SPDX-License-Identifier: Apache-2.0
#pragma once
// TpmQuote, read: the TPM root's quote (wire/tpm/quote.h) from hostile bytes, and each thing that
// must be so of it, in the order in which it is looked at.
//
//   Owns     its key; the rest are views of the bytes that it was read from.
//   Threads  pure functions.
//   Trust    read_tpm_quote() checks the form alone. Nothing in it is the TPM's word before
//            check_tpm_signature(), nor the monitor's before check_own_events(), nor any TPM's at
//            all before somebody vouches for the key.
//   Fails    kInvalid with what is wrong; kUnsupported for what is not read here.

#include "outside/verify/tpm/attest.h"
#include "outside/verify/tpm/key.h"
#include "wire/tpm/quote.h"

namespace casemate::verify {

struct TpmQuote {
  TpmQuoteHead head;
  Bytes attest_bytes;  // what is signed
  Bytes signature;
  Bytes key_bytes;    // TPMT_PUBLIC
  Bytes certificate;  // DER; empty: none
  Bytes pcr_values;
  Bytes events;  // the monitor's own
  TpmAttest attest;
  TpmKey key;
};

Result<TpmQuote> read_tpm_quote(Bytes bytes);

// The signed extra data are the hash of the quote's head, and with it of the report data.
Status check_head(const TpmQuote& quote);
// The signed digest is that of the values, of SHA-256 PCRs of which PCR 23 is one.
Status check_pcr_values(const TpmQuote& quote);
// The value of one PCR. Fails when it is not among the quoted.
Result<Sha256Digest> pcr_value(const TpmQuote& quote, uint32_t pcr);

// What the monitor measured of itself.
struct OwnEvents {
  Sha384Digest platform{};
  bool debug = false;
};
// The monitor's events replay to PCR 23, and are one of each kind.
Result<OwnEvents> check_own_events(const TpmQuote& quote);

}  // namespace casemate::verify
