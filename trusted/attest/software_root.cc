// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.h"
#include "base/fd.h"
#include "base/format.h"
#include "trusted/attest/root.h"
#include "wire/evidence/evidence.h"

namespace casemate::attest {
namespace {

constexpr size_t kFileBytes = 8 << 10;  // a key has 185, three certificates have 1,300

Result<std::vector<uint8_t>> read_own_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) {
    const bool missing = errno == ENOENT;
    Error error = errno_error(formatted("opening {}", path));
    if (missing) error.text += "; casemate serve makes it where it is missing";
    return error;
  }
  struct stat facts{};
  if (::fstat(fd.number(), &facts) != 0) return errno_error(formatted("looking at {}", path));
  if (!S_ISREG(facts.st_mode) || (facts.st_mode & 077) != 0 || facts.st_uid != ::geteuid()) {
    return Error{Code::kDenied,
                 formatted("{}: must be a file that only its owner can read; remove it to have "
                           "casemate serve make it anew",
                           path)};
  }
  std::vector<uint8_t> content(kFileBytes + 1);
  const ssize_t size = ::read(fd.number(), content.data(), content.size());
  if (size <= 0 || size > static_cast<ssize_t>(kFileBytes)) {
    clear_secret(content);
    return Error{Code::kInvalid, formatted("{}: must have 1 to {} bytes; remove it to have "
                                           "casemate serve make it anew",
                                           path, kFileBytes)};
  }
  content.resize(static_cast<size_t>(size));
  return content;
}

class SoftwareRoot final : public RootOfTrust {
 public:
  SoftwareRoot(SigningKey key, std::vector<uint8_t> chain, const Sha384Digest& platform, bool debug)
      : key_(std::move(key)), chain_(std::move(chain)), platform_(platform), debug_(debug) {}

  Result<std::vector<uint8_t>> quote(const allow::Vouch&,
                                     const ByteArray<64>& report_data) override {
    SoftwareQuote quote;
    quote.flags = debug_ ? SoftwareQuote::kDebug : 0;
    quote.security_version = 1;
    quote.issued_unix = system_clock().unix_seconds();
    quote.report_data = report_data;
    quote.platform_measurement = platform_;
    quote.signature = TRY(key_.sign(quote.signed_bytes()));
    return encode_hardware_quote(RootKind::kSoftware, kSoftwareProvider, bytes_of(quote), chain_,
                                 {});
  }
  [[nodiscard]] bool quick() const override { return true; }

 private:
  SigningKey key_;
  std::vector<uint8_t> chain_;
  Sha384Digest platform_;
  bool debug_;
};

}  // namespace

Result<std::unique_ptr<RootOfTrust>> open_software_root(const std::string& state_folder,
                                                        const Sha384Digest& platform_measurement,
                                                        bool debug) {
  const std::string path = formatted("{}/{}", state_folder, kSoftwareKeyFile);
  std::vector<uint8_t> der = TRY(read_own_file(path));
  auto key = SigningKey::from_der(der);
  clear_secret(der);
  if (!key) return Error{key.error().code, formatted("{}: {}", path, key.error().text)};
  auto chain = TRY(read_own_file(formatted("{}/{}", state_folder, kSoftwareChainFile)));
  return std::unique_ptr<RootOfTrust>(std::make_unique<SoftwareRoot>(
      *std::move(key), std::move(chain), platform_measurement, debug));
}

}  // namespace casemate::attest
