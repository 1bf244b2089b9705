// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/tpm_root.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <optional>

#include "wire/tpm/device.h"

namespace casemate::attest {
namespace {

constexpr int kTries = 5;
constexpr size_t kCertificate = 4096;
constexpr uint32_t kPassword = TpmDevice::kPassword;

struct Quoted {
  std::vector<uint8_t> attest;  // TPMS_ATTEST, which ends in the digest of the PCRs
  std::vector<uint8_t> signature;
};

// An event as it is written, and as PCR 23 is extended with it.
std::vector<uint8_t> event(TpmEvent kind, Bytes data) {
  return TpmWriter().u32(static_cast<uint32_t>(kind)).sized(data).take();
}

// TPML_PCR_SELECTION of the SHA-256 bank.
void select(TpmWriter& out, uint32_t pcrs) {
  out.u32(1).u16(tpm::kSha256).u8(3);
  for (int shift = 0; shift < 24; shift += 8) out.u8(static_cast<uint8_t>(pcrs >> shift));
}

Result<Quoted> quote_pcrs(TpmDevice& device, uint32_t key, const Sha256Digest& extra_data) {
  TpmWriter out;
  select(out.sized(extra_data).u16(tpm::kNull), tpm::kQuotedPcrs);
  const auto answer = TRY(device.ask(
      {.command = 0x158, .name = "TPM2_Quote", .handles = {key}, .sessions = {kPassword}},
      out.view()));
  TpmReader reader(answer.parameters);
  const Bytes attest = TRY(reader.sized("the TPM's quote"));
  if (attest.size() < sizeof(Sha256Digest))
    return Error{Code::kInvalid, "the TPM's quote has no digest of PCRs"};
  return Quoted{{attest.begin(), attest.end()}, {reader.left().begin(), reader.left().end()}};
}

// Adds the values of the lowest PCRs among those wanted: a TPM gives a few at a time. Those that
// are still wanted.
Result<uint32_t> read_some_pcrs(TpmDevice& device, uint32_t wanted, std::vector<uint8_t>& values) {
  constexpr std::string_view kWhat = "the TPM's list of PCRs";
  TpmWriter out;
  select(out, wanted);
  const auto answer = TRY(device.ask({.command = 0x17E, .name = "TPM2_PCR_Read"}, out.view()));
  TpmReader reader(answer.parameters);
  TRY(reader.bytes(4 + 4, kWhat));  // how often any has changed; one selection
  const uint16_t bank = TRY(reader.u16(kWhat));
  uint32_t given = 0;
  const Bytes bitmap = TRY(reader.bytes(TRY(reader.u8(kWhat)), kWhat));
  for (size_t i = 0; i < std::min<size_t>(bitmap.size(), 3); ++i)
    given |= uint32_t{bitmap[i]} << (8 * i);
  const uint32_t count = TRY(reader.u32(kWhat));
  const uint32_t behind = wanted & (~uint32_t{0} << std::bit_width(given));
  if (given == 0 || bank != tpm::kSha256 || (given | behind) != wanted ||
      std::popcount(given) != static_cast<int>(count)) {
    return Error{Code::kDenied,
                 "the TPM does not give the SHA-256 values of its PCRs: switch that "
                 "bank on (tpm2_pcrallocate sha256:all, or the firmware's set-up) "
                 "and start the machine anew"};
  }
  for (uint32_t i = 0; i < count; ++i) {
    const Bytes value = TRY(reader.sized(kWhat));
    if (value.size() != sizeof(Sha256Digest))
      return Error{Code::kInvalid, formatted("{} has a value of {} bytes", kWhat, value.size())};
    values.insert(values.end(), value.begin(), value.end());
  }
  return behind;
}

Result<std::vector<uint8_t>> read_pcrs(TpmDevice& device) {
  std::vector<uint8_t> values;
  for (uint32_t wanted = tpm::kQuotedPcrs; wanted != 0;)
    wanted = TRY(read_some_pcrs(device, wanted, values));
  return values;
}

Result<std::vector<uint8_t>> read_certificate(const std::string& path) {
  std::vector<uint8_t> content(kCertificate + 1);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid() && errno == ENOENT) return std::vector<uint8_t>{};
  if (!fd.valid()) return errno_error("opening " + path);
  const ssize_t size = ::read(fd.number(), content.data(), content.size());
  if (size < 0 || static_cast<size_t>(size) > kCertificate) {
    return Error{Code::kInvalid, formatted("{}: is no file of at most {} bytes; remove it, or have "
                                           "the TPM's key certified again",
                                           path, kCertificate)};
  }
  content.resize(static_cast<size_t>(size));
  return content;
}

class TpmRoot final : public RootOfTrust {
 public:
  TpmRoot(const TpmOptions& options, const Sha384Digest& platform) : options_(options) {
    const auto flags = TpmWriter().u32(options.debug ? kTpmDebug : 0).take();
    events_ = {event(TpmEvent::kPlatform, platform), event(TpmEvent::kFlags, flags)};
    for (const auto& event : events_)
      own_pcr_ = sha256(TpmWriter().bytes(own_pcr_).bytes(sha256(event)).view());
  }
  ~TpmRoot() override { disconnect(); }

