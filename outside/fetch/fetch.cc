// SPDX-License-Identifier: Apache-2.0
#include "outside/fetch/fetch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "outside/child/child.h"
#include "outside/client/file.h"
#include "outside/verify/collateral/collateral.h"

namespace casemate::fetch {
namespace {

constexpr std::string_view kIntelAddress = "https://api.trustedservices.intel.com";
constexpr std::string_view kIntelRootAddress = "https://certificates.trustedservices.intel.com";
constexpr std::string_view kAmdAddress = "https://kdsintf.amd.com";
// Where a cache has what Intel's root publishes elsewhere.
constexpr std::string_view kRootListOfCaches = "/sgx/certification/v4/rootcacrl";

constexpr uint64_t kHeaderBytes = 256 << 10;
constexpr uint64_t kSaidBytes = 64 << 10;
constexpr int kTries = 3;
constexpr Duration kGrace = std::chrono::seconds(10);  // for starting, and pauses between tries

// How curl ends (its manual, "EXIT CODES").
enum CurlExit : int {
  kNoProxyFound = 5,
  kNoHostFound = 6,
  kNoConnection = 7,
  kBadStatus = 22,
  kTooSlow = 28,
  kTlsFailed = 35,
  kTooMuch = 63,
  kPeerRefused = 60,
  kCaUnreadable = 77,
};

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string_view base_of(std::string_view address) {
  while (address.ends_with('/')) address.remove_suffix(1);
  return address;
}

Status check_address(std::string_view address, std::string_view flag) {
  const bool sound = address.size() > std::string_view("https://").size() &&
                     address.starts_with("https://") && std::ranges::all_of(address, [](char c) {
                       return c > ' ' && c < 127 && !std::string_view("?#@\"\\").contains(c);
                     });
  if (address.empty() || sound) return {};
  return Error{Code::kInvalid, formatted("{} {}: the address of a service is https://HOST[:PORT]"
                                         "[/PATH], without a query or a password",
                                         flag, printable(address, 200))};
}

// A folder inside of the target, whose reader does not enter it, so that half a file is never
// taken for one and the last step is a rename.
class Workplace final {
 public:
  static Result<Workplace> make(const std::string& folder) {
    std::error_code wrong;
    std::filesystem::create_directories(folder, wrong);
    if (wrong) {
      return Error{Code::kPlatform,
                   formatted("the folder {} cannot be made: {}", folder, wrong.message())};
    }
    std::string path = folder + "/.fetching-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return errno_error("making a folder in " + folder);
    return Workplace(folder, path);
  }
  Workplace(Workplace&& other) noexcept
      : folder_(std::move(other.folder_)), path_(std::exchange(other.path_, "")) {}
  Workplace& operator=(Workplace&&) = delete;
  ~Workplace() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string body() const { return path_ + "/body"; }
  [[nodiscard]] std::string headers() const { return path_ + "/headers"; }
  // As before the first question.
  void clear() const {
    ::unlink(body().c_str());
    ::unlink(headers().c_str());
  }
  // Puts a file into the folder, whole or not at all.
  [[nodiscard]] Status keep(const Kept& kept) const {
    const std::string made = path_ + "/kept";
    const std::string target = folder_ + "/" + kept.file;
    TRY(client::write_file(made, kept.content));
    if (std::rename(made.c_str(), target.c_str()) != 0) return errno_error("writing " + target);
    return {};
  }

