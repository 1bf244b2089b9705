// SPDX-License-Identifier: Apache-2.0
#pragma once
// Appraisal of entity attestation tokens (RFC 9711), among them attestation results of other
// verifiers (EAR): a JWT or a CWT, signed with ECDSA. Rules are the object "eat" of a policy file:
//
//   {"keys": [{"kty": "EC", ...}],    who may sign; without one no token is accepted
//    "profiles": ["tag:..."],         accepted values of eat_profile; empty: any
//    "nonce": ["<hex>"], "ueid": ["<hex>"],       accepted values; empty: any
//    "max_age_seconds": 86400,        of a token, by "iat"; one without is refused unless it
//                                     expires
//    "allow_warning": false,          results whose status is "warning"
//    "insecure_allow_debug": false}
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    the token is hostile; keys are the rules'.
//   Fails    parse_rules with kInvalid and the key; appraise never: what is wrong is a failed
//            check.

#include "outside/verdict/accepted_values.h"
#include "outside/verdict/platform.h"
#include "outside/verify/collateral/collateral.h"
#include "outside/verify/ear/claims.h"

namespace casemate::verify::eat {

struct Rules {
  static constexpr int64_t kMaxAgeSeconds = 24 * 3600;

  std::vector<nlohmann::json> keys;
  std::vector<std::string> profiles;
  AcceptedValues nonce;
  AcceptedValues ueid;
  int64_t max_age_seconds = kMaxAgeSeconds;
  bool allow_warning = false;
  bool insecure_allow_debug = false;
};
Result<Rules> parse_rules(JsonObject& object);
// What parse_rules() reads back to the same value.
nlohmann::ordered_json rules_json(const Rules& rules);

// Whether these bytes begin like a signed web token. A CCA token does not.
bool looks_like(Bytes evidence);

// What the token says at `now_unix`. Its first nonce becomes the report data. Nothing of
// `collateral` is used.
Platform appraise(Bytes evidence, const Rules& rules, const Collateral& collateral,
                  int64_t now_unix, Checks& checks);

}  // namespace casemate::verify::eat
