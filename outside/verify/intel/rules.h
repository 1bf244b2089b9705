// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rules: what a policy asks of Intel's evidence. In a policy file, the object "intel":
//
//   {
//     "insecure_allow_debug": false,       a debug enclave or guest can be read from outside
//     "tcb_statuses": ["UpToDate"],        Intel's words that are accepted; "Revoked" never is
//     "advisories": ["INTEL-SA-00615"],    left out: any that come with an accepted status
//     "tcb_evaluation_number_min": 0,      refuses statements older than this of Intel's releases
//     "grace_seconds": 0,                  how long statements and lists serve beyond their end
//     "trailing_bytes": "zeros",           behind the signature: "none", "zeros" (padding), "any"
//     "event_log_required": false,         RTMRs must be explained by a log among the collateral
//     "isv_product_id": 1,                 of an enclave; left out: any
//     "isv_security_version_min": 0,
//     "measurements": {"mrtd": ["<hex>"]}, accepted values by name; not named: any
//     "development_roots": ["<hex>"]       SHA-384 of root keys that stand in for Intel's
//   }
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the user's own word; parsing is strict.
//   Fails    parse_rules returns kInvalid with the key and what it should be.

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "outside/verdict/strict_json.h"

namespace casemate::verify::intel {

// What may stand behind a quote's signature, where nothing vouches for it.
enum class Trailing : uint8_t { kNone, kZeros, kAny };

struct Rules {
  bool insecure_allow_debug = false;
  std::vector<std::string> tcb_statuses = {"UpToDate"};
  std::optional<std::vector<std::string>> advisories;
  uint32_t evaluation_number_min = 0;
  int64_t grace_seconds = 0;
  Trailing trailing = Trailing::kZeros;
  bool event_log_required = false;
  std::optional<uint16_t> product_id;
  uint16_t security_version_min = 0;
  std::map<std::string, std::vector<std::vector<uint8_t>>, std::less<>> measurements;
  std::vector<Sha384Digest> development_roots;
};

// Takes every key of `object`.
Result<Rules> parse_rules(JsonObject& object);

// The JSON form, which parse_rules() reads back to the same value.
nlohmann::ordered_json rules_json(const Rules& rules);

}  // namespace casemate::verify::intel
