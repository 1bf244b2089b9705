// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/ear/eat.h"

#include <algorithm>

#include "base/format.h"
#include "outside/verify/cose/cose.h"
#include "outside/verify/ear/codes.h"
#include "outside/verify/jose/jose.h"

namespace casemate::verify::eat {
namespace {

constexpr size_t kTokenBytes = 256 << 10;
constexpr int64_t kSkewSeconds = 300;

// A compact JWT, a newline behind it perhaps.
std::string_view jwt_of(Bytes evidence) {
  std::string_view text = casemate::text_of(evidence);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

bool looks_like_jwt(Bytes evidence) {
  const std::string_view text = jwt_of(evidence);
  // 'e' is how the base64url of '{' begins, and so does every header.
  return text.starts_with('e') && std::ranges::count(text, '.') == 2;
}

Result<Sign1> read_cwt(Bytes evidence) {
  CborReader reader(evidence);
  // The tag of a CWT may be left out (RFC 8392, section 6); that of COSE_Sign1 may not, here.
  CborReader tagged = reader;
  if (TRY(tagged.head(CborType::kTag, "the token")) == kCwtTag) reader = tagged;
  Sign1 item = TRY(read_sign1(reader, "the token"));
  TRY(reader.end("the token"));
  return item;
}

class EatAppraisal final {
 public:
  EatAppraisal(Bytes evidence, const Rules& rules, int64_t now, Checks& checks)
      : evidence_(evidence), rules_(rules), now_(now), checks_(checks) {}

  Platform run() && {
    platform_.root = "eat";
    prove();
    judge();
    judge_part("", claims_);
    return std::move(platform_);
  }

 private:
  void prove();
  void judge();
  void judge_part(const std::string& name, const EatClaims& claims);
  Finding read();
  Finding signed_by_one();
  Finding read_claims();
  Finding believable() const;
  Finding nonce() const;

  Bytes evidence_;
  const Rules& rules_;
  int64_t now_;
  Checks& checks_;
  Platform platform_;
  std::optional<Jws> jws_;
  Sign1 sign1_;
  EatClaims claims_;
};

Finding EatAppraisal::read() {
  const std::string_view expected = "a compact JWT, or a CWT in COSE_Sign1";
  if (evidence_.size() > kTokenBytes)
    return {.expected = formatted("at most {} bytes", kTokenBytes),
            .actual = formatted("{} bytes", evidence_.size())};
  if (looks_like_jwt(evidence_)) {
    auto jws = read_jws(jwt_of(evidence_));
    if (!jws) return finding_of(jws.error(), expected);
    jws_ = *std::move(jws);
    return {.good = true};
  }
  const auto item = read_cwt(evidence_);
  if (!item) return finding_of(item.error(), expected);
  sign1_ = *item;
  return {.good = true};
}

Finding EatAppraisal::signed_by_one() {
  std::string trouble = "no key in the policy";
  for (const nlohmann::json& jwk : rules_.keys) {
    auto key = key_of_jwk(jwk);
    if (!key) continue;
    const Status matched = jws_ ? check_jws(*jws_, *key) : check_sign1(sign1_, *key);
    if (matched) {
      platform_.root_key = *std::move(key);
      return {.good = true};
    }
    trouble = matched.error().text;
  }
  return {.expected = formatted("a signature by one of {} keys of the policy", rules_.keys.size()),
          .actual = trouble};
}

Finding EatAppraisal::read_claims() {
  auto claims = jws_ ? eat_claims_in_json(jws_->payload) : eat_claims_in_cbor(sign1_.payload);
  if (!claims) return finding_of(claims.error(), "claims as RFC 9711 has them");
  claims_ = *std::move(claims);
  if (!claims_.nonces.empty())
    std::ranges::copy(claims_.nonces.front(), platform_.report_data.begin());
  platform_.issued_unix = claims_.issued;
  platform_.measurements = {{"ueid", claims_.ueid},
                            {"profile", {claims_.profile.begin(), claims_.profile.end()}}};
  platform_.digest = digest_of(platform_.root, platform_.measurements);
  return {.good = true};
}

void EatAppraisal::prove() {
  checks_.require(code::kForm, "", [&] { return read(); });
  checks_.require(code::kSignature, "", [&] { return signed_by_one(); });
  checks_.require(code::kClaims, "", [&] { return read_claims(); });
}

Finding EatAppraisal::believable() const {
  if (claims_.expires && now_ > *claims_.expires)
    return {.expected = formatted("a token that is valid at {}", now_),
            .actual = formatted("one that expired at {}", *claims_.expires)};
  const int64_t from =
      std::max(claims_.issued.value_or(INT64_MIN), claims_.not_before.value_or(INT64_MIN));
  if (from > now_ + kSkewSeconds)
    return {.expected = formatted("a time up to {}", now_), .actual = formatted("{}", from)};
  if (claims_.issued && *claims_.issued < now_ - rules_.max_age_seconds)
    return {.expected = formatted("at most {} s old", rules_.max_age_seconds),
            .actual = formatted("issued at {}, now is {}", *claims_.issued, now_)};
  return {.good = claims_.issued || claims_.expires,
          .expected = "a token that says when it was issued, or when it expires",
          .actual = claims_.issued    ? formatted("issued at {}, now is {}", *claims_.issued, now_)
                    : claims_.expires ? formatted("one until {}, now is {}", *claims_.expires, now_)
                                      : "neither"};
}

Finding EatAppraisal::nonce() const {
  if (claims_.nonces.size() <= 1)
    return one_of_accepted(rules_.nonce, claims_.nonces.empty() ? Bytes() : claims_.nonces.front());
  for (const auto& nonce : claims_.nonces) {
    Finding finding = one_of_accepted(rules_.nonce, nonce);
    if (finding.good || finding.allowed) return finding;
  }
  return {.expected = "a nonce of the policy among them",
          .actual = formatted("{} others", claims_.nonces.size())};
}

void EatAppraisal::judge() {
  checks_.judge(code::kProfile, "", [&] {
    const bool any = rules_.profiles.empty();
    return Finding{.good = std::ranges::contains(rules_.profiles, claims_.profile),
                   .expected = any ? "a pinned profile" : rules_.profiles.front(),
                   .actual = claims_.profile.empty() ? "no profile" : claims_.profile,
                   .allowed = any};
  });
  checks_.judge(code::kTime, "", [&] { return believable(); });
  checks_.judge(code::kNonce, "", [&] { return nonce(); });
  checks_.judge(code::kUeid, "", [&] { return one_of_accepted(rules_.ueid, claims_.ueid); });
}

// What the token says about the whole, and about each submodule.
void EatAppraisal::judge_part(const std::string& name, const EatClaims& claims) {
  if (claims.debug) {
    checks_.judge(code::kDebug, name, [&] {
      const bool on = *claims.debug == DebugStatus::kEnabled;
      platform_.debug = platform_.debug || on;
      return Finding{!on, "debugging off", on ? "debugging on" : "", rules_.insecure_allow_debug};
    });
  }
  // An attestation result says something about every submodule, and "none" is no yes.
  const bool result =
      claims_.profile.contains("rats/ear") || claims_.profile.contains("veraison/ear");
  if (claims.status || (result && (!name.empty() || claims.submodules.empty()))) {
    checks_.judge(code::kStatus, name, [&] {
      const EarStatus status = claims.status.value_or(EarStatus::kNone);
      return Finding{status == EarStatus::kAffirming, "affirming", std::string(name_of(status)),
                     status == EarStatus::kWarning && rules_.allow_warning};
    });
  }
  for (const auto& [label, inner] : claims.submodules)
    judge_part(name.empty() ? label : formatted("{}/{}", name, label), inner);
}

}  // namespace

bool looks_like(Bytes evidence) {
  return looks_like_jwt(evidence) || read_cwt(evidence).has_value();
}

Platform appraise(Bytes evidence, const Rules& rules, const Collateral& /*collateral*/,
                  int64_t now_unix, Checks& checks) {
  return EatAppraisal(evidence, rules, now_unix, checks).run();
}

}  // namespace casemate::verify::eat
