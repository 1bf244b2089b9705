// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/rules.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/intel/tcb.h"

namespace casemate::verify::intel {
namespace {

using Json = nlohmann::json;

constexpr int64_t kGraceLimit = 100ll * 366 * 24 * 3600;
constexpr std::array<std::string_view, 3> kTrailingNames = {"none", "zeros", "any"};

struct Measured {
  std::string_view name;
  size_t size;
};
constexpr std::array<Measured, 16> kMeasured = {{{"mrtd", 48},
                                                 {"rtmr0", 48},
                                                 {"rtmr1", 48},
                                                 {"rtmr2", 48},
                                                 {"rtmr3", 48},
                                                 {"mrconfigid", 48},
                                                 {"mrowner", 48},
                                                 {"mrownerconfig", 48},
                                                 {"mrservicetd", 48},
                                                 {"mrseam", 48},
                                                 {"mrsignerseam", 48},
                                                 {"td_attributes", 8},
                                                 {"xfam", 8},
                                                 {"mrenclave", 32},
                                                 {"mrsigner", 32},
                                                 {"attributes", 16}}};

Error should(const JsonObject& object, std::string_view key, std::string_view be) {
  return {Code::kInvalid, formatted("{}: \"{}\" should be {}", object.where(), key, be)};
}

Result<std::vector<std::string>> texts(JsonObject& object, std::string_view key,
                                       const Json& value) {
  std::vector<std::string> list;
  if (!value.is_array()) return should(object, key, "a list of texts");
  for (const Json& item : value) {
    if (!item.is_string()) return should(object, key, "a list of texts");
    list.push_back(item.get<std::string>());
  }
  return list;
}

Result<std::vector<std::vector<uint8_t>>> values(JsonObject& object, std::string_view key,
                                                 const Json& list, size_t size) {
  std::vector<std::vector<uint8_t>> read;
  const std::string wanted = formatted("a list of values of {} hexadecimal digits", 2 * size);
  if (!list.is_array() || list.empty()) return should(object, key, wanted);
  for (const Json& item : list) {
    auto bytes = item.is_string() ? from_hex(item.get_ref<const std::string&>())
                                  : Result<std::vector<uint8_t>>(Code::kInvalid, "");
    if (!bytes || bytes->size() != size) return should(object, key, wanted);
    read.push_back(*std::move(bytes));
  }
  return read;
}

Status parse_statuses(JsonObject& object, Rules& rules) {
  const Json* value = object.take("tcb_statuses");
  if (value == nullptr) return {};
  rules.tcb_statuses = TRY(texts(object, "tcb_statuses", *value));
  for (const std::string& name : rules.tcb_statuses) {
    const auto status = TcbStatus::from(name);
    if (!status || status->revoked) {
      return should(object, "tcb_statuses",
                    formatted("Intel's words but for Revoked, and {} is not", printable(name, 60)));
    }
  }
  return {};
}

Status parse_measurements(JsonObject& object, Rules& rules) {
  const Json* value = object.take("measurements");
  if (value == nullptr) return {};
  if (!value->is_object()) return should(object, "measurements", "an object {...}");
  for (const auto& [name, list] : value->items()) {
    const auto known = std::ranges::find(kMeasured, name, &Measured::name);
    if (known == kMeasured.end()) {
      return should(object, "measurements",
                    formatted("by names such as mrtd, rtmr0 and mrenclave, and {} is none",
                              printable(name, 60)));
    }
    rules.measurements[name] = TRY(values(object, name, list, known->size));
  }
  return {};
}

Status parse_trailing(JsonObject& object, Rules& rules) {
  const Json* value = object.take("trailing_bytes");
  if (value == nullptr) return {};
  const auto* name = value->get_ptr<const std::string*>();
  const auto known =
      name == nullptr ? kTrailingNames.end() : std::ranges::find(kTrailingNames, *name);
  if (known == kTrailingNames.end())
    return should(object, "trailing_bytes", "\"none\", \"zeros\" or \"any\"");
  rules.trailing = static_cast<Trailing>(known - kTrailingNames.begin());
  return {};
}

}  // namespace

Result<Rules> parse_rules(JsonObject& object) {
  Rules rules;
  rules.insecure_allow_debug = TRY(object.boolean("insecure_allow_debug", false));
  TRY(parse_statuses(object, rules));
  if (const Json* value = object.take("advisories"); value != nullptr)
    rules.advisories = TRY(texts(object, "advisories", *value));
  rules.evaluation_number_min =
      static_cast<uint32_t>(TRY(object.number("tcb_evaluation_number_min", 0, 0, UINT32_MAX)));
  rules.grace_seconds = TRY(object.number("grace_seconds", 0, 0, kGraceLimit));
  TRY(parse_trailing(object, rules));
  rules.event_log_required = TRY(object.boolean("event_log_required", false));
  if (const int64_t id = TRY(object.number("isv_product_id", -1, 0, UINT16_MAX)); id >= 0)
    rules.product_id = static_cast<uint16_t>(id);
  rules.security_version_min =
      static_cast<uint16_t>(TRY(object.number("isv_security_version_min", 0, 0, UINT16_MAX)));
  TRY(parse_measurements(object, rules));
  if (const Json* roots = object.take("development_roots"); roots != nullptr) {
    for (const auto& root : TRY(values(object, "development_roots", *roots, sizeof(Sha384Digest))))
      rules.development_roots.push_back(load<Sha384Digest>(root));
  }
  TRY(object.finish());
  return rules;
}

nlohmann::ordered_json rules_json(const Rules& rules) {
  nlohmann::ordered_json object;
  object["insecure_allow_debug"] = rules.insecure_allow_debug;
  object["tcb_statuses"] = rules.tcb_statuses;
  if (rules.advisories) object["advisories"] = *rules.advisories;
  object["tcb_evaluation_number_min"] = rules.evaluation_number_min;
  object["grace_seconds"] = rules.grace_seconds;
  object["trailing_bytes"] = kTrailingNames[static_cast<size_t>(rules.trailing)];
  object["event_log_required"] = rules.event_log_required;
  if (rules.product_id) object["isv_product_id"] = *rules.product_id;
  object["isv_security_version_min"] = rules.security_version_min;
  object["measurements"] = nlohmann::ordered_json::object();
  for (const auto& [name, accepted] : rules.measurements) {
    for (const auto& value : accepted) object["measurements"][name].push_back(to_hex(value));
  }
  if (!rules.development_roots.empty()) {
    for (const auto& root : rules.development_roots)
      object["development_roots"].push_back(to_hex(root));
  }
  return object;
}

}  // namespace casemate::verify::intel
