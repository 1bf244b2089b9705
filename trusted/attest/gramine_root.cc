// SPDX-License-Identifier: Apache-2.0
// Gramine's /dev/attestation, which each process has to itself.
#include <unistd.h>

#include "base/format.h"
#include "trusted/attest/root.h"
#include "trusted/attest/root_file.h"

namespace casemate::attest {
namespace {

class GramineRoot final : public RootOfTrust {
 public:
  explicit GramineRoot(std::string folder) : folder_(std::move(folder)) {}

  // The report data come first: whoever opens quote before has one over what was there.
  Result<std::vector<uint8_t>> quote(const allow::Vouch&,
                                     const ByteArray<64>& report_data) override {
    TRY(write_root_file(folder_ + "/user_report_data", report_data));
    const auto quote = TRY(read_root_file(folder_ + "/quote", kQuoteBytes));
    if (!quote.empty()) return encode_hardware_quote(RootKind::kGramine, "dcap", quote, {}, {});
    return Error{Code::kPlatform,
                 formatted("{}/quote: is empty; Gramine's log may say why", folder_)};
  }

 private:
  std::string folder_;
};

}  // namespace

Result<std::unique_ptr<RootOfTrust>> open_gramine_root(const std::string& folder) {
  if (::access(folder.c_str(), F_OK) != 0) {
    return Error{Code::kNotFound,
                 formatted("{}: is not there: this is no SGX enclave under Gramine; start with "
                           "another --root",
                           folder)};
  }
  const std::string type = TRY(read_root_line(folder + "/attestation_type"));
  if (type != "dcap") {
    return Error{Code::kUnsupported,
                 formatted("{}/attestation_type: is '{}', and this build takes 'dcap': set "
                           "sgx.remote_attestation = \"dcap\" in Gramine's manifest",
                           folder, type)};
  }
  return std::unique_ptr<RootOfTrust>(std::make_unique<GramineRoot>(folder));
}

}  // namespace casemate::attest
