// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keeper: decides who gets a key. It hands out nonces; verifies the evidence that comes with a
// request under the policy of the package; and wraps the key for the enclave that the evidence is
// about. What it decides is in the audit log before anybody hears of it.
//
// Who has no nonce has nothing written to the owner's disk, and of refusals no more than
// kRefusals at once and one a second are: strangers can ask for nonces, too.
//
//   Owns     the nonces.
//   Threads  one.
//   Trust    requests are anybody's.
//   Fails    kDenied with the one reason, kInvalid for what is no request, kUnavailable where the
//            store fails: the reason is in this process's log, and not for strangers.

#include "outside/client/seldom.h"
#include "outside/keys/nonces.h"
#include "outside/keys/store.h"
#include "outside/verify/policy.h"
#include "outside/verify/verify.h"
#include "wire/sealed/release.h"

namespace casemate::keys {

// Whether the policy names enough for a key to go out under it on hardware. A verdict lets pass
// what is not pinned, and says so to whoever reads it; here nobody does, and any monitor, program
// or runtime (which is in the device's measurement, and carries an enclave's words) that the
// operator has written would be good enough. So would be any that he can look into, and any start,
// whose monitor's measurement is its own word.
Status check_pins(const verify::Policy& policy, const std::string& model);

// Whether the key of that package may go to whom the verdict, under this policy, is about.
Status may_release(const verify::Verdict& verdict, const verify::Policy& policy,
                   const Record& record);

class Keeper final {
 public:
  static constexpr int64_t kRefusals = 64;
  // For another process that writes to the store: everybody else waits meanwhile.
  static constexpr std::chrono::milliseconds kPatience{1000};

  // `collateral`: what hardware's evidence is held against; it is read once, by who makes a Keeper.
  Keeper(Store& store, Clock& clock, Random& random,
         std::shared_ptr<const verify::Collateral> collateral = nullptr);

  Nonce challenge() { return nonces_.make(); }
  // `body` is a KeyRequest and the evidence.
  Result<sealed::WrappedKey> release(Bytes body);

 private:
  // The key, once it is logged who gets it. Without one `line` says whose it is.
  Result<sealed::WrappedKey> decide(const sealed::KeyRequest& request, Bytes evidence,
                                    AuditLine& line);
  Result<Record> find(const sealed::KeyRequest& request, AuditLine& line);
  Status write_refusal(const AuditLine& line, Bytes evidence);
  Error cannot_answer(const Error& why);

  Store& store_;
  Clock& clock_;
  std::shared_ptr<const verify::Collateral> collateral_;
  Nonces nonces_;
  client::Seldom refusals_{clock_, kRefusals, std::chrono::seconds(1)};
  // Lines about those without a nonce, and about the store.
  client::Seldom strangers_{clock_, 1, std::chrono::seconds(10)};
  client::Seldom faults_{clock_, 4, std::chrono::seconds(10)};
};

}  // namespace casemate::keys