 private:
  Workplace(std::string folder, std::string path)
      : folder_(std::move(folder)), path_(std::move(path)) {}
  std::string folder_;
  std::string path_;
};

child::Command curl_for(const std::string& program, const std::string& url,
                        const Services& services, const Workplace& place) {
  const double patience = seconds_of(services.patience);
  std::vector<std::string> words = {"curl",
                                    "--disable",  // no configuration file: what is here is all
                                    "--silent",
                                    "--show-error",
                                    "--fail",
                                    "--globoff",
                                    "--proto",
                                    "=https",
                                    "--tlsv1.2",
                                    "--max-time",
                                    formatted("{:.3f}", patience),
                                    "--max-filesize",
                                    formatted("{}", kAnswerBytes),
                                    "--retry",
                                    formatted("{}", kTries - 1),
                                    "--retry-max-time",
                                    formatted("{:.0f}", 2 * patience + 1),
                                    "--output",
                                    place.body(),
                                    "--dump-header",
                                    place.headers(),
                                    "--write-out",
                                    "%{response_code}"};
  if (!services.ca_file.empty()) words.insert(words.end(), {"--cacert", services.ca_file});
  words.insert(words.end(), {"--url", url});
  // Its environment is ours: proxies and authorities are named there. A curl that does not know
  // the size of an answer beforehand may not notice that it is too large: the kernel does.
  return {.program = program,
          .arguments = std::move(words),
          .environment = child::own_environment(),
          .file_bytes_max = kAnswerBytes + 1};
}

// The last that it said, in one line: it may have been asked three times.
std::string last_words(std::string_view said) {
  while (said.ends_with('\n') || said.ends_with('\r')) said.remove_suffix(1);
  const size_t line = said.rfind('\n');
  const std::string words = printable(line == said.npos ? said : said.substr(line + 1), 300);
  return words.empty() ? "curl said nothing" : words;
}

struct Advice {
  Code code;
  std::string_view text;
};

Advice advice_on_status(std::string_view status) {
  if (status == "404") {
    return {Code::kNotFound,
            "the service does not know such a platform: compare what the evidence says of it, and "
            "--product"};
  }
  if (status == "429") return {Code::kUnavailable, "it is asked too often: wait some minutes"};
  if (status.starts_with('5')) return {Code::kUnavailable, "the service is ill: try again later"};
  if (status == "401" || status == "403")
    return {Code::kDenied, "the service wants to know who asks: use one that does not"};
  return {Code::kInvalid, "is that the address of such a service?"};
}

Advice advice_on(int exit, std::string_view status) {
  switch (exit) {
    case kNoProxyFound:
    case kNoHostFound:
    case kNoConnection:
      return {Code::kUnavailable,
              "is there a network? Behind a proxy set https_proxy; or run this where there is one, "
              "and carry the folder over"};
    case kBadStatus:
      return advice_on_status(status);
    case kTooSlow:
      return {Code::kTimedOut,
              "try again later, give it longer with --timeout SECONDS, or ask a cache nearby"};
    case kCaUnreadable:
      return {Code::kDenied,
              "curl cannot read whom to believe: install the package ca-certificates, or name an "
              "authority in PEM with --ca FILE"};
    case kTlsFailed:
    case kPeerRefused:
      return {Code::kDenied,
              "if it is a cache or mirror of yours, name its authority with --ca FILE; if not, "
              "somebody stands between you and the service"};
    case kTooMuch:
      return {Code::kTooLarge, "nothing that is asked for is as large: is that such a service?"};
    case 127:
      return {Code::kPlatform, "curl could not be started"};
    default:
      return {Code::kUnavailable, "curl's manual has its exit codes; try again later"};
  }
}

Error refused(const std::string& url, const Advice& advice, std::string_view why) {
  return {advice.code, formatted("{}: {}; {}", url, why, advice.text)};
}

// Succeeds when curl has brought an answer.
Status check_said(const child::Said& said, const std::string& url) {
  if (WIFSIGNALED(said.status)) {
    const int signal = WTERMSIG(said.status);
    if (signal == SIGXFSZ) return refused(url, advice_on(kTooMuch, ""), "the answer is too large");
    const char* name = ::sigabbrev_np(signal);
    return Error{Code::kPlatform,
                 formatted("{}: curl was ended by SIG{}", url, name == nullptr ? "?" : name)};
  }
  const int exit = WEXITSTATUS(said.status);
  const std::string status = printable(said.out, 10);
  if (exit != 0) {
    return refused(url, advice_on(exit, status),
                   formatted("curl ended with {} and said \"{}\"", exit, last_words(said.err)));
  }
  // Redirections are not followed, and are no failure to curl.
  if (status != "200")
    return refused(url, advice_on_status(status), formatted("the answer's status is {}", status));
  return {};
}

Result<std::vector<Kept>> ask(const Wanted& wanted, const Services& services,
                              const std::string& program, const Workplace& place) {
  place.clear();
  const std::string url = url_of(wanted, services);
  const Instant end = system_clock().now() + kTries * services.patience + kGrace;
  const auto said = child::run(curl_for(program, url, services, place), kSaidBytes, end);
  if (!said && said.error().code == Code::kTimedOut)
    return refused(url, advice_on(kTooSlow, ""), "curl did not end in time");
  if (!said) return said.error();
  TRY(check_said(*said, url));
  // An answer without a body leaves no file.
  const auto body = client::read_file(place.body(), kAnswerBytes).value_or(std::vector<uint8_t>{});
  const auto headers = TRY(client::read_file(place.headers(), kHeaderBytes));
  auto kept = judge_answer(wanted, body, text_of(headers));
  if (!kept) {
    return Error{kept.error().code,
                 formatted("{}: {}; nothing of it was kept: is that the address of such a service, "
                           "and no page of a proxy?",
                           url, kept.error().text)};
  }
  return kept;
}

Result<std::string> curl() {
  auto found = child::program_in_path("curl");
  if (found) return found;
  return Error{Code::kNotFound,
               formatted("{}, and it asks the vendors' services: install curl, or fetch the folder "
                         "on another machine",
                         found.error().text)};
}

Status check_vlek(const std::string& folder) {
  const auto collateral = TRY(verify::Collateral::read_folder(folder));
  if (std::ranges::any_of(collateral.certificates(), certifies_vlek)) return {};
  return Error{Code::kNotFound,
               formatted("the report was signed by a VLEK, which no service of AMD gives out, but "
                         "whoever runs the cloud: take it from the table of certificates that "
                         "comes with the report (configfs-tsm: auxblob) and put it into {}",
                         folder)};
}

}  // namespace

std::string url_of(const Wanted& wanted, const Services& services) {
  if (wanted.service == Service::kAmd) {
    return formatted("{}{}", services.amd.empty() ? kAmdAddress : base_of(services.amd),
                     wanted.path);
  }
  if (!services.intel.empty()) {
    const bool root = wanted.service == Service::kIntelRoot;
    return formatted("{}{}", base_of(services.intel),
                     root ? kRootListOfCaches : std::string_view(wanted.path));
  }
  return formatted("{}{}",
                   wanted.service == Service::kIntelRoot ? kIntelRootAddress : kIntelAddress,
                   wanted.path);
}

Status check_services(const Services& services) {
  TRY(check_address(services.intel, "--intel"));
  return check_address(services.amd, "--amd");
}

Status fetch(const Plan& plan, const Services& services, const std::string& folder,
             const std::function<void(const Kept&)>& tell) {
  TRY(check_services(services));
  if (!services.ca_file.empty()) TRY(client::read_file(services.ca_file, kAnswerBytes));
  const std::string program = TRY(curl());
  const Workplace place = TRY(Workplace::make(folder));
  for (const Wanted& wanted : plan.wanted) {
    for (const Kept& kept : TRY(ask(wanted, services, program, place))) {
      TRY(place.keep(kept));
      tell(kept);
    }
  }
  if (plan.needs_vlek) return check_vlek(folder);
  return {};
}

}  // namespace casemate::fetch
