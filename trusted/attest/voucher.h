// SPDX-License-Identifier: Apache-2.0
#pragma once
// Voucher: the monitor's signing key, and the two things it does with it: it has the root vouch for
// itself together with an enclave's key, and it signs tokens about enclaves that it measured.
//
//   Owns     the monitor's key, on P-256; made at start, in no file, gone with the process.
//   Threads  one.
//   Trust    fills in what the monitor knows itself; of what an enclave says, only its key hash and
//            a nonce go in.
//   Fails    kPlatform from the root or libcrypto.

#include <memory>
#include <optional>

#include "trusted/attest/quoting.h"
#include "trusted/attest/root.h"
#include "wire/evidence/evidence.h"

namespace casemate::attest {

// What the monitor measured about one enclave, before keys and nonces.
struct Measured {
  EnclaveId enclave;
  EnclaveKind kind = EnclaveKind::kModel;
  uint32_t model_version = 0;
  bool debug = false;
  Sha384Digest program{};
  Sha384Digest manifest{};
  Sha384Digest model{};
  Sha384Digest device{};
  Sha384Digest peers{};
  uint32_t peer_count = 0;
  std::vector<uint8_t> device_evidence;  // its bytes; none: empty
  std::string name;
  std::string device_name;
};

class Voucher final {
 public:
  // `platform` is what the monitor has measured of itself.
  static Result<Voucher> make(const allow::Vouch& vouch, std::unique_ptr<RootOfTrust> root,
                              const Sha384Digest& platform);

  // The root's quote over the claims {key and what it is for, platform, monitor key}.
  struct Vouched {
    std::vector<uint8_t> claims;
    std::vector<uint8_t> quote;
    std::optional<Quoting> quoting;  // of a root that is not quick: there is no quote yet
  };
  Result<Vouched> vouch_for_key(const Sha256Digest& key_hash, KeyUse use = KeyUse::kTls);
  // A signed token about an enclave, with its key's hash (zero: none) and a nonce (zero: cached
  // evidence).
  Result<EnclaveToken> token(const Measured& measured, Epoch epoch, const Sha384Digest& key_hash,
                             const Nonce& nonce) const;

 private:
  Voucher(const allow::Vouch& vouch, std::unique_ptr<RootOfTrust> root,
          const Sha384Digest& platform, SigningKey key)
      : vouch_(vouch), root_(std::move(root)), platform_(platform), key_(std::move(key)) {}
  allow::Vouch vouch_;
  std::unique_ptr<RootOfTrust> root_;
  Sha384Digest platform_;
  SigningKey key_;
};

}  // namespace casemate::attest
