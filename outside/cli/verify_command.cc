// SPDX-License-Identifier: Apache-2.0
// casemate verify: judges evidence that is in a file, without any server.
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <sstream>

#include "base/format.h"
#include "base/limits.h"
#include "outside/cli/commands.h"
#include "outside/cli/server_flags.h"
#include "outside/client/file.h"
#include "outside/verify/certificate.h"
#include "outside/verify/platform_evidence.h"
#include "outside/verify/verify.h"

namespace casemate::cli {
namespace {

constexpr uint64_t kEvidenceBytes = 128 << 10;
constexpr std::string_view kPemMark = "-----BEGIN CERTIFICATE-----";

struct VerifyFlags {
  std::string evidence_path;
  std::string key_path;
  std::string certificate_path;
  std::string nonce;
  std::string model;
  std::string at;
  std::string collateral_path;
  std::string report_data;
  bool json = false;
  PolicyFlags policy;
};

// Evidence, and the key that it should be bound to.
struct Material {
  std::vector<uint8_t> evidence;
  std::vector<uint8_t> key;
};

Result<verify::Certificate> certificate_in(const std::vector<uint8_t>& file) {
  if (text_of(file).contains(kPemMark)) return verify::read_certificate_pem(text_of(file));
  return verify::read_certificate(file);
}

// A certificate in PEM form brings evidence and key together.
Result<Material> material_of(const VerifyFlags& flags) {
  Material material;
  material.evidence = TRY(client::read_file(flags.evidence_path, kEvidenceBytes));
  if (text_of(material.evidence).contains(kPemMark)) {
    verify::Certificate certificate = TRY(certificate_in(material.evidence));
    if (certificate.evidence.empty()) {
      return Error{Code::kInvalid,
                   formatted("the certificate {} carries no evidence", flags.evidence_path)};
    }
    material = {std::move(certificate.evidence), std::move(certificate.key)};
  }
  if (!flags.key_path.empty())
    material.key = TRY(client::read_file(flags.key_path, kEvidenceBytes));
  if (!flags.certificate_path.empty()) {
    const auto file = TRY(client::read_file(flags.certificate_path, kEvidenceBytes));
    material.key = TRY(certificate_in(file)).key;
  }
  if (material.key.empty()) {
    return Error{Code::kInvalid,
                 "evidence alone does not say who presented it: give the server's key with --key "
                 "SPKI.der or --cert CERT.pem"};
  }
  return material;
}

Result<int64_t> time_of(const std::string& text) {
  if (text.empty()) return system_clock().unix_seconds();
  int64_t seconds = 0;
  const char* end = text.data() + text.size();
  if (const auto [at, wrong] = std::from_chars(text.data(), end, seconds);
      wrong == std::errc() && at == end && seconds >= 0 && seconds < int64_t{1} << 40) {
    return seconds;
  }
  std::istringstream stream(text);
  std::chrono::sys_seconds time;
  stream >> std::chrono::parse("%FT%TZ", time);
  if (stream && stream.peek() == std::istringstream::traits_type::eof() &&
      time.time_since_epoch().count() >= 0) {
    return time.time_since_epoch().count();
  }
  return Error{Code::kInvalid, formatted("--at {} is no time; write 2026-03-01T12:00:00Z, or "
                                         "seconds since 1970",
                                         text)};
}

Result<std::optional<Nonce>> nonce_of(const std::string& text) {
  if (text.empty()) return std::optional<Nonce>();
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != sizeof(Nonce))
    return Error{Code::kInvalid, "--nonce should be 64 hexadecimal digits"};
  return std::optional(load<Nonce>(*bytes));
}

Status print(const verify::Verdict& verdict, bool json, Streams streams) {
  streams.out << (json ? verify::json_of(verdict) : verify::text_of(verdict));
  if (!verdict.passed) return Error{Code::kDenied, verify::line_of(verdict)};
  return {};
}

// A hardware root's own evidence, which names no key of ours.
Status verify_quote(const VerifyFlags& flags, Bytes evidence, Streams streams) {
  if (!flags.key_path.empty() || !flags.certificate_path.empty() || !flags.nonce.empty() ||
      !flags.model.empty()) {
    return Error{Code::kInvalid,
                 formatted("{} is a root's own evidence, without claims of ours: give what it was "
                           "made for with --report-data, and not --key, --cert, --nonce or --model",
                           flags.evidence_path)};
  }
  const verify::Policy policy = TRY(flags.policy.policy());
  const auto expected = from_hex(flags.report_data);
  if (!expected || expected->size() > 64)
    return Error{Code::kInvalid, "--report-data should be at most 128 hexadecimal digits"};
  verify::Collateral collateral;
  if (!flags.collateral_path.empty())
    collateral = TRY(verify::Collateral::read_folder(flags.collateral_path));
  return print(
      verify::verify_platform(evidence, *expected, policy, collateral, TRY(time_of(flags.at))),
      flags.json, streams);
}

Status verify_file(const VerifyFlags& flags, Streams streams) {
  const auto file = TRY(client::read_file(flags.evidence_path, kEvidenceBytes));
  const auto evidence = verify::evidence_in(file);
  // Whoever gives collateral means such evidence, whatever the file is.
  if (verify::platform_evidence(evidence) || !flags.collateral_path.empty())
    return verify_quote(flags, evidence, streams);
  const verify::Policy policy = TRY(flags.policy.policy());
  const Material material = TRY(material_of(flags));
  const verify::Expectation expected{.tls_key = material.key,
                                     .nonce = TRY(nonce_of(flags.nonce)),
                                     .model = flags.model,
                                     .now_unix = TRY(time_of(flags.at))};
  return print(verify::verify_evidence(material.evidence, expected, policy), flags.json, streams);
}

}  // namespace

Run add_verify(CLI::App& app) {
  const auto flags = std::make_shared<VerifyFlags>();
  app.add_option(
         "EVIDENCE", flags->evidence_path,
         "evidence as the server's endpoint sent it, a PEM certificate that carries it, or a "
         "hardware root's quote, as bytes or in hexadecimal")
      ->type_name("")
      ->required();
  CLI::Option* key =
      app.add_option("--key", flags->key_path, "the server's TLS key: SubjectPublicKeyInfo, DER")
          ->type_name("FILE");
  app.add_option("--cert", flags->certificate_path, "the server's certificate, PEM or DER")
      ->type_name("FILE")
      ->excludes(key);
  app.add_option("--nonce", flags->nonce, "the nonce that was sent, 64 hexadecimal digits")
      ->type_name("HEX");
  app.add_option("--model", flags->model, "the model that must be attested")->type_name("NAME");
  app.add_option(
         "--collateral", flags->collateral_path,
         "folder with the vendor's certificates, revocation lists and signed JSON, for a quote")
      ->type_name("DIR");
  app.add_option("--report-data", flags->report_data,
                 "what the quote was made for, up to 128 hexadecimal digits")
      ->type_name("HEX");
  app.add_option("--at", flags->at, "judge as of this time, such as 2026-03-01T12:00:00Z")
      ->type_name("TIME");
  app.add_flag("--json", flags->json, "print the verdict as JSON");
  flags->policy.declare(app);
  return [flags](Streams streams) {
    const auto done = verify_file(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
