// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/tcb.h"

#include <algorithm>
#include <chrono>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/strict_json.h"

namespace casemate::verify::intel {
namespace {

using Json = nlohmann::json;

// Documents that were seen have 11 levels and 20 advisories for one.
constexpr size_t kLevels = 256;
constexpr size_t kAdvisories = 256;
constexpr size_t kTextBytes = 64;

// Takes members by name and keeps the first thing that was wrong, so that a structure is read in
// one go and asked about once.
class Fields final {
 public:
  Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) fail("", "an object");
  }

  const Json* find(std::string_view key) {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  uint32_t number(std::string_view key, uint32_t most) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_number_unsigned() || value->get<uint64_t>() > most) {
      fail(key, formatted("a whole number up to {}", most));
      return 0;
    }
    return value->get<uint32_t>();
  }
  std::string text(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_string()) {
      fail(key, "a text");
      return {};
    }
    return printable(value->get_ref<const std::string&>(), kTextBytes);
  }
  template <size_t N>
  ByteArray<N> hex(std::string_view key) {
    const Json* value = find(key);
    if (value != nullptr && value->is_string()) {
      const auto bytes = from_hex(value->get_ref<const std::string&>());
      if (bytes && bytes->size() == N) return load<ByteArray<N>>(*bytes);
    }
    fail(key, formatted("{} hexadecimal digits", 2 * N));
    return {};
  }
  // A number that is written as its bytes, the lowest first.
  uint64_t flags(std::string_view key) {
    const ByteArray<8> bytes = hex<8>(key);
    return load<uint64_t>(bytes);
  }
  int64_t time(std::string_view key) {
    const Json* value = find(key);
    const auto time = value != nullptr && value->is_string()
                          ? time_of(value->get_ref<const std::string&>())
                          : std::nullopt;
    if (!time) fail(key, "a time such as 2026-02-18T10:58:51Z");
    return time.value_or(0);
  }
  const Json& list(std::string_view key, size_t most) {
    static const Json kNothing = Json::array();
    const Json* value = find(key);
    if (value == nullptr || !value->is_array() || value->size() > most) {
      fail(key, formatted("a list of at most {}", most));
      return kNothing;
    }
    return *value;
  }
  void fail(std::string_view key, std::string_view wanted) {
    if (wrong_.empty()) wrong_ = formatted("{}: \"{}\" should be {}", where_, key, wanted);
  }
  [[nodiscard]] Status status() const {
    return wrong_.empty() ? Status() : Status(Error{Code::kInvalid, wrong_});
  }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  const Json& object_;
  std::string where_;
  std::string wrong_;
};

Result<LevelWord> read_word(Fields& level) {
  LevelWord word;
  const std::string status = level.text("tcbStatus");
  const auto known = TcbStatus::from(status);
  if (!known) level.fail("tcbStatus", "a status that is known");
  word.status = known.value_or(TcbStatus{});
  // Version 1 levels have no date, and only those.
  if (level.find("tcbDate") != nullptr) {
    level.time("tcbDate");
    word.date = level.text("tcbDate");
  }
  if (level.find("advisoryIDs") != nullptr) {
    for (const Json& id : level.list("advisoryIDs", kAdvisories)) {
      if (id.is_string())
        word.advisories.push_back(printable(id.get_ref<const std::string&>(), kTextBytes));
      else
        level.fail("advisoryIDs", "texts");
    }
  }
  TRY(level.status());
  return word;
}

// Sixteen objects {"svn", "category"?, "type"?}; what they are is the same on every level.
Status read_components(Fields& tcb, std::string_view key, ByteArray<16>& into,
                       std::array<std::string, 16>& parts) {
  const Json& list = tcb.list(key, 16);
  if (list.size() != 16) tcb.fail(key, "16 components");
  TRY(tcb.status());
  for (size_t i = 0; i < 16; ++i) {
    Fields component(list[i], formatted("{}: component {}", tcb.where(), i + 1));
    into[i] = static_cast<uint8_t>(component.number("svn", 0xFF));
    for (const std::string_view word : {"category", "type"}) {
      if (component.find(word) == nullptr) continue;
      const std::string text = component.text(word);
      if (!parts[i].contains(text)) parts[i] += (parts[i].empty() ? "" : ", ") + text;
    }
    TRY(component.status());
  }
  return {};
}

