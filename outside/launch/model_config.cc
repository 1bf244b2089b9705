// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/model_config.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/format.h"

namespace casemate::launch {
namespace {

// Configurations with long comments have tens of KiB.
constexpr uint64_t kConfigBytes = 1 << 20;
constexpr size_t kNestingMax = 64;
constexpr size_t kNamesShown = 16;

// These only say again where the file lies and what it is.
constexpr std::array<std::string_view, 3> kSaidByTheLayout = {"name", "platform", "backend"};

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool word(char c) {
  return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-';
}

// Walks over the text token by token. Values are skipped, whatever they are.
class Lister final {
 public:
  explicit Lister(std::string_view text) : rest_(text) {}

  Result<std::vector<std::string>> list() {
    while (skip_space()) {
      if (!letter(rest_.front())) return refuse("a setting's name is missing");
      const std::string name(take_word());
      if (std::ranges::find(names_, name) == names_.end()) names_.push_back(name);
      TRY(skip_value(name));
      if (skip_space() && (rest_.front() == ',' || rest_.front() == ';')) advance();
    }
    return std::move(names_);
  }

 private:
  Error refuse(std::string_view what) const {
    return {Code::kInvalid, formatted("line {}: {}", line_, what)};
  }

  void advance() {
    if (rest_.front() == '\n') ++line_;
    rest_.remove_prefix(1);
  }

  // Past white space and comments; false at the end.
  bool skip_space() {
    while (!rest_.empty()) {
      if (rest_.front() == '#') {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (std::string_view(" \t\r\n\f\v").contains(rest_.front())) {
        advance();
      } else {
        return true;
      }
    }
    return false;
  }

  std::string_view take_word() {
    const auto end = std::ranges::find_if_not(rest_, word) - rest_.begin();
    const std::string_view taken = rest_.substr(0, static_cast<size_t>(end));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  Status skip_string() {
    const char quote = rest_.front();
    advance();
    while (!rest_.empty() && rest_.front() != quote && rest_.front() != '\n') {
      if (rest_.front() == '\\' && rest_.size() > 1) advance();
      advance();
    }
    if (rest_.empty() || rest_.front() != quote) return refuse("a string does not end");
    advance();
    return {};
  }

  // ": scalar", ": [list]" or ": {message}", the latter two without a colon as well; a scalar may
  // be several strings in a row.
  Status skip_value(const std::string& name) {
    bool colon = false;
    bool strings = false;
    while (skip_space()) {
      const char c = rest_.front();
      if (c == ':' && !colon && !strings) {
        colon = true;
        advance();
      } else if (c == '"' || c == '\'') {
        TRY(skip_string());
        strings = true;
      } else if (strings) {
        return {};
      } else if (c == '{' || c == '<' || c == '[') {
        return skip_nested();
      } else if (colon && word(c)) {
        take_word();
        return {};
      } else {
        break;
      }
    }
    return strings ? Status() : refuse(formatted("'{}' has no value", name.substr(0, 64)));
  }

  Status skip_nested() {
    std::string open;
    while (skip_space()) {
      const char c = rest_.front();
      if (c == '"' || c == '\'') {
        TRY(skip_string());
        continue;
      }
      if (c == '{' || c == '<' || c == '[') {
        if (open.size() == kNestingMax) return refuse("messages are nested too deeply");
        open.push_back(c == '{' ? '}' : c == '<' ? '>' : ']');
      } else if (c == '}' || c == '>' || c == ']') {
        if (open.back() != c) return refuse(formatted("'{}' closes nothing", c));
        open.pop_back();
      }
      advance();
      if (open.empty()) return {};
    }
    return refuse(formatted("'{}' is missing at the end", open.back()));
  }

  std::string_view rest_;
  size_t line_ = 1;
  std::vector<std::string> names_;
};

Result<std::string> read_config(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return Error{Code::kInvalid, "it is no regular file"};
  std::ifstream file(path, std::ios::binary);
  std::string text(kConfigBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || !file.is_open()) return Error{Code::kPlatform, "it cannot be read"};
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kConfigBytes)
    return Error{Code::kTooLarge, formatted("it has more than {} bytes", kConfigBytes)};
  return text;
}

}  // namespace

Result<std::vector<std::string>> settings_in(std::string_view text) { return Lister(text).list(); }

std::string config_warning(const std::string& path) {
  const auto settings = [&]() -> Result<std::vector<std::string>> {
    return settings_in(TRY(read_config(path)));
  }();
  if (!settings) return formatted("{}: {}; nothing in it is followed", path, settings.error().text);
  std::string names;
  size_t count = 0;
  for (const std::string& name : *settings) {
    if (std::ranges::contains(kSaidByTheLayout, name)) continue;
    if (++count > kNamesShown) continue;
    names += formatted("{}{}", names.empty() ? "" : ", ", name.substr(0, 64));
  }
  if (count == 0) return "";
  if (count > kNamesShown) names += formatted(" and {} more", count - kNamesShown);
  return formatted(
      "{}: not followed: {}; the model is served as its ONNX file says, with the settings of the "
      "system file (--config)",
      path, names);
}

}  // namespace casemate::launch
