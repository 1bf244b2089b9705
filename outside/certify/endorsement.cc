// SPDX-License-Identifier: Apache-2.0
#include "outside/certify/endorsement.h"

#include <algorithm>

namespace casemate::certify {
namespace {

constexpr uint32_t kEmpty = TpmDevice::kPassword;
// The first template and index of the TCG EK Credential Profile, section 2: RSA of 2,048 bits, used
// with the endorsement hierarchy's password by way of this policy.
constexpr uint32_t kCertificateIndex = 0x01C00002;
constexpr ByteArray<32> kEndorsementPolicy = {
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC, 0x8D, 0x46, 0xA5, 0xD7, 0x24,
    0xFD, 0x52, 0xD7, 0x6E, 0x06, 0x52, 0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B, 0x33, 0x14, 0x69, 0xAA};
constexpr Duration kRsaPatience = std::chrono::seconds(120);  // chips search for primes that long

// A key or a session in the TPM, for as long as it is needed.
class Held final {
 public:
  Held(TpmDevice& device, uint32_t handle) : device_(device), handle_(handle) {}
  Held(const Held&) = delete;
  ~Held() { device_.flush(handle_); }
  [[nodiscard]] uint32_t handle() const { return handle_; }

 private:
  TpmDevice& device_;
  uint32_t handle_;
};

Result<std::vector<uint8_t>> read_endorsement_certificate(TpmDevice& device) {
  const auto known = TRY(device.ask(
      {.command = 0x169, .name = "TPM2_NV_ReadPublic", .handles = {kCertificateIndex}}, {}));
  TpmReader outer(known.parameters);
  TpmReader reader(TRY(outer.sized("the certificate's place")));
  TRY(reader.bytes(4 + 2 + 4, "the certificate's place"));
  TRY(reader.sized("the certificate's policy"));
  const uint16_t size = TRY(reader.u16("the certificate's size"));
  std::vector<uint8_t> certificate;
  while (certificate.size() < size) {
    const auto piece = static_cast<uint16_t>(std::min<size_t>(size - certificate.size(), 512));
    TpmWriter where;
    where.u16(piece).u16(static_cast<uint16_t>(certificate.size()));
    const auto answer = TRY(device.ask({.command = 0x14E,
                                        .name = "TPM2_NV_Read",
                                        .handles = {kCertificateIndex, kCertificateIndex},
                                        .sessions = {kEmpty}},
                                       where.view()));
    const Bytes read = TRY(TpmReader(answer.parameters).sized("the certificate"));
    if (read.size() != piece)
      return Error{Code::kInvalid, formatted("the TPM gave {} of {} bytes", read.size(), piece)};
    certificate.insert(certificate.end(), read.begin(), read.end());
  }
  return certificate;
}

Result<uint32_t> make_endorsement_key(TpmDevice& device) {
  using namespace tpm;
  constexpr uint32_t kAdminWithPolicy = 1 << 7;
  TpmWriter out;
  out.u16(kRsa).u16(kSha256).u32(kFixedTpm | kFixedParent | kSensitiveDataOrigin |
                                 kAdminWithPolicy | kRestricted | kDecrypt);
  out.sized(kEndorsementPolicy).u16(kAes).u16(128).u16(kCfb).u16(kNull).u16(2048).u32(0);
  out.sized(ByteArray<256>{});
  return TRY(device.make_primary(out.view(), kRsaPatience)).handle;
}

Result<uint32_t> start_policy(TpmDevice& device) {
  constexpr uint32_t kNobody = 0x40000007;  // TPM_RH_NULL
  ByteArray<16> nonce;
  system_random().fill(nonce);
  TpmWriter start;
  start.sized(nonce).u16(0).u8(1).u16(tpm::kNull).u16(tpm::kSha256);  // no salt; a policy
  return TRY(device.ask({.command = 0x176,
                         .name = "TPM2_StartAuthSession",
                         .handles = {kNobody, kNobody},
                         .makes_handle = true},
                        start.view()))
      .handle;
}

}  // namespace

Result<std::vector<uint8_t>> make_request(TpmDevice& device) {
  const auto certificate = TRY(read_endorsement_certificate(device));
  const auto key = TRY(device.make_attestation_key());
  device.flush(key.handle);
  return TpmWriter().sized(certificate).sized(key.parameters).take();
}

Result<std::vector<uint8_t>> activate_credential(TpmDevice& device, Bytes credential) {
  const Held key(device, TRY(device.make_attestation_key()).handle);
  const Held endorsement(device, TRY(make_endorsement_key(device)));
  const Held session(device, TRY(start_policy(device)));
  TpmWriter policy;
  policy.u16(0).u16(0).u16(0).u32(0);  // no nonce, command, reference or end
  TRY(device.ask({.command = 0x151,
                  .name = "TPM2_PolicySecret",
                  .handles = {tpm::kEndorsement, session.handle()},
                  .sessions = {kEmpty}},
                 policy.view()));
  const auto answer = device.ask({.command = 0x147,
                                  .name = "TPM2_ActivateCredential",
                                  .handles = {key.handle(), endorsement.handle()},
                                  .sessions = {kEmpty, session.handle()},
                                  .patience = kRsaPatience},
                                 credential);
  if (!answer && answer.error().code == Code::kDenied) {
    return Error{Code::kDenied,
                 "the grant is for another TPM, or for another key of this one: ask "
                 "for it again (" +
                     answer.error().text + ")"};
  }
  if (!answer) return answer.error();
  const Bytes secret = TRY(TpmReader(answer->parameters).sized("the secret"));
  return std::vector<uint8_t>(secret.begin(), secret.end());
}

}  // namespace casemate::certify