Result<PlatformLevel> read_platform_level(const Json& value, const std::string& where,
                                          uint32_t version, TcbInfo& info) {
  Fields fields(value, where);
  PlatformLevel level;
  level.word = TRY(read_word(fields));
  const Json* inner = fields.find("tcb");
  if (inner == nullptr) fields.fail("tcb", "an object");
  TRY(fields.status());
  Fields tcb(*inner, where + ": \"tcb\"");
  level.pce_svn = static_cast<uint16_t>(tcb.number("pcesvn", 0xFFFF));
  if (version == 2) {
    for (size_t i = 0; i < 16; ++i) {
      level.sgx[i] = static_cast<uint8_t>(tcb.number(formatted("sgxtcbcomp{:02}svn", i + 1), 0xFF));
    }
  } else {
    TRY(read_components(tcb, "sgxtcbcomponents", level.sgx, info.sgx_parts));
  }
  if (info.tdx) TRY(read_components(tcb, "tdxtcbcomponents", level.tdx, info.tdx_parts));
  TRY(tcb.status());
  return level;
}

Result<std::vector<EnclaveLevel>> read_enclave_levels(Fields& fields) {
  std::vector<EnclaveLevel> levels;
  const std::string where = fields.where() + ": a level";
  for (const Json& value : fields.list("tcbLevels", kLevels)) {
    Fields level(value, where);
    EnclaveLevel read;
    read.word = TRY(read_word(level));
    const Json* tcb = level.find("tcb");
    if (tcb == nullptr) level.fail("tcb", "an object");
    TRY(level.status());
    Fields inner(*tcb, where);
    read.security_version = static_cast<uint16_t>(inner.number("isvsvn", 0xFFFF));
    TRY(inner.status());
    levels.push_back(std::move(read));
  }
  TRY(fields.status());
  return levels;
}

Result<ModuleIdentity> read_module(const Json& value, const std::string& where, bool versioned) {
  Fields fields(value, where);
  ModuleIdentity module;
  if (versioned) module.id = fields.text("id");
  module.signer = fields.hex<48>("mrsigner");
  module.attributes = fields.flags("attributes");
  module.attributes_mask = fields.flags("attributesMask");
  if (versioned) module.levels = TRY(read_enclave_levels(fields));
  TRY(fields.status());
  return module;
}

Status read_modules(Fields& fields, TcbInfo& info) {
  if (const Json* module = fields.find("tdxModule"); module != nullptr)
    info.module = TRY(read_module(*module, fields.where() + ": \"tdxModule\"", false));
  if (fields.find("tdxModuleIdentities") == nullptr) return {};
  for (const Json& value : fields.list("tdxModuleIdentities", kLevels))
    info.modules.push_back(TRY(read_module(value, fields.where() + ": a TDX module", true)));
  return fields.status();
}

std::string part_name(size_t index, const std::string& what, std::string_view kind) {
  return formatted("{}component {}{}", kind, index + 1, what.empty() ? "" : " (" + what + ")");
}

struct NamedStatus {
  std::string_view name;
  TcbStatus status;
};
constexpr std::array<NamedStatus, 7> kStatuses = {{
    {"UpToDate", {}},
    {"SWHardeningNeeded", {.hardening = true}},
    {"ConfigurationNeeded", {.configuration = true}},
    {"ConfigurationAndSWHardeningNeeded", {.configuration = true, .hardening = true}},
    {"OutOfDate", {.out_of_date = true}},
    {"OutOfDateConfigurationNeeded", {.out_of_date = true, .configuration = true}},
    {"Revoked", {.revoked = true}},
}};

}  // namespace

std::optional<TcbStatus> TcbStatus::from(std::string_view name) {
  const auto found = std::ranges::find(kStatuses, name, &NamedStatus::name);
  return found == kStatuses.end() ? std::nullopt : std::optional(found->status);
}

std::string_view TcbStatus::name() const {
  if (revoked) return "Revoked";
  if (out_of_date) return configuration ? "OutOfDateConfigurationNeeded" : "OutOfDate";
  if (configuration) return hardening ? "ConfigurationAndSWHardeningNeeded" : "ConfigurationNeeded";
  return hardening ? "SWHardeningNeeded" : "UpToDate";
}

std::optional<int64_t> time_of(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";  // 0: a digit
  const auto fits = [](char found, char wanted) {
    return wanted == '0' ? found >= '0' && found <= '9' : found == wanted;
  };
  if (!std::ranges::equal(text, kForm, fits)) return std::nullopt;
  const auto number = [&](size_t at, size_t size) {
    uint32_t value = 0;
    for (const char digit : text.substr(at, size))
      value = 10 * value + static_cast<uint32_t>(digit - '0');
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(number(0, 4))),
                                         std::chrono::month(number(5, 2)),
                                         std::chrono::day(number(8, 2)));
  const uint32_t hour = number(11, 2);
  const uint32_t minute = number(14, 2);
  const uint32_t second = number(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::chrono::sys_seconds day = std::chrono::sys_days(date);
  return day.time_since_epoch().count() + 3600 * hour + 60 * minute + second;
}

