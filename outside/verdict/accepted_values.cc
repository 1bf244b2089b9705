// SPDX-License-Identifier: Apache-2.0
#include "outside/verdict/accepted_values.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::verify {
namespace {

constexpr size_t kValueBytes = 1024;

}  // namespace

Result<AcceptedValues> parse_accepted_values(JsonObject& object, std::string_view key,
                                             size_t size) {
  AcceptedValues accepted;
  const nlohmann::json* list = object.take(key);
  if (list == nullptr) return accepted;
  const auto wrong = [&] {
    return Error{
        Code::kInvalid,
        formatted("{}: \"{}\" should be a list of strings of {} hexadecimal digits", object.where(),
                  key,
                  size == 0 ? formatted("up to {}", 2 * kValueBytes) : formatted("{}", 2 * size))};
  };
  if (!list->is_array()) return wrong();
  for (const nlohmann::json& value : *list) {
    if (!value.is_string()) return wrong();
    auto bytes = from_hex(value.get_ref<const std::string&>());
    if (!bytes || (size == 0 ? bytes->size() > kValueBytes : bytes->size() != size)) return wrong();
    accepted.push_back(*std::move(bytes));
  }
  return accepted;
}

nlohmann::ordered_json accepted_values_json(const AcceptedValues& values) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& value : values) list.push_back(to_hex(value));
  return list;
}

Finding one_of_accepted(const AcceptedValues& accepted, Bytes actual) {
  const auto is_actual = [&](const auto& value) { return std::ranges::equal(value, actual); };
  if (std::ranges::any_of(accepted, is_actual))
    return {.good = true, .expected = "a pinned value", .actual = to_hex(actual)};
  Finding finding{.expected = "a pinned value",
                  .actual = actual.empty() ? "nothing" : to_hex(actual),
                  .allowed = true};
  if (accepted.empty()) return finding;
  finding.allowed = false;
  finding.expected = to_hex(accepted.front());
  if (accepted.size() > 1) finding.expected += formatted(" or {} others", accepted.size() - 1);
  return finding;
}

Finding revocation_of(const Status& checked, std::string_view expected,
                      const RevocationAdvice& advice) {
  Finding finding = finding_of(checked, expected);
  if (checked) return finding;
  const Code code = checked.error().code;
  finding.remedy = code == Code::kDenied     ? advice.revoked
                   : code == Code::kNotFound ? advice.missing
                                             : advice.unusable;
  return finding;
}

Finding unrevoked(const Status& shown, const Status& listed, std::string_view expected,
                  const RevocationAdvice& advice) {
  Finding finding = revocation_of(listed, expected, advice);
  if (!listed || shown) return finding;
  return {.expected = std::string(expected), .actual = shown.error().text, .allowed = true};
}

Finding finding_of(const Status& status, std::string_view expected) {
  if (status) return {.good = true, .expected = std::string(expected)};
  return {.expected = std::string(expected), .actual = status.error().text};
}

}  // namespace casemate::verify
