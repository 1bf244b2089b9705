// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/rules.h"

#include <charconv>

#include "base/format.h"

namespace casemate::verify::snp {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;
using TcbByProduct = std::array<std::optional<Tcb>, kProductNames.size()>;

struct Flag {
  std::string_view key;
  bool Rules::* member;
};
constexpr std::array<Flag, 14> kFlags = {
    {{"allow_vlek", &Rules::allow_vlek},
     {"allow_smt", &Rules::allow_smt},
     {"allow_migration_agent", &Rules::allow_migration_agent},
     {"allow_cxl", &Rules::allow_cxl},
     {"allow_masked_chip_id", &Rules::allow_masked_chip_id},
     {"allow_provisional_firmware", &Rules::allow_provisional_firmware},
     {"require_single_socket", &Rules::require_single_socket},
     {"require_aes_256_xts", &Rules::require_aes_256_xts},
     {"require_rapl_off", &Rules::require_rapl_off},
     {"require_ciphertext_hiding", &Rules::require_ciphertext_hiding},
     {"require_page_swap_off", &Rules::require_page_swap_off},
     {"require_alias_check", &Rules::require_alias_check},
     {"require_crl", &Rules::require_crl},
     {"insecure_allow_debug", &Rules::insecure_allow_debug}}};

struct Values {
  std::string_view key;
  AcceptedValues Rules::* member;
  size_t size;
};
constexpr std::array<Values, 7> kValues = {{{"measurement", &Rules::measurement, 48},
                                            {"host_data", &Rules::host_data, 32},
                                            {"id_key", &Rules::id_key, 48},
                                            {"author_key", &Rules::author_key, 48},
                                            {"family_id", &Rules::family_id, 16},
                                            {"image_id", &Rules::image_id, 16},
                                            {"chip_id", &Rules::chip_id, 64}}};

std::string inner(const JsonObject& object, std::string_view key) {
  return formatted("{}: \"{}\"", object.where(), key);
}

Result<std::vector<Root>> parse_roots(JsonObject& object) {
  const Json* value = object.take("roots");
  if (value == nullptr) return vendor_roots();
  JsonObject by_product = TRY(JsonObject::of(*value, inner(object, "roots")));
  std::vector<Root> roots;
  for (size_t i = 0; i < kProductNames.size(); ++i) {
    for (const auto& key : TRY(parse_accepted_values(by_product, kProductNames[i], 48)))
      roots.push_back({static_cast<Product>(i), load<Sha384Digest>(key)});
  }
  TRY(by_product.finish());
  return roots;
}

Result<TcbByProduct> parse_tcbs(JsonObject& object, std::string_view key) {
  TcbByProduct tcbs;
  const Json* value = object.take(key);
  if (value == nullptr) return tcbs;
  JsonObject by_product = TRY(JsonObject::of(*value, inner(object, key)));
  for (size_t i = 0; i < kProductNames.size(); ++i) {
    const Json* parts = by_product.take(kProductNames[i]);
    if (parts == nullptr) continue;
    JsonObject fields = TRY(JsonObject::of(*parts, inner(by_product, kProductNames[i])));
    Tcb tcb{};
    for (const TcbPart& part : tcb_parts(static_cast<Product>(i))) {
      if (!part.key.empty())
        tcb[part.byte] = static_cast<uint8_t>(TRY(fields.number(part.key, 0, 0, 255)));
    }
    TRY(fields.finish());
    tcbs[i] = tcb;
  }
  TRY(by_product.finish());
  return tcbs;
}

OrderedJson tcbs_json(const TcbByProduct& tcbs) {
  OrderedJson object = OrderedJson::object();
  for (size_t i = 0; i < tcbs.size(); ++i) {
    if (!tcbs[i]) continue;
    for (const TcbPart& part : tcb_parts(static_cast<Product>(i))) {
      if (!part.key.empty()) object[kProductNames[i]][part.key] = (*tcbs[i])[part.byte];
    }
  }
  return object;
}

Result<FirmwareVersion> parse_firmware(JsonObject& object) {
  const Json* value = object.take("firmware_min");
  if (value == nullptr) return FirmwareVersion{};
  std::array<uint8_t, 3> parts{};
  const std::string text = value->is_string() ? value->get<std::string>() : "";
  const char* at = text.data();
  const char* const end = at + text.size();
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto [behind, wrong] = std::from_chars(at, end, parts[i]);
    const bool last = i + 1 == parts.size();
    if (wrong != std::errc() || (last ? behind != end : behind == end || *behind != '.')) {
      return Error{Code::kInvalid,
                   formatted("{} should be a version such as \"1.49.3\", each number below 256",
                             inner(object, "firmware_min"))};
    }
    at = behind + 1;
  }
  return FirmwareVersion{.build = parts[2], .minor = parts[1], .major = parts[0]};
}

Result<std::vector<std::string>> parse_names(JsonObject& object, std::string_view key) {
  std::vector<std::string> names;
  const Json* list = object.take(key);
  if (list == nullptr) return names;
  const Error wrong{Code::kInvalid, inner(object, key) + " should be a list of names"};
  if (!list->is_array()) return wrong;
  for (const Json& name : *list) {
    if (!name.is_string()) return wrong;
    names.push_back(name.get<std::string>());
  }
  return names;
}

