// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "base/format.h"
#include "base/log.h"

namespace casemate::proxy {
namespace {

using Json = nlohmann::ordered_json;

Json enclave_of(const EnclaveToken& token) {
  const bool gateway = token.kind == static_cast<uint32_t>(EnclaveKind::kGateway);
  return {
      {"kind", gateway ? "gateway" : "model"},    {"name", printable(token.name.view(), 64)},
      {"version", token.model_version},           {"program", to_hex(token.program_measurement)},
      {"model", to_hex(token.model_measurement)}, {"key", to_hex(token.key_hash)}};
}

void add_verdict(Json& json, const verify::Verdict& verdict) {
  json["status"] = verdict.status();
  json["development_root"] = verdict.development_root;
  json["root"] = {{"kind", printable(verdict.root, 32)}, {"key", to_hex(verdict.root_key_hash)}};
  json["platform"] = to_hex(verdict.platform);
  json["enclaves"] = Json::array();
  for (const EnclaveToken& token : verdict.tokens) json["enclaves"].push_back(enclave_of(token));
  json["evidence_sha256"] = to_hex(verdict.evidence_hash);
  json["weakened"] = verdict.weakened;
}

Error cannot(std::string_view what, const std::string& path) {
  return {Code::kPlatform, formatted("{}; make room or name another file",
                                     errno_error(formatted("{} the record {}", what, path)).text)};
}

// A file that is made now is there after a power cut, too.
Status keep_name(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Fd place(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (place.valid() && ::fsync(place.number()) == 0) return {};
  return cannot("keeping", path);
}

}  // namespace

Result<Record> Record::open(const std::string& path, std::string server, const Clock& clock) {
  Fd file(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                 0600));
  if (!file.valid()) return cannot("opening", path);
  struct stat facts{};
  if (::fstat(file.number(), &facts) != 0) return cannot("opening", path);
  const bool ours = S_ISREG(facts.st_mode) && facts.st_uid == ::geteuid();
  if (!ours || (facts.st_mode & 077) != 0) {
    return Error{Code::kDenied,
                 formatted("the record {} is no regular file of this user's that others can "
                           "neither read nor write; chmod 600 it, or name another",
                           path)};
  }
  TRY(keep_name(path));
  Record record(path, std::move(server), clock, std::move(file));
  char last = '\n';
  if (facts.st_size > 0 && ::pread(record.file_.number(), &last, 1, facts.st_size - 1) != 1)
    return cannot("reading", path);
  record.torn_ = last != '\n';
  return record;
}

Status Record::append(const std::expected<verify::Verdict, Refusal>& looked,
                      const verify::Policy& policy) {
  if (!looked && !refusals_.take()) return {};
  const auto now = std::chrono::seconds(clock_->unix_seconds());
  const verify::Verdict* verdict = looked                   ? &*looked
                                   : looked.error().verdict ? &*looked.error().verdict
                                                            : nullptr;
  Json json;
  json["time"] = formatted("{:%FT%TZ}", std::chrono::sys_seconds(now));
  json["server"] = server_;
  json["accepted"] = looked.has_value();
  json["reason"] = looked ? verify::line_of(*looked) : printable(looked.error().error.text, 1000);
  const std::string rules = verify::policy_text(policy);
  json["policy_sha256"] = to_hex(sha256(bytes_of(std::string_view(rules))));
  if (verdict != nullptr) add_verdict(json, *verdict);
  if (const uint64_t more = refusals_.left_out(); more != 0) json["refusals_left_out"] = more;
  return write(json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n");
}

// A line that could not be ended stays as it is, and the next one begins on its own.
Status Record::write(std::string line) {
  if (torn_) line.insert(0, 1, '\n');
  ssize_t size = 0;
  do {
    size = ::write(file_.number(), line.data(), line.size());
  } while (size < 0 && errno == EINTR);
  if (size > 0) torn_ = line[static_cast<size_t>(size) - 1] != '\n';
  if (size >= 0 && static_cast<size_t>(size) < line.size()) errno = ENOSPC;
  if (size != static_cast<ssize_t>(line.size()) || ::fsync(file_.number()) != 0)
    return cannot("writing", path_);
  return {};
}

}  // namespace casemate::proxy