  Result<std::vector<uint8_t>> quote(const allow::Vouch&,
                                     const ByteArray<64>& report_data) override {
    auto said = quote_once(report_data);
    if (said || said.error().code == Code::kUnavailable) return said;
    disconnect();  // the TPM may have been started anew since, and have forgotten the key
    return quote_once(report_data);
  }

  // Connects, makes the key and measures, unless all that has been done.
  Status connect() {
    if (device_ && device_->connected()) return {};
    device_ = TRY(TpmDevice::open(options_.device));
    key_ = TRY(device_->make_attestation_key());
    TRY(measure());
    TRY(read_pcrs(*device_));  // there may be none of SHA-256: better known now than with a client
    return {};
  }

 private:
  void disconnect() {
    if (device_) device_->flush(key_.handle);
    device_.reset();
  }

  Result<std::vector<uint8_t>> quote_once(const ByteArray<64>& report_data) {
    TRY(connect());
    TpmQuoteHead head;
    head.issued_unix = system_clock().unix_seconds();
    head.report_data = report_data;
    const auto extra_data = sha256(head.signed_bytes());
    // Between quoting and reading the PCRs somebody may extend one.
    for (int i = 0; i < kTries; ++i) {
      const Quoted quoted = TRY(quote_pcrs(*device_, key_.handle, extra_data));
      const std::vector<uint8_t> pcrs = TRY(read_pcrs(*device_));
      const Bytes signed_digest = Bytes(quoted.attest).last(sizeof(Sha256Digest));
      if (!std::ranges::equal(Bytes(pcrs).last(own_pcr_.size()), own_pcr_)) {
        TRY(measure());
      } else if (std::ranges::equal(signed_digest, sha256(pcrs))) {
        const auto certificate = TRY(read_certificate(options_.certificate_path));
        TpmWriter events;
        for (const auto& event : events_) events.bytes(event);
        return encode_tpm_quote(head, std::array<Bytes, TpmQuoteHead::kParts>{
                                          quoted.attest, quoted.signature, key_.parameters,
                                          certificate, pcrs, events.view()});
      }
    }
    return Error{Code::kUnavailable,
                 formatted("{}: PCRs change all the time: find out which program resets or extends "
                           "PCR 23 (another monitor?), or wait until the machine has started",
                           options_.device)};
  }

  Status measure() {
    const auto ask = [&](uint32_t command, const char* name, Bytes parameters) {
      return device_->ask(
          {.command = command, .name = name, .handles = {tpm::kOwnPcr}, .sessions = {kPassword}},
          parameters);
    };
    TRY(ask(0x13D, "TPM2_PCR_Reset", {}));
    for (const auto& event : events_) {
      const auto digests = TpmWriter().u32(1).u16(tpm::kSha256).bytes(sha256(event)).take();
      TRY(ask(0x182, "TPM2_PCR_Extend", digests));
    }
    return {};
  }

  TpmOptions options_;
  std::vector<std::vector<uint8_t>> events_;
  Sha256Digest own_pcr_{};  // what PCR 23 holds when they are measured
  std::optional<TpmDevice> device_;
  TpmDevice::Answer key_;
};

}  // namespace

Result<std::unique_ptr<RootOfTrust>> open_tpm_root(const TpmOptions& options,
                                                   const Sha384Digest& platform_measurement) {
  auto root = std::make_unique<TpmRoot>(options, platform_measurement);
  TRY(root->connect());
  return std::unique_ptr<RootOfTrust>(std::move(root));
}

}  // namespace casemate::attest
