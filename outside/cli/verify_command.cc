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
#include "outside/verify/policy_schema.h"
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
  std::string session;
  std::string at;
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

Status verify_file(const VerifyFlags& flags, Streams streams) {
  if (flags.schema) {
    streams.out << verify::policy_schema();
    return {};
  }
  const verify::Policy policy = TRY(flags.policy.policy());
  const Material material = TRY(material_of(flags));
  const verify::Expectation expected{.tls_key = material.key,
                                     .nonce = TRY(nonce_of(flags)),
                                     .model = flags.model,
                                     .now_unix = TRY(time_of(flags.at))};
  const verify::Verdict verdict = verify::verify_evidence(material.evidence, expected, policy);
  streams.out << (flags.json ? verify::json_of(verdict) : verify::text_of(verdict));
  if (!verdict.passed) return Error{Code::kDenied, verify::line_of(verdict)};
  return {};
}

}  // namespace

Run add_verify(CLI::App& app) {
  const auto flags = std::make_shared<VerifyFlags>();
  CLI::App* what = app.add_option_group("what");
  what->add_option(
          "EVIDENCE", flags->evidence_path,
          "evidence as the server's endpoint sent it, or a PEM certificate that carries it")
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
