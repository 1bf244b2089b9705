// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/policy.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/strict_json.h"

namespace casemate::verify {
namespace {

using Json = nlohmann::json;

// A century: beyond it, subtracting an age from a time could overflow for no use.
constexpr int64_t kAgeLimit = 100ll * 366 * 24 * 3600;

Result<Sha384Digest> parse_digest(const Json& value, const std::string& where) {
  if (value.is_string()) {
    const auto bytes = from_hex(value.get_ref<const std::string&>());
    if (bytes && bytes->size() == sizeof(Sha384Digest)) return load<Sha384Digest>(*bytes);
  }
  return Error{Code::kInvalid,
               formatted("{} should hold SHA-384 values: strings of 96 hexadecimal digits", where)};
}

Result<Accepted> parse_accepted(JsonObject& object, std::string_view key) {
  Accepted accepted;
  const Json* list = object.take(key);
  if (list == nullptr) return accepted;
  const std::string where = formatted("{}: \"{}\"", object.where(), key);
  if (!list->is_array())
    return Error{Code::kInvalid, formatted("{} should be a list [...]", where)};
  for (const Json& value : *list) accepted.push_back(TRY(parse_digest(value, where)));
  return accepted;
}

Result<EnclavePolicy> parse_enclave(const Json& value, const std::string& where, bool model) {
  JsonObject object = TRY(JsonObject::of(value, where));
  EnclavePolicy policy;
  if (model) policy.model = TRY(parse_accepted(object, "model"));
  policy.program = TRY(parse_accepted(object, "program"));
  policy.manifest = TRY(parse_accepted(object, "manifest"));
  policy.device = TRY(parse_accepted(object, "device"));
  policy.peers = TRY(parse_accepted(object, "peers"));
  TRY(object.finish());
  return policy;
}

Status parse_models(const Json& models, const std::string& where, Policy& policy) {
  if (!models.is_object())
    return Error{Code::kInvalid, formatted("{} should be an object {{...}}", where)};
  for (const auto& [name, value] : models.items()) {
    const std::string inner = formatted("{} \"{}\"", where, printable(name, 64));
    policy.models.emplace(name, TRY(parse_enclave(value, inner, true)));
  }
  return {};
}

Json accepted_json(const Accepted& accepted) {
  Json list = Json::array();
  for (const Sha384Digest& digest : accepted) list.push_back(to_hex(digest));
  return list;
}

nlohmann::ordered_json enclave_json(const EnclavePolicy& policy, bool model) {
  nlohmann::ordered_json object;
  if (model) object["model"] = accepted_json(policy.model);
  object["program"] = accepted_json(policy.program);
  object["manifest"] = accepted_json(policy.manifest);
  object["device"] = accepted_json(policy.device);
  object["peers"] = accepted_json(policy.peers);
  return object;
}

template <class Rules>
Status parse_rules_of(std::string_view key, Result<Rules> (*parse)(JsonObject&), JsonObject& object,
                      Rules& into) {
  const Json* value = object.take(key);
  if (value == nullptr) return {};
  JsonObject inner = TRY(JsonObject::of(*value, formatted("{}: \"{}\"", object.where(), key)));
  into = TRY(parse(inner));
  return {};
}

// Rules that say nothing are left out: most servers have one kind of root.
void write_rules(const char* key, nlohmann::ordered_json rules, const nlohmann::ordered_json& none,
                 nlohmann::ordered_json& object) {
  if (rules != none) object[key] = std::move(rules);
}

}  // namespace

Result<Policy> parse_policy(std::string_view text, std::string_view what) {
  const std::string where = formatted("policy {}", what);
  const Json root = TRY(parse_json(text, where));
  JsonObject object = TRY(JsonObject::of(root, where));
  Policy policy;
  policy.allow_software_root = TRY(object.boolean("allow_software_root", false));
  policy.software_roots = TRY(parse_accepted(object, "software_roots"));
  policy.platform = TRY(parse_accepted(object, "platform"));
  policy.security_version_min =
      static_cast<uint32_t>(TRY(object.number("security_version_min", 0, 0, UINT32_MAX)));
  if (const Json* gateway = object.take("gateway"); gateway != nullptr)
    policy.gateway = TRY(parse_enclave(*gateway, where + ": \"gateway\"", false));
  if (const Json* models = object.take("models"); models != nullptr)
    TRY(parse_models(*models, where + ": \"models\"", policy));
  policy.max_age_seconds =
      TRY(object.number("max_age_seconds", Policy::kMaxAgeSeconds, 1, kAgeLimit));
  TRY(parse_rules_of("intel", intel::parse_rules, object, policy.intel));
  TRY(parse_rules_of("snp", snp::parse_rules, object, policy.snp));
  TRY(parse_rules_of("cca", cca::parse_rules, object, policy.cca));
  TRY(parse_rules_of("nvidia", nvidia::parse_rules, object, policy.nvidia));
  TRY(parse_rules_of("eat", eat::parse_rules, object, policy.eat));
  TRY(parse_rules_of("tpm", parse_tpm_rules, object, policy.tpm));
  TRY(parse_rules_of("drivers", driver::parse_rules, object, policy.drivers));
  policy.insecure_allow_debug = TRY(object.boolean("insecure_allow_debug", false));
  policy.insecure_allow_any_start = TRY(object.boolean("insecure_allow_any_start", false));
  policy.insecure_allow_classical_key_exchange =
      TRY(object.boolean("insecure_allow_classical_key_exchange", false));
  TRY(object.finish());
  return policy;
}

std::string policy_text(const Policy& policy) {
  nlohmann::ordered_json object;
  object["allow_software_root"] = policy.allow_software_root;
  object["software_roots"] = accepted_json(policy.software_roots);
  object["platform"] = accepted_json(policy.platform);
  object["security_version_min"] = policy.security_version_min;
  object["gateway"] = enclave_json(policy.gateway, false);
  object["models"] = nlohmann::ordered_json::object();
  for (const auto& [name, model] : policy.models)
    object["models"][name] = enclave_json(model, true);
  object["max_age_seconds"] = policy.max_age_seconds;
  write_rules("intel", intel::rules_json(policy.intel), intel::rules_json({}), object);
  write_rules("snp", snp::rules_json(policy.snp), snp::rules_json({}), object);
  write_rules("cca", cca::rules_json(policy.cca), cca::rules_json({}), object);
  write_rules("nvidia", nvidia::rules_json(policy.nvidia), nvidia::rules_json({}), object);
  write_rules("eat", eat::rules_json(policy.eat), eat::rules_json({}), object);
  write_rules("tpm", tpm_rules_json(policy.tpm), tpm_rules_json({}), object);
  write_rules("drivers", driver::rules_json(policy.drivers), driver::rules_json({}), object);
  object["insecure_allow_debug"] = policy.insecure_allow_debug;
  object["insecure_allow_any_start"] = policy.insecure_allow_any_start;
  object["insecure_allow_classical_key_exchange"] = policy.insecure_allow_classical_key_exchange;
  return object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace casemate::verify
