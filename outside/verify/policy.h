// SPDX-License-Identifier: Apache-2.0
#pragma once
// Policy: what a client asks of evidence before it sends anything. A JSON file:
//
//   {
//     "allow_software_root": false,     a development root is refused unless this is true
//     "software_roots": ["<hex>"],      SHA-384 of accepted root keys (SPKI DER); empty: any
//     "platform": ["<hex>"],            what the machine booted; empty: any
//     "security_version_min": 0,
//     "gateway": {"program": ["<hex>"], "manifest": [], "device": [], "peers": []},
//     "models": {"digits": {"model": ["<hex>"], "program": [], "manifest": [], "device": [],
//                           "peers": []}},    not empty: no model beside these is accepted
//     "max_age_seconds": 604800,        of every token, and of quotes whose format has a time
//     "intel": {}, "snp": {}, "cca": {}, "nvidia": {}, "eat": {}, "tpm": {}, "drivers": {},
//                                       rules for evidence of that kind: the headers that say so,
//                                       docs/evidence.md
//     "insecure_allow_debug": false,    a debug enclave's memory can be read from outside
//     "insecure_allow_any_start": false,    of hardware whose rules do not name what it has started
//     "insecure_allow_classical_key_exchange": false    of the channel: not X25519MLKEM768
//   }
//
// Every key may be left out. An empty list pins nothing, and every verdict says so by name.
//
//   Owns     values.
//   Threads  a value type.
//   Trust    the file is the user's own word; parsing is strict so that a mistyped key is an error
//            and not a hole.
//   Fails    parse_policy returns kInvalid with the key and what it should be.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "outside/verify/cca/rules.h"
#include "outside/verify/driver/driver.h"
#include "outside/verify/ear/eat.h"
#include "outside/verify/intel/rules.h"
#include "outside/verify/nvidia/nvidia.h"
#include "outside/verify/snp/rules.h"
#include "outside/verify/tpm/verify_tpm.h"

namespace casemate::verify {

// The accepted values of one field; empty accepts any.
using Accepted = std::vector<Sha384Digest>;

// Accepted measurements of one enclave. `model` stays empty for a gateway.
struct EnclavePolicy {
  Accepted model;
  Accepted program;
  Accepted manifest;
  Accepted device;
  Accepted peers;
};

struct Policy {
  // Evidence is made anew at least weekly: a server that runs longer asks its root again.
  static constexpr int64_t kMaxAgeSeconds = 7 * 24 * 3600;

  bool allow_software_root = false;
  Accepted software_roots;
  Accepted platform;
  uint32_t security_version_min = 0;
  EnclavePolicy gateway;
  std::map<std::string, EnclavePolicy, std::less<>> models;
  int64_t max_age_seconds = kMaxAgeSeconds;
  intel::Rules intel;
  snp::Rules snp;
  cca::Rules cca;
  nvidia::Rules nvidia;
  eat::Rules eat;
  TpmRules tpm;
  driver::Rules drivers;  // of accelerators
  // What the rules are held against; it is no part of the file.
  std::shared_ptr<const Collateral> collateral;
  bool insecure_allow_debug = false;
  bool insecure_allow_any_start = false;
  bool insecure_allow_classical_key_exchange = false;
};

// `what` names the text in an error, such as the file's path.
Result<Policy> parse_policy(std::string_view text, std::string_view what);

// The JSON form, which parse_policy() reads back to the same value.
std::string policy_text(const Policy& policy);

}  // namespace casemate::verify
