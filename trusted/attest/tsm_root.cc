// SPDX-License-Identifier: Apache-2.0
// Linux's configfs-tsm (Documentation/ABI/testing/configfs-tsm-report): a folder that is made under
// report/ fills with files; what is written to inblob is in the evidence that outblob gives.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>

#include "base/clock.h"
#include "base/format.h"
#include "trusted/attest/root.h"
#include "trusted/attest/root_file.h"

namespace casemate::attest {
namespace {

// A rival writes between our write and our read by chance once, and by intent for ever.
constexpr int kTries = 5;

// A folder of ours, for one quote.
class Report final {
 public:
  static Result<Report> make(const std::string& path) {
    ::rmdir(path.c_str());  // of a quote of ours that was ended half-way
    if (::mkdir(path.c_str(), 0700) != 0) return root_file_error(path);
    return Report(path);
  }
  Report(Report&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  Report& operator=(Report&&) = delete;
  ~Report() {
    if (!path_.empty()) ::rmdir(path_.c_str());
  }

  [[nodiscard]] std::string file(const char* name) const { return formatted("{}/{}", path_, name); }
  [[nodiscard]] bool has(const char* name) const { return ::access(file(name).c_str(), F_OK) == 0; }
  [[nodiscard]] Result<std::string> line(const char* name) const {
    return read_root_line(file(name));
  }
  // What a provider may leave out is empty.
  [[nodiscard]] Result<std::vector<uint8_t>> blob(const char* name, bool needed) const {
    if (!needed && !has(name)) return std::vector<uint8_t>();
    auto content = TRY(read_root_file(file(name), kQuoteBytes));
    if (needed && content.empty())
      return Error{Code::kPlatform,
                   formatted("{}: is empty; the kernel's log may say why", file(name))};
    return content;
  }
  Status write(const char* name, Bytes content) {
    TRY(write_root_file(file(name), content));
    ++writes_;
    return {};
  }
  // How often it was written to, by whomever.
  [[nodiscard]] Result<uint64_t> generation() const {
    const std::string text = TRY(line("generation"));
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
    return Error{Code::kInvalid,
                 formatted("{}: is no number; update the kernel", file("generation"))};
  }
  [[nodiscard]] uint64_t writes() const { return writes_; }

 private:
  explicit Report(std::string path) : path_(std::move(path)) {}
  std::string path_;
  uint64_t writes_ = 0;
};

class TsmRoot final : public RootOfTrust {
 public:
  explicit TsmRoot(std::string path) : path_(std::move(path)) {}

  // Whether there is a provider, before anybody relies on it.
  Status look() const {
    TRY(TRY(Report::make(path_)).line("provider"));
    return {};
  }

  Result<std::vector<uint8_t>> quote(const allow::Vouch&,
                                     const ByteArray<64>& report_data) override {
    Report report = TRY(Report::make(path_));
    const std::string provider = TRY(report.line("provider"));
    for (int i = 0; i < kTries; ++i) {
      const uint64_t before = TRY(report.generation()) - report.writes();
      // The lowest level that this guest may have is the most trusted one.
      if (report.has("privlevel_floor"))
        TRY(report.write("privlevel",
                         bytes_of(std::string_view(TRY(report.line("privlevel_floor"))))));
      TRY(report.write("inblob", report_data));
      const auto out = TRY(report.blob("outblob", true));
      const auto auxiliary = TRY(report.blob("auxblob", false));
      const auto manifest = TRY(report.blob("manifestblob", false));
      // What was written in between by somebody else may be what the evidence is about.
      if (TRY(report.generation()) - report.writes() == before)
        return encode_hardware_quote(RootKind::kTsm, provider, out, auxiliary, manifest);
    }
    return Error{Code::kUnavailable,
                 formatted("{}: somebody else wrote to it before each of {} readings: find and "
                           "stop that program, then try again",
                           path_, kTries)};
  }

 private:
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<RootOfTrust>> open_tsm_root(const std::string& folder) {
  const std::string reports = folder + "/report";
  if (::access(reports.c_str(), F_OK) != 0) {
    return Error{Code::kNotFound,
                 formatted("{}: is not there: this is no confidential guest, its kernel is older "
                           "than Linux 6.7, or configfs is not mounted (mount -t configfs none "
                           "/sys/kernel/config); start with another --root",
                           reports)};
  }
  ByteArray<8> number{};  // so that nobody else has a folder of this name
  system_random().fill(number);
  auto root = std::make_unique<TsmRoot>(formatted("{}/casemate-{}", reports, to_hex(number)));
  TRY(root->look());
  return std::unique_ptr<RootOfTrust>(std::move(root));
}

}  // namespace casemate::attest
