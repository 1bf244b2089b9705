// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/verdict.h"

#include <algorithm>
#include <array>

#include "outside/verify/checks.h"

namespace casemate::verify {
namespace {

struct Words {
  std::string_view code;
  std::string_view title;
  std::string_view remedy;
};

constexpr std::string_view kRelayed =
    "do not use this server: somebody presents evidence that belongs to another key";
constexpr std::string_view kForged =
    "do not use this server: the evidence was changed or pieced together after it was signed";
constexpr std::string_view kOther =
    "if the change is intended, take the new value into the policy: casemate attest URL "
    "--save-policy FILE writes what is there now";
constexpr std::string_view kFormat =
    "use a client and a server of the same release; if they are, the evidence was damaged";
constexpr std::string_view kClock =
    "compare the clocks of this machine and the server; if they are right, the evidence is stale "
    "and the server must make it anew";

constexpr std::array<Words, 28> kWords = {{
    {code::kForm, "the evidence is well-formed", kFormat},
    {code::kQuoteForm, "the quote is in a known format", kFormat},
    {code::kQuoteSignature, "the quote is signed by its root", kForged},
    {code::kRootKind, "the root is real hardware",
     "use a server with a hardware root, or, for development only, give --allow-software-root or "
     "set \"allow_software_root\": true in the policy"},
    {code::kRootKey, "the root's key is accepted by the policy",
     "add the key to \"software_roots\" if you know whose it is; otherwise do not use this server"},
    {code::kReportData, "the quote commits to these claims", kForged},
    {code::kClaimsForm, "the claims are exactly the known ones", kFormat},
    {code::kTlsKey, "the claims name the TLS key of this connection", kRelayed},
    {code::kMonitorKey, "the claims name a monitor key", kFormat},
    {code::kTokens, "the evidence has a token of the gateway",
     "ask the server's operator: its gateway is not attested"},
    {code::kTokenSignature, "the token is signed by the monitor", kForged},
    {code::kTokenForm, "the token is well-formed", kFormat},
    {code::kTokenNonce, "the token answers our nonce",
     "try again; if it repeats, somebody replays old evidence"},
    {code::kTokenKind, "the token is of the right kind of enclave", kRelayed},
    {code::kTokenKey, "the gateway enclave owns the TLS key", kRelayed},
    {code::kTokenEpoch, "the gateway is not older than already seen",
     "connect again; if it repeats, somebody replays old evidence"},
    {code::kTokenDebug, "the enclave is not a debug enclave",
     "use a release enclave, or set \"insecure_allow_debug\": true in the policy to develop"},
    {code::kTokenIssued, "the token is of a believable time", kClock},
    {code::kQuoteDebug, "the platform is not in debug mode",
     "use a release platform, or set \"insecure_allow_debug\": true in the policy to develop"},
    {code::kQuoteIssued, "the quote is of a believable time", kClock},
    {code::kSecurityVersion, "the platform's security version is high enough",
     "ask the operator to update the platform, or lower \"security_version_min\" in the policy"},
    {code::kPlatform, "the platform is one of the policy's", kOther},
    {code::kModelName, "the model is the one asked for and known to the policy",
     "name the model in the policy's \"models\", or ask for another one"},
    {code::kModel, "the model's files are those of the policy", kOther},
    {code::kProgram, "the enclave's program is one of the policy's", kOther},
    {code::kManifest, "the enclave's manifest is one of the policy's", kOther},
    {code::kDevice, "the enclave's device is one of the policy's", kOther},
    {code::kPeers, "the enclave's peers are those of the policy", kOther},
}};

const Words* words_of(std::string_view code) {
  const auto found = std::ranges::find(kWords, code, &Words::code);
  return found == kWords.end() ? nullptr : found;
}

}  // namespace

std::string_view title_of(std::string_view code) {
  const Words* words = words_of(code);
  return words == nullptr ? code : words->title;
}

std::string_view remedy_of(std::string_view code) {
  const Words* words = words_of(code);
  return words == nullptr ? std::string_view("read the list of checks") : words->remedy;
}

const Check* Verdict::first_failure() const {
  const auto found = std::ranges::find(checks, Outcome::kFailed, &Check::outcome);
  return found == checks.end() ? nullptr : &*found;
}

std::string_view Verdict::next() const {
  if (const Check* failure = first_failure(); failure != nullptr) return remedy_of(failure->code);
  if (development_root) return "use a server with a hardware root for anything but development";
  if (!weakened.empty()) return "pin what is open: casemate attest URL --save-policy FILE";
  return "nothing";
}

std::string_view Verdict::status() const {
  if (!passed) return "refused";
  return development_root ? "verified-development" : "verified";
}

}  // namespace casemate::verify