Result<TcbInfo> read_tcb_info(std::string_view text, std::string_view what) {
  const Json root = TRY(parse_json(text, what));
  Fields fields(root, std::string(what));
  TcbInfo info;
  const uint32_t version = fields.number("version", UINT32_MAX);
  const std::string id = version == 2 ? "SGX" : fields.text("id");
  if (id != "SGX" && id != "TDX") fields.fail("id", "SGX or TDX");
  TRY(fields.status());
  if (version != 2 && version != 3) {
    return Error{Code::kUnsupported,
                 formatted("{} is of version {}; 2 and 3 are read", what, version)};
  }
  info.tdx = id == "TDX";
  info.window = {fields.time("issueDate"), fields.time("nextUpdate")};
  info.fmspc = fields.hex<6>("fmspc");
  info.pce_id = fields.hex<2>("pceId");
  info.evaluation_number = fields.number("tcbEvaluationDataNumber", UINT32_MAX);
  if (fields.number("tcbType", UINT32_MAX) != 0) fields.fail("tcbType", "0, which is read");
  for (const Json& level : fields.list("tcbLevels", kLevels)) {
    const std::string where = formatted("{}: level {}", what, info.levels.size() + 1);
    info.levels.push_back(TRY(read_platform_level(level, where, version, info)));
  }
  if (info.tdx) TRY(read_modules(fields, info));
  TRY(fields.status());
  return info;
}

Result<QeIdentity> read_qe_identity(std::string_view text, std::string_view what) {
  const Json root = TRY(parse_json(text, what));
  Fields fields(root, std::string(what));
  QeIdentity identity;
  const std::string id = fields.text("id");
  if (id != "QE" && id != "TD_QE") fields.fail("id", "QE or TD_QE");
  if (fields.number("version", UINT32_MAX) != 2) fields.fail("version", "2, which is read");
  identity.td = id == "TD_QE";
  identity.window = {fields.time("issueDate"), fields.time("nextUpdate")};
  identity.evaluation_number = fields.number("tcbEvaluationDataNumber", UINT32_MAX);
  // Written as numbers are, the highest digit first.
  const auto number = [&](std::string_view key) {
    uint32_t value = 0;
    for (const uint8_t byte : fields.hex<4>(key)) value = value << 8 | byte;
    return value;
  };
  identity.misc_select = number("miscselect");
  identity.misc_select_mask = number("miscselectMask");
  identity.attributes = fields.hex<16>("attributes");
  identity.attributes_mask = fields.hex<16>("attributesMask");
  identity.mrsigner = fields.hex<32>("mrsigner");
  identity.product_id = static_cast<uint16_t>(fields.number("isvprodid", 0xFFFF));
  identity.levels = TRY(read_enclave_levels(fields));
  return identity;
}

std::vector<Shortfall> shortfalls(const TcbInfo& info, const PlatformLevel& level, const Pck& pck,
                                  const TdReport* guest) {
  std::vector<Shortfall> found;
  const auto compare = [&](uint32_t actual, uint32_t asked, const auto& name) {
    if (actual < asked) found.push_back({name(), actual, asked});
  };
  for (size_t i = 0; i < 16; ++i) {
    compare(pck.components[i], level.sgx[i], [&] { return part_name(i, info.sgx_parts[i], ""); });
  }
  compare(pck.pce_svn, level.pce_svn, [] { return std::string("pcesvn"); });
  if (guest == nullptr) return found;
  // A module that has a major version is judged by its own identity, and not by these two.
  const size_t first = guest->tee_tcb_svn[1] > 0 ? 2 : 0;
  for (size_t i = first; i < 16; ++i) {
    compare(guest->tee_tcb_svn[i], level.tdx[i],
            [&] { return part_name(i, info.tdx_parts[i], "TDX "); });
  }
  return found;
}

const PlatformLevel* level_of(const TcbInfo& info, const Pck& pck, const TdReport* guest) {
  const auto found = std::ranges::find_if(info.levels, [&](const PlatformLevel& level) {
    return shortfalls(info, level, pck, guest).empty();
  });
  return found == info.levels.end() ? nullptr : &*found;
}

const EnclaveLevel* level_of(const std::vector<EnclaveLevel>& levels, uint32_t security_version) {
  const auto found = std::ranges::find_if(levels, [&](const EnclaveLevel& level) {
    return level.security_version <= security_version;
  });
  return found == levels.end() ? nullptr : &*found;
}

}  // namespace casemate::verify::intel
