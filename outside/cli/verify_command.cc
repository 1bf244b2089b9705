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
#include "outside/verify/decode.h"
#include "outside/verify/ear/ear.h"
#include "outside/verify/platform_evidence.h"
#include "outside/verify/policy_schema.h"
#include "outside/verify/verify.h"
#include "outside/verify/x509/certificates.h"

namespace casemate::cli {
namespace {

// In hexadecimal, too.
constexpr uint64_t kEvidenceBytes = 256 << 10;

struct VerifyFlags {
  std::string evidence_path;
  std::string key_path;
  std::string certificate_path;
  std::string nonce;
  std::string model;
  std::string session;
  std::string at;
  std::string report_data;
  std::string ear_path;
  std::string ear_key_path;
  bool json = false;
  bool schema = false;
  PolicyFlags policy;
};

// Evidence, and the key that it should be bound to.
struct Material {
  std::vector<uint8_t> evidence;
  std::vector<uint8_t> key;
};

Result<verify::Certificate> certificate_in(const std::vector<uint8_t>& file) {
  if (verify::is_pem(file)) return verify::read_certificate_pem(text_of(file));
  return verify::read_certificate(file);
}

bool is_certificate(const std::vector<uint8_t>& file) {
  return verify::is_pem(file) || verify::X509Certificate::from_der(file);
}

// A certificate brings evidence and key together.
Result<Material> material_of(const VerifyFlags& flags) {
  Material material;
  material.evidence = TRY(client::read_file(flags.evidence_path, kEvidenceBytes));
  if (is_certificate(material.evidence)) {
    verify::Certificate certificate = TRY(certificate_in(material.evidence));
    if (certificate.evidence.empty()) {
      return Error{Code::kInvalid,
                   formatted("the certificate {} carries no evidence", flags.evidence_path)};
    }
    material = {std::move(certificate.evidence), std::move(certificate.key)};
  } else {
    material.evidence = verify::evidence_in(material.evidence);
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

Result<ByteArray<32>> bytes_32(const std::string& text, std::string_view flag) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != sizeof(ByteArray<32>))
    return Error{Code::kInvalid, formatted("{} should be 64 hexadecimal digits", flag)};
  return load<ByteArray<32>>(*bytes);
}

// What tokens carry for a nonce that was sent over a session; nothing when none was.
Result<std::optional<Nonce>> nonce_of(const VerifyFlags& flags) {
  if (flags.nonce.empty()) return std::optional<Nonce>();
  if (flags.session.empty()) {
    return Error{Code::kInvalid,
                 "a proof is for one connection alone: give its channel binding with --session HEX "
                 "(RFC 9266, tls-exporter)"};
  }
  return std::optional(proof_nonce(TRY(bytes_32(flags.nonce, "--nonce")),
                                   TRY(bytes_32(flags.session, "--session"))));
}

// The verdict for others to read, good or bad.
Status write_result(const VerifyFlags& flags, const verify::Verdict& verdict) {
  if (flags.ear_path.empty()) return {};
  verify::EarContext context{.build = "casemate " CASEMATE_VERSION};
  if (!flags.nonce.empty()) context.nonce = TRY(from_hex(flags.nonce));
  const auto key = TRY(client::read_file(flags.ear_key_path, kEvidenceBytes));
  const auto result = TRY(verify::ear_file(verdict, context, flags.ear_path, text_of(key)));
  return client::write_file(flags.ear_path, result);
}

Status conclude(const VerifyFlags& flags, const verify::Verdict& verdict, Streams streams) {
  streams.out << (flags.json ? verify::json_of(verdict) : verify::text_of(verdict));
  TRY(write_result(flags, verdict));
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
  return conclude(
      flags,
      verify::verify_platform(evidence, *expected, policy,
                              policy.collateral ? *policy.collateral : verify::Collateral{},
                              TRY(time_of(flags.at))),
      streams);
}

Status verify_file(const VerifyFlags& flags, Streams streams) {
  if (flags.schema) {
    streams.out << verify::policy_schema();
    return {};
  }
  const auto file = TRY(client::read_file(flags.evidence_path, kEvidenceBytes));
  const auto evidence = verify::evidence_in(file);
  // Whoever gives collateral and no key means such evidence, whatever the file is.
  const bool keyless = flags.key_path.empty() && flags.certificate_path.empty() &&
                       !is_certificate(file) && !verify::decode_evidence(evidence);
  if (verify::platform_evidence(evidence) || (keyless && !flags.policy.collateral_path.empty()))
    return verify_quote(flags, evidence, streams);
  const verify::Policy policy = TRY(flags.policy.policy());
  const Material material = TRY(material_of(flags));
  const verify::Expectation expected{.tls_key = material.key,
                                     .nonce = TRY(nonce_of(flags)),
                                     .model = flags.model,
                                     .now_unix = TRY(time_of(flags.at))};
  return conclude(flags, verify::verify_evidence(material.evidence, expected, policy), streams);
}

}  // namespace

Run add_verify(CLI::App& app) {
  const auto flags = std::make_shared<VerifyFlags>();
  CLI::App* what = app.add_option_group("what");
  what->add_option(
          "EVIDENCE", flags->evidence_path,
          "evidence as the server's endpoint sent it, a PEM certificate that carries it, or a "
          "hardware root's quote, as bytes or in hexadecimal")
      ->type_name("");
  what->add_flag("--policy-schema", flags->schema,
                 "print the JSON Schema of policy files, and end");
  what->require_option(1);
  CLI::Option* key =
      app.add_option("--key", flags->key_path, "the server's TLS key: SubjectPublicKeyInfo, DER")
          ->type_name("FILE");
  app.add_option("--cert", flags->certificate_path, "the server's certificate, PEM or DER")
      ->type_name("FILE")
      ->excludes(key);
  app.add_option("--nonce", flags->nonce, "the nonce that was sent, 64 hexadecimal digits")
      ->type_name("HEX");
  app.add_option("--session", flags->session,
                 "the channel binding of the connection that it was sent on, 64 hexadecimal digits")
      ->type_name("HEX");
  app.add_option("--model", flags->model, "the model that must be attested")->type_name("NAME");
  app.add_option("--report-data", flags->report_data,
                 "what the quote was made for, up to 128 hexadecimal digits")
      ->type_name("HEX");
  app.add_option("--at", flags->at, "judge as of this time, such as 2026-03-01T12:00:00Z")
      ->type_name("TIME");
  app.add_flag("--json", flags->json, "print the verdict as JSON");
  CLI::Option* ear_key =
      app.add_option("--ear-key", flags->ear_key_path, "the key that signs it: P-384, PKCS #8, PEM")
          ->type_name("KEY.pem");
  app.add_option("--ear", flags->ear_path,
                 "also write the verdict as an attestation result (EAR), a JWT, or a CWT if the "
                 "name ends with .cwt or .cbor")
      ->type_name("FILE")
      ->needs(ear_key);
  flags->policy.declare(app);
  return [flags](Streams streams) {
    const auto done = verify_file(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
