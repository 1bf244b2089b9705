// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/voucher.h"

#include "base/clock.h"

namespace casemate::attest {

Result<Voucher> Voucher::make(const allow::Vouch& vouch, std::unique_ptr<RootOfTrust> root,
                              const Sha384Digest& platform) {
  SigningKey key = TRY(SigningKey::generate(Curve::kP256));
  return Voucher(vouch, std::move(root), platform, std::move(key));
}

Result<Voucher::Vouched> Voucher::vouch_for_key(const Sha256Digest& key_hash, KeyUse use) {
  Vouched vouched;
  vouched.claims = encode_claims(key_hash, platform_, key_.public_der(), use);
  const ByteArray<64> data = report_data_of(vouched.claims);
  if (root_->quick()) {
    vouched.quote = TRY(root_->quote(vouch_, data));
  } else {
    vouched.quoting.emplace(TRY(Quoting::start(*root_, vouch_, data)));
  }
  return vouched;
}

Result<EnclaveToken> Voucher::token(const Measured& measured, Epoch epoch,
                                    const Sha384Digest& key_hash, const Nonce& nonce) const {
  EnclaveToken token;
  token.flags = measured.debug ? EnclaveToken::kDebug : 0;
  token.enclave = measured.enclave.number;
  token.epoch = epoch.number;
  token.kind = static_cast<uint32_t>(measured.kind);
  token.model_version = measured.model_version;
  token.issued_unix = system_clock().unix_seconds();
  token.nonce = nonce;
  token.program_measurement = measured.program;
  token.manifest_measurement = measured.manifest;
  token.model_measurement = measured.model;
  token.device_measurement = measured.device;
  token.key_hash = key_hash;
  token.peers_measurement = measured.peers;
  token.peer_count = measured.peer_count;
  token.name = Text<64>::from(measured.name);
  token.device = Text<32>::from(measured.device_name);
  if (!measured.device_evidence.empty()) token.device_evidence = sha384(measured.device_evidence);
  token.signature = TRY(key_.sign(token.signed_bytes()));
  return token;
}

}  // namespace casemate::attest
