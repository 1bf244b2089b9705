// SPDX-License-Identifier: Apache-2.0
// The written forms of a verdict: a line, a page, JSON.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/verdict.h"

namespace casemate::verify {
namespace {

using Json = nlohmann::ordered_json;

// 9999-12-31T23:59:59Z: what lies beyond is a number, not a date.
constexpr int64_t kDateLimit = 253'402'300'799;

std::string date_of(int64_t unix_seconds) {
  if (unix_seconds < 0 || unix_seconds > kDateLimit) return formatted("{} s", unix_seconds);
  return formatted("{:%FT%TZ}", std::chrono::sys_seconds(std::chrono::seconds(unix_seconds)));
}

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kAllowed:
      return "allowed";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kNotRun:
      break;
  }
  return "not run";
}

std::string short_hex(Bytes digest) { return to_hex(digest.first(6)) + ".."; }

bool gateway(const EnclaveToken& token) {
  return token.kind == static_cast<uint32_t>(EnclaveKind::kGateway);
}

std::string name_of(const EnclaveToken& token) {
  return gateway(token) ? "gateway" : formatted("model {}", printable(token.name.view(), 64));
}

std::string failure_text(const Check& check) {
  const std::string subject = check.subject.empty() ? "" : formatted(" of {}", check.subject);
  return formatted("{}{}: expected {}, found {}", check.code, subject, check.expected,
                   check.actual);
}

Json enclave_json(const EnclaveToken& token) {
  return {{"kind", gateway(token) ? "gateway" : "model"},
          {"name", printable(token.name.view(), 64)},
          {"device", printable(token.device.view(), 32)},
          {"enclave", token.enclave},
          {"epoch", token.epoch},
          {"model_version", token.model_version},
          {"debug", (token.flags & EnclaveToken::kDebug) != 0},
          {"issued", date_of(token.issued_unix)},
          {"program", to_hex(token.program_measurement)},
          {"manifest", to_hex(token.manifest_measurement)},
          {"model", to_hex(token.model_measurement)},
          {"device_measurement", to_hex(token.device_measurement)},
          {"device_evidence", to_hex(token.device_evidence)},
          {"peers", to_hex(token.peers_measurement)},
          {"key", to_hex(token.key_hash)}};
}

Json check_json(const Check& check) {
  Json json = {{"code", check.code},
               {"subject", check.subject},
               {"title", check.title},
               {"outcome", outcome_name(check.outcome)}};
  if (check.outcome != Outcome::kNotRun) {
    json["expected"] = check.expected;
    json["actual"] = check.actual;
  }
  if (check.outcome == Outcome::kFailed) json["remedy"] = check.remedy;
  return json;
}

std::string check_text(const Check& check) {
  std::string text = formatted("  {:<8}{:<24}{:<16}{}", outcome_name(check.outcome), check.code,
                               check.subject, check.title);
  if (check.outcome == Outcome::kAllowed) text += formatted(" [found {}]", check.actual);
  text += "\n";
  if (check.outcome != Outcome::kFailed) return text;
  return text + formatted("          expected {}\n          found    {}\n          to do    {}\n",
                          check.expected, check.actual, check.remedy);
}

// draft-ietf-rats-ear: affirming, warning, contraindicated.
int ear_status(const Verdict& verdict) {
  if (!verdict.passed) return 96;
  const bool allowed = std::ranges::contains(verdict.checks, Outcome::kAllowed, &Check::outcome);
  return allowed || verdict.development_root || !verdict.weakened.empty() ? 32 : 2;
}

std::string measurements_text(const Verdict& verdict) {
  std::string text = verdict.passed ? "" : "  what follows is claimed and not proved:\n";
  text += formatted("  root      {} {}\n  platform  {} (quoted {})\n", verdict.root,
                    to_hex(verdict.root_key_hash), to_hex(verdict.platform),
                    date_of(verdict.quote_issued_unix));
  for (const EnclaveToken& token : verdict.tokens) {
    text += formatted("  {} on {}, enclave {:#x}, epoch {}\n", name_of(token),
                      printable(token.device.view(), 32), token.enclave, token.epoch);
    text += formatted("    program   {}\n    manifest  {}\n", to_hex(token.program_measurement),
                      to_hex(token.manifest_measurement));
    if (!gateway(token)) text += formatted("    model     {}\n", to_hex(token.model_measurement));
  }
  for (const DeviceVerdict& device : verdict.devices)
    text += formatted("  {}, by {} key {}\n", device.device, device.platform.root,
                      to_hex(sha384(device.platform.root_key)));
  return text;
}