Result<std::string> text_member(JsonObject& object, std::string_view key) {
  const Json* value = object.take(key);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return Error{Code::kInvalid, inner(object, key) + " should be text"};
  return value->get<std::string>();
}

// SHA-256 in hexadecimal text; that of nothing when the key is absent.
Result<Sha256Digest> hash_member(JsonObject& object, std::string_view key) {
  const std::string text = TRY(text_member(object, key));
  if (text.empty()) return sha256({});
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != sizeof(Sha256Digest))
    return Error{Code::kInvalid, inner(object, key) + " should be SHA-256: 64 hexadecimal digits"};
  return load<Sha256Digest>(*bytes);
}

Result<LaunchRule> parse_launch(const Json& json, const std::string& where) {
  JsonObject object = TRY(JsonObject::of(json, where));
  LaunchRule rule{.firmware = TRY(text_member(object, "firmware")), .launch = {}};
  if (rule.firmware.empty())
    return Error{Code::kInvalid, inner(object, "firmware") + " should be the name of a file"};
  rule.launch.processors =
      static_cast<uint32_t>(TRY(object.number("processors", 1, 1, Launch::kProcessorsMax)));
  rule.launch.guest_features =
      static_cast<uint64_t>(TRY(object.number("guest_features", 1, 0, INT64_MAX)));
  rule.launch.processor_signature = static_cast<uint32_t>(
      TRY(object.number("processor_signature", Launch::kEpycV4, 0, UINT32_MAX)));
  const bool kernel = json.contains("kernel");
  const MeasuredKernel measured{.kernel = TRY(hash_member(object, "kernel")),
                                .initrd = TRY(hash_member(object, "initrd")),
                                .command_line = TRY(text_member(object, "command_line"))};
  if (kernel) rule.launch.kernel = measured;
  if (!kernel && (json.contains("initrd") || json.contains("command_line")))
    return Error{Code::kInvalid, where + " names files or words for a kernel, and no \"kernel\""};
  TRY(object.finish());
  return rule;
}

Result<std::vector<LaunchRule>> parse_launches(JsonObject& object) {
  std::vector<LaunchRule> launches;
  const Json* list = object.take("launch");
  if (list == nullptr) return launches;
  const std::string where = inner(object, "launch");
  if (!list->is_array()) return Error{Code::kInvalid, where + " should be a list [...]"};
  for (const Json& launch : *list) launches.push_back(TRY(parse_launch(launch, where)));
  return launches;
}

OrderedJson launches_json(const std::vector<LaunchRule>& launches) {
  OrderedJson list = OrderedJson::array();
  for (const auto& [firmware, launch] : launches) {
    OrderedJson one = {{"firmware", firmware},
                       {"processors", launch.processors},
                       {"guest_features", launch.guest_features},
                       {"processor_signature", launch.processor_signature}};
    if (launch.kernel) {
      one["kernel"] = to_hex(launch.kernel->kernel);
      one["initrd"] = to_hex(launch.kernel->initrd);
      one["command_line"] = launch.kernel->command_line;
    }
    list.push_back(one);
  }
  return list;
}

}  // namespace

Result<Rules> parse_rules(JsonObject& object) {
  Rules rules;
  rules.roots = TRY(parse_roots(object));
  rules.tcb_min = TRY(parse_tcbs(object, "tcb_min"));
  rules.launch_tcb_min = TRY(parse_tcbs(object, "launch_tcb_min"));
  rules.firmware_min = TRY(parse_firmware(object));
  rules.guest_svn_min =
      static_cast<uint32_t>(TRY(object.number("guest_svn_min", 0, 0, UINT32_MAX)));
  rules.vmpl_max = static_cast<uint32_t>(TRY(object.number("vmpl_max", 3, 0, 3)));
  rules.mitigations = static_cast<uint64_t>(TRY(object.number("mitigations", 0, 0, INT64_MAX)));
  for (const Values& values : kValues)
    rules.*values.member = TRY(parse_accepted_values(object, values.key, values.size));
  rules.launches = TRY(parse_launches(object));
  rules.providers = TRY(parse_names(object, "providers"));
  for (const Flag& flag : kFlags)
    rules.*flag.member = TRY(object.boolean(flag.key, rules.*flag.member));
  TRY(object.finish());
  return rules;
}

OrderedJson rules_json(const Rules& rules) {
  OrderedJson object = OrderedJson::object();
  if (rules.roots != vendor_roots()) {
    object["roots"] = OrderedJson::object();
    for (const Root& root : rules.roots)
      object["roots"][name_of(root.product)].push_back(to_hex(root.key));
  }
  object["tcb_min"] = tcbs_json(rules.tcb_min);
  object["launch_tcb_min"] = tcbs_json(rules.launch_tcb_min);
  object["firmware_min"] = formatted("{}.{}.{}", rules.firmware_min.major, rules.firmware_min.minor,
                                     rules.firmware_min.build);
  object["guest_svn_min"] = rules.guest_svn_min;
  object["vmpl_max"] = rules.vmpl_max;
  object["mitigations"] = rules.mitigations;
  for (const Values& values : kValues)
    object[values.key] = accepted_values_json(rules.*values.member);
  object["launch"] = launches_json(rules.launches);
  object["providers"] = rules.providers;
  for (const Flag& flag : kFlags) object[flag.key] = rules.*flag.member;
  return object;
}

}  // namespace casemate::verify::snp
