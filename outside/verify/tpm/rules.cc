// SPDX-License-Identifier: Apache-2.0
// A policy's rules for TPMs, as JSON.
#include <charconv>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/accepted_values.h"
#include "outside/verify/tpm/verify_tpm.h"
#include "wire/tpm/quote.h"

namespace casemate::verify {
namespace {

constexpr uint32_t kPcrs = 24;

template <class Digest>
Result<std::vector<Digest>> digests(JsonObject& object, std::string_view key) {
  std::vector<Digest> list;
  for (const auto& value : TRY(parse_accepted_values(object, key, sizeof(Digest))))
    list.push_back(load<Digest>(value));
  return list;
}

template <class Digest>
nlohmann::ordered_json digests_json(const std::vector<Digest>& list) {
  auto values = nlohmann::ordered_json::array();
  for (const Digest& digest : list) values.push_back(to_hex(digest));
  return values;
}

}  // namespace

Result<TpmRules> parse_tpm_rules(JsonObject& object) {
  TpmRules rules;
  rules.keys = TRY(digests<Sha384Digest>(object, "keys"));
  rules.authorities = TRY(digests<Sha384Digest>(object, "authorities"));
  if (const auto* pcrs = object.take("pcrs"); pcrs != nullptr) {
    const std::string where = object.where() + ": \"pcrs\"";
    JsonObject inner = TRY(JsonObject::of(*pcrs, where));
    for (const auto& [name, values] : pcrs->items()) {
      uint32_t pcr = kPcrs;
      const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pcr);
      // In one spelling, or a second list for a PCR would take the first one's place.
      if (wrong != std::errc() || end != name.data() + name.size() || pcr >= kPcrs ||
          std::to_string(pcr) != name) {
        return Error{Code::kInvalid, formatted("{}: \"{}\" is no PCR; they are 0 to {}", where,
                                               printable(name, 32), kPcrs - 1)};
      }
      rules.pcrs[pcr] = TRY(digests<Sha256Digest>(inner, name));
    }
  }
  TRY(object.finish());
  return rules;
}

nlohmann::ordered_json tpm_rules_json(const TpmRules& rules) {
  nlohmann::ordered_json object;
  object["keys"] = digests_json(rules.keys);
  object["authorities"] = digests_json(rules.authorities);
  object["pcrs"] = nlohmann::ordered_json::object();
  for (const auto& [pcr, values] : rules.pcrs)
    object["pcrs"][std::to_string(pcr)] = digests_json(values);
  return object;
}

bool looks_like_tpm_quote(Bytes bytes) {
  return bytes.size() >= sizeof(uint64_t) && load<uint64_t>(bytes) == TpmQuoteHead::kMagic;
}

}  // namespace casemate::verify
