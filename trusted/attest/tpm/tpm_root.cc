// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/tpm/tpm_root.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>

#include "trusted/attest/tpm/keys.h"

namespace casemate::attest {
namespace {

constexpr int kTries = 5;
constexpr size_t kCertificate = 4096;

// An event as it is written, and as PCR 23 is extended with it.
std::vector<uint8_t> event(TpmEvent kind, Bytes data) {
  return TpmWriter().u32(static_cast<uint32_t>(kind)).sized(data).take();
}

Result<std::vector<uint8_t>> read_certificate(const std::string& path) {
  std::vector<uint8_t> content(kCertificate + 1);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid() && errno == ENOENT) return std::vector<uint8_t>{};
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0) return errno_error("opening " + path);
  const ssize_t size =
      S_ISREG(facts.st_mode) ? ::read(fd.number(), content.data(), content.size()) : -1;
  if (size < 0 || static_cast<size_t>(size) > kCertificate) {
    return Error{Code::kInvalid,
                 formatted("{}: is no file of at most {} bytes; remove it, or have the TPM's key "
                           "certified again",
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
  ~TpmRoot() override {
    if (device_) device_->flush(key_.handle);
  }

  Result<std::vector<uint8_t>> quote(const allow::Vouch&,
                                     const ByteArray<64>& report_data) override {
    TRY(connect());
    TpmQuoteHead head;
    head.issued_unix = system_clock().unix_seconds();
    head.report_data = report_data;
    // Between quoting and reading the PCRs somebody may extend one.
    for (int i = 0; i < kTries; ++i) {
      const TpmSigned quoted =
          TRY(quote_pcrs(*device_, key_.handle, sha256(head.signed_bytes())));
      const std::vector<uint8_t> pcrs = TRY(read_pcrs(*device_));
      if (!std::ranges::equal(Bytes(pcrs).last(own_pcr_.size()), own_pcr_)) {
        TRY(measure());
      } else if (std::ranges::equal(quoted.pcr_digest(), sha256(pcrs))) {
        return encode(head, quoted, pcrs);
      }
    }
    return Error{Code::kUnavailable,
                 formatted("{}: PCRs change all the time: find out which program resets or extends "
                           "PCR 23 (another monitor?), or wait until the machine has started",
                           options_.device)};
  }

  // Connects, makes the key and measures, unless all that has been done.
  Status connect() {
    if (device_ && device_->connected()) return {};
    device_ = TRY(TpmDevice::open(options_.device));
    key_ = TRY(make_attestation_key(*device_));
    return measure();
  }

 private:
  Status measure() {
    TRY(reset_own_pcr(*device_));
    for (const auto& event : events_) TRY(extend_own_pcr(*device_, sha256(event)));
    return {};
  }
  Result<std::vector<uint8_t>> encode(const TpmQuoteHead& head, const TpmSigned& quoted,
                                      Bytes pcrs) {
    const auto certificate = TRY(read_certificate(options_.certificate));
    TpmWriter events;
    for (const auto& event : events_) events.bytes(event);
    return encode_tpm_quote(head, {quoted.attest, quoted.signature, key_.parameters, certificate,
                                   pcrs, events.view()});
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