std::string quoted_text(const Verdict& verdict) {
  const Platform& platform = *verdict.quoted;
  std::string text = verdict.passed ? "" : "  what follows is claimed and not proved:\n";
  text += formatted("  root      {} {}{}\n", verdict.root, to_hex(verdict.root_key_hash),
                    platform.debug ? ", debug" : "");
  for (const Measurement& measurement : platform.measurements)
    text += formatted("  {:<14}{}\n", measurement.name, to_hex(measurement.value));
  text += formatted("  {:<14}{}\n", "report data", to_hex(platform.report_data));
  const TcbState& tcb = platform.tcb;
  if (tcb.status.empty()) return text;
  text += formatted("  {:<14}{}, level of {}", "TCB", tcb.status, tcb.date);
  if (tcb.evaluation_number > 0) text += formatted(", evaluation {}", tcb.evaluation_number);
  for (const std::string& advisory : tcb.advisories) text += formatted(", {}", advisory);
  return text + "\n";
}

Json quoted_json(const Platform& platform) {
  Json json;
  json["root"] = platform.root;
  json["debug"] = platform.debug;
  json["report_data"] = to_hex(platform.report_data);
  json["measurements"] = Json::object();
  for (const Measurement& measurement : platform.measurements)
    json["measurements"][measurement.name] = to_hex(measurement.value);
  json["tcb"] = {{"status", platform.tcb.status},
                 {"date", platform.tcb.date},
                 {"advisories", platform.tcb.advisories},
                 {"evaluation_number", platform.tcb.evaluation_number}};
  return json;
}

}  // namespace

std::string line_of(const Verdict& verdict) {
  if (const Check* failure = verdict.first_failure(); failure != nullptr)
    return formatted("refused: {}; {}", failure_text(*failure), verdict.next());
  std::string text = formatted("{}: root {} {}, platform {}", verdict.status(), verdict.root,
                               short_hex(verdict.root_key_hash), short_hex(verdict.platform));
  for (const EnclaveToken& token : verdict.tokens) {
    text +=
        formatted(", {} {}", name_of(token),
                  short_hex(gateway(token) ? token.program_measurement : token.model_measurement));
  }
  return text;
}

std::string text_of(const Verdict& verdict) {
  std::string text;
  if (verdict.development_root) {
    text +=
        "DEVELOPMENT ROOT: this evidence is made in software and proves nothing against whoever "
        "runs the machine\n";
  }
  text += line_of(verdict) + "\n";
  for (const std::string& weak : verdict.weakened) text += formatted("  {}\n", weak);
  if (verdict.quoted) text += quoted_text(verdict);
  if (!verdict.root.empty() && (!verdict.quoted || !verdict.tokens.empty()))
    text += measurements_text(verdict);
  text += formatted("  evidence  SHA-256 {}, judged at {}\n", to_hex(verdict.evidence_hash),
                    date_of(verdict.time_used_unix));
  for (const Check& check : verdict.checks) text += check_text(check);
  return text + formatted("next: {}\n", verdict.next());
}

std::string json_of(const Verdict& verdict) {
  Json json;
  json["status"] = verdict.status();
  json["ear.status"] = ear_status(verdict);
  json["development_root"] = verdict.development_root;
  json["root"] = {{"kind", verdict.root}, {"key", to_hex(verdict.root_key_hash)}};
  json["platform"] = to_hex(verdict.platform);
  json["security_version"] = verdict.security_version;
  json["quote_issued"] = date_of(verdict.quote_issued_unix);
  json["enclaves"] = Json::array();
  for (const EnclaveToken& token : verdict.tokens) json["enclaves"].push_back(enclave_json(token));
  if (verdict.quoted) json["quoted"] = quoted_json(*verdict.quoted);
  if (!verdict.devices.empty()) json["devices"] = Json::array();
  for (const DeviceVerdict& device : verdict.devices) {
    json["devices"].push_back(quoted_json(device.platform));
    json["devices"].back()["device"] = device.device;
    json["devices"].back()["key"] = to_hex(sha384(device.platform.root_key));
  }
  json["evidence_sha256"] = to_hex(verdict.evidence_hash);
  json["time_used"] = date_of(verdict.time_used_unix);
  const Check* failure = verdict.first_failure();
  json["first_failure"] = failure == nullptr ? Json(nullptr) : check_json(*failure);
  json["checks"] = Json::array();
  for (const Check& check : verdict.checks) json["checks"].push_back(check_json(check));
  json["weakened"] = verdict.weakened;
  json["next"] = verdict.next();
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace casemate::verify
