// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/driver/driver.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/accepted_values.h"
#include "outside/verify/driver/codes.h"
#include "outside/verify/jose/jose.h"

namespace casemate::verify::driver {
namespace {

using DriverJson = nlohmann::ordered_json;

constexpr std::string_view kType = "casemate-driver+jwt";
constexpr std::string_view kAlgorithm = "ES384";
constexpr int64_t kTimeMost = int64_t{1} << 40;
// How far two honest clocks may differ.
constexpr int64_t kSkewSeconds = 300;

Error no_endorsement(std::string what) { return {Code::kInvalid, std::move(what)}; }

Result<std::string> text_in(JsonObject& object, std::string_view key, size_t most) {
  const nlohmann::json* value = object.take(key);
  if (value != nullptr && value->is_string()) {
    std::string text = value->get<std::string>();
    if (!text.empty() && text.size() <= most && printable(text, most) == text) return text;
  }
  return no_endorsement(
      formatted("{}: \"{}\" should be 1 to {} printable characters", object.where(), key, most));
}

// The key of the header, which names nothing else than it must.
Result<std::vector<uint8_t>> key_in(const std::string& header) {
  const auto json = TRY(parse_json(header, "the endorsement's header"));
  JsonObject object = TRY(JsonObject::of(json, "the endorsement's header"));
  if (TRY(text_in(object, "alg", 16)) != kAlgorithm || TRY(text_in(object, "typ", 32)) != kType)
    return no_endorsement(
        formatted("the endorsement's header should have \"alg\": \"{}\" and "
                  "\"typ\": \"{}\"",
                  kAlgorithm, kType));
  const nlohmann::json* jwk = object.take("jwk");
  TRY(object.finish());
  if (jwk == nullptr) return no_endorsement("the endorsement's header has no key, \"jwk\"");
  JsonObject members = TRY(JsonObject::of(*jwk, "the endorsement's \"jwk\""));
  for (const char* member : {"kty", "crv", "x", "y"}) members.take(member);
  TRY(members.finish());
  return key_of_jwk(*jwk);
}

Result<Endorsement> endorsement_in(const std::string& payload) {
  const auto json = TRY(parse_json(payload, "the endorsement"));
  JsonObject object = TRY(JsonObject::of(json, "the endorsement"));
  Endorsement said;
  said.issuer = TRY(text_in(object, "iss", Endorsement::kIssuer));
  said.issued_unix = TRY(object.number("iat", -1, 0, kTimeMost));
  said.expires_unix = TRY(object.number("exp", -1, 0, kTimeMost));
  if (said.issued_unix < 0 || said.expires_unix <= said.issued_unix)
    return no_endorsement("the endorsement should have \"iat\" and, behind that time, \"exp\"");
  said.device = TRY(text_in(object, "device", 31));
  for (const auto& value : TRY(parse_accepted_values(object, "programs", sizeof(Sha384Digest))))
    said.programs.push_back(load<Sha384Digest>(value));
  TRY(object.finish());
  if (said.programs.empty() || said.programs.size() > Endorsement::kPrograms)
    return no_endorsement(formatted("the endorsement should name 1 to {} \"programs\", and has {}",
                                    Endorsement::kPrograms, said.programs.size()));
  return said;
}

struct Signed {
  Jws jws;
  std::vector<uint8_t> key;
  Endorsement said;
};
Result<Signed> read(Bytes evidence) {
  std::string_view text = casemate::text_of(evidence);
  if (text.ends_with('\n')) text.remove_suffix(1);
  Jws jws = TRY(read_jws(text));
  auto key = TRY(key_in(jws.header));
  auto said = TRY(endorsement_in(jws.payload));
  return Signed{std::move(jws), std::move(key), std::move(said)};
}

Finding in_time(const Endorsement& said, int64_t now) {
  if (said.issued_unix > now + kSkewSeconds) {
    return {.expected = formatted("a time up to {} (now, and {} s for clocks)", now, kSkewSeconds),
            .actual = formatted("issued at {}, in the future", said.issued_unix)};
  }
  return {.good = now < said.expires_unix,
          .expected = "one that has not expired",
          .actual = formatted("one until {}, now is {}", said.expires_unix, now)};
}

Finding one_of_keys(const Rules& rules, const Sha384Digest& key, const std::string& issuer) {
  return {.good = std::ranges::contains(rules.keys, key),
          .expected = rules.keys.empty() ? "a key that the policy's \"drivers\" names"
                                         : to_hex(rules.keys.front()),
          .actual = formatted("{}, of who is called '{}' in it", to_hex(key), issuer)};
}

void judge_driven(const Driven& driven, const Endorsement& said, Checks& checks) {
  checks.judge(code::kDevice, driven.name, [&] {
    const std::string_view kind = driven.device.substr(0, driven.device.find(':'));
    return Finding{kind == said.device, formatted("devices of the kind {}", printable(kind, 32)),
                   said.device};
  });
  checks.judge(code::kProgram, driven.name, [&] {
    return Finding{std::ranges::contains(said.programs, driven.program),
                   formatted("program {} among those that it names", to_hex(driven.program)),
                   formatted("{} programs", said.programs.size())};
  });
}

}  // namespace

Result<Rules> parse_rules(JsonObject& object) {
  Rules rules;
  for (const auto& key : TRY(parse_accepted_values(object, "keys", sizeof(Sha384Digest))))
    rules.keys.push_back(load<Sha384Digest>(key));
  rules.required = TRY(object.boolean("required", false));
  TRY(object.finish());
  return rules;
}

nlohmann::ordered_json rules_json(const Rules& rules) {
  DriverJson object;
  object["keys"] = DriverJson::array();
  for (const Sha384Digest& key : rules.keys) object["keys"].push_back(to_hex(key));
  object["required"] = rules.required;
  return object;
}

Result<std::string> endorse(const Endorsement& endorsement, const SigningKey& key) {
  DriverJson header = {{"alg", kAlgorithm}, {"typ", kType}, {"jwk", jwk_of(key.public_der())}};
  DriverJson payload = {{"iss", endorsement.issuer},
                        {"iat", endorsement.issued_unix},
                        {"exp", endorsement.expires_unix},
                        {"device", endorsement.device},
                        {"programs", DriverJson::array()}};
  for (const Sha384Digest& program : endorsement.programs)
    payload["programs"].push_back(to_hex(program));
  const auto replace = DriverJson::error_handler_t::replace;
  const std::string text = TRY(make_jws(payload.dump(-1, ' ', false, replace), key, header.dump()));
  // What no verifier reads is refused while its author is there to mend it.
  TRY(read(bytes_of(std::string_view(text))));
  return text + "\n";
}

bool looks_like(Bytes evidence) {
  // Of a JSON object, in base64url.
  return casemate::text_of(evidence).starts_with("ey");
}

Platform appraise(Bytes evidence, std::span<const Driven> driven, const Rules& rules,
                  int64_t now_unix, Checks& checks) {
  Platform platform;
  platform.root = "driver";
  Signed endorsement;
  checks.require(code::kForm, "", [&] {
    auto got = read(evidence);
    if (!got) return finding_of(got.error(), "a signed word of a driver's author");
    endorsement = *std::move(got);
    return Finding{.good = true};
  });
  const Endorsement& said = endorsement.said;
  checks.require(code::kSignature, "", [&] {
    return finding_of(check_jws(endorsement.jws, endorsement.key), "a signature by its own key");
  });
  const Sha384Digest key = sha384(endorsement.key);
  checks.judge(code::kKey, "", [&] { return one_of_keys(rules, key, said.issuer); });
  checks.judge(code::kValidity, "", [&] { return in_time(said, now_unix); });
  for (const Driven& one : driven) judge_driven(one, said, checks);
  if (checks.halted()) return platform;
  platform.root_key = endorsement.key;
  platform.issued_unix = said.issued_unix;
  platform.measurements.push_back({"issuer", {said.issuer.begin(), said.issuer.end()}});
  for (size_t i = 0; i < said.programs.size(); ++i) {
    const Sha384Digest& program = said.programs[i];
    platform.measurements.push_back({formatted("program {}", i), {program.begin(), program.end()}});
  }
  platform.digest = digest_of(platform.root, platform.measurements);
  return platform;
}

}  // namespace casemate::verify::driver
