// SPDX-License-Identifier: Apache-2.0
#pragma once
// Verdict: the answer to "who is there, and can I trust it", with every check that led to it.
//
// A check is named by its code, which never changes, and a subject where there are several of a
// kind (`token.nonce` of `model digits`). Checks that follow from a broken one are listed as not
// run: a verdict passes only when every check in it did.
//
//   Owns     values.
//   Threads  a value type.
//   Trust    text that came from a peer is printable ASCII and cut to length.
//   Fails    cannot.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "outside/verdict/platform.h"
#include "wire/evidence/evidence.h"

namespace casemate::verify {

enum class Outcome : uint8_t {
  kPassed,
  kAllowed,  // not as the title says, or not compared: the policy lets it pass
  kFailed,
  kNotRun
};

struct Check {
  std::string_view code;
  std::string_view title{};  // what it looked at, in plain words
  std::string remedy{};      // what to do when it failed
  std::string subject{};     // empty, "gateway" or "model NAME"
  Outcome outcome = Outcome::kNotRun;
  std::string expected{};  // what was wanted, and what was found: of every check that ran
  std::string actual{};
};

// What came of an accelerator's evidence: its own, or its driver's author's.
struct DeviceVerdict {
  std::string device;  // "npu:0"
  Platform platform;   // of the root "nvidia" or "driver"
};

struct Verdict {
  bool passed = false;
  std::string root;               // "software"; empty when the quote could not be read
  bool development_root = false;  // then nothing here holds against whoever runs the machine
  Sha384Digest root_key_hash{};
  Sha384Digest platform{};
  uint32_t security_version = 0;
  int64_t quote_issued_unix = 0;
  std::vector<EnclaveToken> tokens;    // the gateway's first; as sent, proved only when passed
  std::optional<Platform> quoted;      // of evidence in a root's own form; proved only when passed
  std::vector<DeviceVerdict> devices;  // that show evidence; proved only when passed
  Sha256Digest evidence_hash{};        // names this evidence in a record
  int64_t time_used_unix = 0;
  std::vector<Check> checks;          // in the order in which they ran
  std::vector<std::string> weakened;  // "insecure_...": what the policy lets through or leaves open

  // The first check that failed; nullptr when passed.
  [[nodiscard]] const Check* first_failure() const;
  // What to do about it, or, when passed, what the user should still know.
  [[nodiscard]] std::string_view next() const;
  // "verified", "verified-development" or "refused".
  [[nodiscard]] std::string_view status() const;
};

// One line: status, root, measurements in short, or the first failure and what to do.
std::string line_of(const Verdict& verdict);
// The whole story for people: a warning first if the root is a development root, then the line,
// measurements, and every check; of each that failed, what was expected, what was found, and what
// to do.
std::string text_of(const Verdict& verdict);
// The same for programs: one JSON object; `ear.status` is that of draft-ietf-rats-ear. Every check
// that ran has "expected" and "actual", and each that failed a "remedy".
std::string json_of(const Verdict& verdict);

}  // namespace casemate::verify
