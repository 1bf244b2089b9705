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

constexpr const char* kKeyFile = "software-root.key";

Result<SigningKey> read_key(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return errno_error(formatted("opening {}", path));
  struct stat facts{};
  if (::fstat(fd.number(), &facts) != 0) return errno_error(formatted("looking at {}", path));
  if (!S_ISREG(facts.st_mode) || (facts.st_mode & 077) != 0 || facts.st_uid != ::geteuid()) {
    return Error{Code::kDenied,
                 formatted("{}: the root's key must be a file that only its owner can read; "
                           "remove it to have a new one made",
                           path)};
  }
  ByteArray<1024> der;
  const ssize_t size = ::read(fd.number(), der.data(), der.size());
  if (size <= 0)
    return Error{Code::kInvalid,
                 formatted("{}: is empty; remove it to have a new root made", path)};
  auto key = SigningKey::from_der(Bytes(der).first(static_cast<size_t>(size)));
  clear_secret(der);
  return key;
}

// Writes beside the place and renames, so a crash leaves either no key or a whole one.
Result<SigningKey> make_key(const std::string& path) {
  SigningKey key = TRY(SigningKey::generate());
  std::vector<uint8_t> der = TRY(key.to_der());
  const std::string half = formatted("{}.{}", path, ::getpid());
  ::unlink(half.c_str());  // of a process with our number that crashed here
  const Fd fd(::open(half.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool written =
      fd.valid() &&
      ::write(fd.number(), der.data(), der.size()) == static_cast<ssize_t>(der.size()) &&
      ::fsync(fd.number()) == 0 && ::rename(half.c_str(), path.c_str()) == 0;
  clear_secret(der);
  if (!written) return errno_error(formatted("writing {}", path));
  return key;
}

class SoftwareRoot final : public RootOfTrust {
 public:
  SoftwareRoot(SigningKey key, const Sha384Digest& platform, bool debug)
      : key_(std::move(key)), platform_(platform), debug_(debug) {}

  Result<std::vector<uint8_t>> quote(const allow::Vouch&,
                                     const ByteArray<64>& report_data) override {
    SoftwareQuote quote;
    quote.flags = debug_ ? SoftwareQuote::kDebug : 0;
    quote.security_version = 1;
    quote.issued_unix = system_clock().unix_seconds();
    quote.report_data = report_data;
    quote.platform_measurement = platform_;
    quote.root_key_size = static_cast<uint32_t>(key_.public_der().size());
    std::ranges::copy(key_.public_der(), quote.root_key.begin());
    quote.signature = TRY(key_.sign(quote.signed_bytes()));
    const Bytes bytes = bytes_of(quote);
    return std::vector<uint8_t>(bytes.begin(), bytes.end());
  }
  [[nodiscard]] bool quick() const override { return true; }

 private:
  SigningKey key_;
  Sha384Digest platform_;
  bool debug_;
};

}  // namespace

Result<std::unique_ptr<RootOfTrust>> open_software_root(const std::string& state_folder,
                                                        const Sha384Digest& platform_measurement,
                                                        bool debug) {
  const std::string path = formatted("{}/{}", state_folder, kKeyFile);
  const bool exists = ::access(path.c_str(), F_OK) == 0;
  SigningKey key = TRY(exists ? read_key(path) : make_key(path));
  return std::unique_ptr<RootOfTrust>(
      std::make_unique<SoftwareRoot>(std::move(key), platform_measurement, debug));
}

}  // namespace casemate::attest
