// SPDX-License-Identifier: Apache-2.0
#include "outside/verdict/strict_json.h"

#include <algorithm>
#include <set>
#include <vector>

#include "base/format.h"
#include "base/log.h"

namespace casemate::verify {
namespace {

using Json = nlohmann::json;

// Walks the text once without building anything, and stops at the first thing that the library
// itself would let through.
class StrictWalk final : public nlohmann::json_sax<Json> {
 public:
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override {
    keys_.emplace_back();
    return deeper();
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(size_t) override { return deeper(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    wrong_ = formatted("the key \"{}\" is there twice", printable(name, 60));
    return false;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    wrong_ = formatted("it is no JSON at byte {}", position);
    return false;
  }

 private:
  bool deeper() {
    if (++depth_ <= kJsonDepth) return true;
    wrong_ = formatted("it nests deeper than {}", kJsonDepth);
    return false;
  }
  std::vector<std::set<std::string, std::less<>>> keys_;
  uint32_t depth_ = 0;
  std::string wrong_;
};

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, std::string_view what) {
  // The library takes a NUL for the end, and looks at nothing behind it.
  if (const size_t at = text.find('\0'); at != text.npos)
    return Error{Code::kInvalid, formatted("{}: it is no JSON at byte {}", what, at)};
  try {
    StrictWalk walk;
    if (!Json::sax_parse(text, &walk))
      return Error{Code::kInvalid, formatted("{}: {}", what, walk.wrong())};
    return Json::parse(text);
  } catch (const std::exception& failure) {
    return Error{Code::kInvalid, formatted("{}: {}", what, printable(failure.what(), 120))};
  }
}

Result<JsonObject> JsonObject::of(const Json& value, std::string where) {
  if (!value.is_object())
    return Error{Code::kInvalid, formatted("{} should be an object {{...}}", where)};
  return JsonObject(&value, std::move(where));
}

const Json* JsonObject::take(std::string_view key) {
  taken_.emplace_back(key);
  const auto found = object_->find(key);
  return found == object_->end() ? nullptr : &*found;
}

Result<bool> JsonObject::boolean(std::string_view key, bool otherwise) {
  const Json* value = take(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean())
    return Error{Code::kInvalid, formatted("{}: \"{}\" should be true or false", where_, key)};
  return value->get<bool>();
}

Result<int64_t> JsonObject::number(std::string_view key, int64_t otherwise, int64_t least,
                                   int64_t most) {
  const Json* value = take(key);
  if (value == nullptr) return otherwise;
  const bool in_range = value->is_number_unsigned()
                            ? value->get<uint64_t>() <= static_cast<uint64_t>(most) &&
                                  static_cast<int64_t>(value->get<uint64_t>()) >= least
                            : value->is_number_integer() && value->get<int64_t>() >= least &&
                                  value->get<int64_t>() <= most;
  if (!in_range) {
    return Error{Code::kInvalid, formatted("{}: \"{}\" should be a whole number from {} to {}",
                                           where_, key, least, most)};
  }
  return value->get<int64_t>();
}

Status JsonObject::finish() const {
  for (const auto& [key, value] : object_->items()) {
    if (std::ranges::contains(taken_, key)) continue;
    std::string known;
    for (const std::string& name : taken_) known += (known.empty() ? "" : ", ") + name;
    return Error{Code::kInvalid, formatted("{}: the key \"{}\" is not known; known are {}", where_,
                                           printable(key, 60), known)};
  }
  return {};
}

}  // namespace casemate::verify
