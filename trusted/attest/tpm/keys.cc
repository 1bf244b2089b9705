// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/tpm/keys.h"

#include <bit>

namespace casemate::attest {
namespace {

constexpr uint32_t kPassword = TpmDevice::kPassword;

// TPML_PCR_SELECTION of the SHA-256 bank.
void select(TpmWriter& out, uint32_t pcrs) {
  out.u32(1).u16(tpm::kSha256).u8(3);
  for (int shift = 0; shift < 24; shift += 8) out.u8(static_cast<uint8_t>(pcrs >> shift));
}

}  // namespace

Result<TpmDevice::Answer> make_attestation_key(TpmDevice& device) {
  using namespace tpm;
  TpmWriter out;
  out.u16(kEcc).u16(kSha256).u32(kFixedTpm | kFixedParent | kSensitiveDataOrigin | kUserWithAuth |
                                 kNoDa | kRestricted | kSign);
  out.u16(0)                                                   // no policy
      .u16(kNull).u16(kEcdsa).u16(kSha256).u16(kP256).u16(kNull)  // TPMS_ECC_PARMS
      .u16(0).u16(0);                                          // unique
  return device.make_primary(out.view(), std::chrono::seconds(20));
}

Result<TpmSigned> quote_pcrs(TpmDevice& device, uint32_t key, const Sha256Digest& extra_data) {
  TpmWriter out;
  out.sized(extra_data).u16(tpm::kNull);
  select(out, tpm::kQuotedPcrs);
  const auto answer = TRY(device.ask(
      {.command = {0x158, "TPM2_Quote"}, .handles = {key}, .sessions = {kPassword}}, out.view()));
  TpmReader reader(answer.parameters);
  const Bytes attest = TRY(reader.sized("the TPM's quote"));
  const Bytes signature = reader.left();
  if (attest.size() < sizeof(Sha256Digest))
    return Error{Code::kInvalid, "the TPM's quote has no PCR digest"};
  return TpmSigned{{attest.begin(), attest.end()}, {signature.begin(), signature.end()}};
}

Result<std::vector<uint8_t>> read_pcrs(TpmDevice& device) {
  std::vector<uint8_t> values;
  // A TPM gives eight at most at a time, and says which.
  for (uint32_t wanted = tpm::kQuotedPcrs; wanted != 0;) {
    TpmWriter out;
    select(out, wanted);
    const auto answer = TRY(device.ask({.command = {0x17E, "TPM2_PCR_Read"}}, out.view()));
    TpmReader reader(answer.parameters);
    const std::string_view what = "the TPM's list of PCRs";
    TRY(reader.bytes(4 + 4, what));  // how often any has changed; one selection
    const uint16_t bank = TRY(reader.u16(what));
    uint32_t given = 0;
    for (int i = TRY(reader.u8(what)), shift = 0; i > 0 && shift < 24; --i, shift += 8)
      given |= uint32_t{TRY(reader.u8(what))} << shift;
    const uint32_t count = TRY(reader.u32(what));
    // The lowest of those that were wanted, or order would be lost.
    const uint32_t behind = given == 0 ? wanted : wanted & (~uint32_t{0} << std::bit_width(given));
    if (given == 0 || bank != tpm::kSha256 || (given | behind) != wanted ||
        std::popcount(given) != static_cast<int>(count)) {
      return Error{Code::kDenied, "the TPM does not give the SHA-256 values of its PCRs: switch "
                                  "that bank on (tpm2_pcrallocate sha256:all, or the firmware's "
                                  "set-up) and start the machine anew"};
    }
    for (uint32_t i = 0; i < count; ++i) {
      const Bytes value = TRY(reader.sized(what));
      if (value.size() != sizeof(Sha256Digest))
        return Error{Code::kInvalid, formatted("{} has a value of {} bytes", what, value.size())};
      values.insert(values.end(), value.begin(), value.end());
    }
    wanted = behind;
  }
  return values;
}

Status reset_own_pcr(TpmDevice& device) {
  TRY(device.ask({.command = {0x13D, "TPM2_PCR_Reset"},
                  .handles = {tpm::kOwnPcr},
                  .sessions = {kPassword}},
                 {}));
  return {};
}

Status extend_own_pcr(TpmDevice& device, const Sha256Digest& digest) {
  TRY(device.ask({.command = {0x182, "TPM2_PCR_Extend"},
                  .handles = {tpm::kOwnPcr},
                  .sessions = {kPassword}},
                 TpmWriter().u32(1).u16(tpm::kSha256).bytes(digest).view()));
  return {};
}

}  // namespace casemate::attest
