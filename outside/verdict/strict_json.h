// SPDX-License-Identifier: Apache-2.0
#pragma once
// Strict JSON: the one way in which the programs outside read JSON that somebody else wrote, a
// policy file or a server's answer. A key that is there twice is refused (two readers could differ
// on which one counts), so is nesting beyond kJsonDepth.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the text may be hostile; its size is bounded by the caller.
//   Fails    kInvalid with `what`, the place, and what is wrong. Never throws.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace casemate::verify {

// Policies nest 4 deep, protocol answers 5 (an index of models with lists of shapes).
inline constexpr uint32_t kJsonDepth = 32;

// `what` names the text in an error, such as "policy p.json".
Result<nlohmann::json> parse_json(std::string_view text, std::string_view what);

// One object whose keys are all taken by name; what nobody took is an error. `where` names the
// object in errors. Requires: the object outlives the reader.
class JsonObject final {
 public:
  // Fails with kInvalid when `value` is no object.
  static Result<JsonObject> of(const nlohmann::json& value, std::string where);

  // The member `key`, or nullptr; it counts as taken.
  const nlohmann::json* take(std::string_view key);
  // The same with a type; absent keys leave the default.
  Result<bool> boolean(std::string_view key, bool otherwise);
  Result<int64_t> number(std::string_view key, int64_t otherwise, int64_t least, int64_t most);
  // Fails, and names the first key that was never taken and the ones that are known.
  Status finish() const;

  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  JsonObject(const nlohmann::json* object, std::string where)
      : object_(object), where_(std::move(where)) {}
  const nlohmann::json* object_;
  std::string where_;
  std::vector<std::string> taken_;
};

}  // namespace casemate::verify
