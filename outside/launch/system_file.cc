// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/system_file.h"

#include <algorithm>
#include <format>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.hpp>

namespace casemate::launch {
namespace {

// Where a refusal points to.
struct Place {
  std::string source;
  std::string table;
};

Error refuse(const Place& place, const toml::node& node, std::string_view key,
             std::string_view what) {
  return {Code::kInvalid, std::format("{}:{}: {}.{} {}", place.source, node.source().begin.line,
                                      place.table, key, what)};
}

using Setter = std::function<Status(const toml::node&, const Place&, std::string_view)>;
using Keys = std::map<std::string_view, Setter>;

Setter number(uint32_t& out, uint32_t low, uint32_t high) {
  return [&out, low, high](const toml::node& node, const Place& place,
                           std::string_view key) -> Status {
    const auto value = node.value_exact<int64_t>();
    if (!value || *value < low || *value > high) {
      return refuse(place, node, key,
                    std::format("must be a whole number from {} to {}", low, high));
    }
    out = static_cast<uint32_t>(*value);
    return {};
  };
}

Setter text(std::string& out, size_t length_max = 200) {
  return [&out, length_max](const toml::node& node, const Place& place,
                            std::string_view key) -> Status {
    const auto value = node.value_exact<std::string>();
    if (!value || value->empty() || value->size() > length_max) {
      return refuse(place, node, key,
                    std::format("must be a text of 1 to {} characters", length_max));
    }
    out = *value;
    return {};
  };
}

Setter flag(bool& out) {
  return [&out](const toml::node& node, const Place& place, std::string_view key) -> Status {
    const auto value = node.value_exact<bool>();
    if (!value) return refuse(place, node, key, "must be true or false");
    out = *value;
    return {};
  };
}

Setter name(std::string& out) {
  return [&out](const toml::node& node, const Place& place, std::string_view key) -> Status {
    TRY(text(out, 60)(node, place, key));
    const bool plain = std::ranges::all_of(out, [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    });
    if (!plain || out == "gateway")
      return refuse(place, node, key,
                    "must consist of letters, digits, '-', '_', '.', and not be 'gateway'");
    return {};
  };
}

Setter device(std::string& out) {
  return [&out](const toml::node& node, const Place& place, std::string_view key) -> Status {
    TRY(text(out, 20)(node, place, key));
    if (out != "cpu:0")
      return refuse(place, node, key,
                    std::format("is '{}', but this build drives only 'cpu:0'", out));
    return {};
  };
}

Setter listen_address(std::string& out) {
  return [&out](const toml::node& node, const Place& place, std::string_view key) -> Status {
    TRY(text(out, 80)(node, place, key));
    if (out.find(':') == std::string::npos)
      return refuse(place, node, key, "must be ADDRESS:PORT, for example 127.0.0.1:8443");
    return {};
  };
}

template <class T, class Take>
Setter list(std::vector<T>& out, Take take, std::string_view expected) {
  return [&out, take, expected](const toml::node& node, const Place& place,
                                std::string_view key) -> Status {
    const toml::array* array = node.as_array();
    if (array == nullptr || array->empty() || array->size() > 64)
      return refuse(place, node, key, expected);
    out.clear();
    for (const toml::node& item : *array) {
      const auto value = take(item);
      if (!value || std::ranges::find(out, *value) != out.end())
        return refuse(place, item, key, expected);
      out.push_back(*value);
    }
    return {};
  };
}

Status read_table(const toml::table& table, const Place& place, const Keys& keys) {
  for (const auto& [key, node] : table) {
    const auto known = keys.find(key.str());
    if (known == keys.end()) {
      std::string names;
      for (const auto& [candidate, setter] : keys)
        names += std::format("{}{}", names.empty() ? "" : ", ", candidate);
      return Error{Code::kInvalid,
                   std::format("{}:{}: {} has no key '{}'; it may have {}", place.source,
                               node.source().begin.line, place.table, key.str(), names)};
    }
    TRY(known->second(node, place, key.str()));
  }
  return {};
}

Setter table(Keys keys, std::string table_name) {
  return [keys = std::move(keys), table_name](const toml::node& node, const Place& place,
                                              std::string_view key) -> Status {
    const toml::table* inner = node.as_table();
    if (inner == nullptr) return refuse(place, node, key, "must be a table");
    return read_table(*inner, {place.source, table_name}, keys);
  };
}

Keys restart_keys(Restart& r) {
  return {{"backoff_ms_first", number(r.backoff_ms_first, 1, 60'000)},
          {"backoff_ms_max", number(r.backoff_ms_max, 1, 3'600'000)},
          {"failures_max", number(r.failures_max, 1, 1'000'000)},
          {"stable_ms", number(r.stable_ms, 1, 3'600'000)},
          {"hang_ms", number(r.hang_ms, 100, 3'600'000)}};
}

Keys partition_keys(PartitionSettings& p, bool defaults) {
  Keys keys = {{"device", device(p.device)},
               {"cores", list(
                             p.cores,
                             [](const toml::node& n) -> std::optional<uint32_t> {
                               const auto v = n.value_exact<int64_t>();
                               if (!v || *v < 0 || *v > 63) return std::nullopt;
                               return static_cast<uint32_t>(*v);
                             },
                             "must be a list of different core numbers from 0 to 63")},
               {"cpu_percent", number(p.cpu_percent, 1, 6400)},
               {"memory_mib", number(p.memory_mib, 64, 1u << 20)},
               {"threads", number(p.threads, 1, 256)},
               {"request_mib", number(p.request_mib, 1, 256)},
               {"calls_in_flight", number(p.calls_in_flight, 1, 64)},
               {"standby", flag(p.standby)},
               {"debug", flag(p.debug)},
               {"restart", table(restart_keys(p.restart), "restart")}};
  if (!defaults) {
    keys.emplace("name", name(p.name));
    keys.emplace("models",
                 list(
                     p.models, [](const toml::node& n) { return n.value_exact<std::string>(); },
                     "must be a list of different model names"));
  }
  return keys;
}

Keys gateway_keys(GatewaySettings& g) {
  return {{"listen", listen_address(g.listen)},
          {"memory_mib", number(g.memory_mib, 64, 1u << 20)},
          {"connections_max", number(g.connections_max, 1, 1'000'000)},
          {"request_mib", number(g.request_mib, 1, 256)},
          {"idle_timeout_s", number(g.idle_timeout_s, 1, 86'400)},
          {"standby", flag(g.standby)}};
}

Setter partition_list(SystemFile& file) {
  return [&file](const toml::node& node, const Place& place, std::string_view key) -> Status {
    const toml::array* array = node.as_array();
    if (array == nullptr || !array->is_homogeneous(toml::node_type::table))
      return refuse(place, node, key, "must be written as [[partition]] tables");
    for (const toml::node& item : *array) {
      PartitionSettings p = file.defaults;
      TRY(read_table(*item.as_table(), {place.source, "partition"}, partition_keys(p, false)));
      if (p.name.empty())
        return refuse({place.source, "partition"}, item, "name",
                      "is missing: every partition has one");
      if (p.models.empty())
        return refuse({place.source, "partition"}, item, "models",
                      "is missing: a partition serves at least one model");
      const auto same = [&](const PartitionSettings& other) { return other.name == p.name; };
      if (std::ranges::any_of(file.partitions, same))
        return refuse({place.source, "partition"}, item, "name",
                      std::format("'{}' is there twice", p.name));
      file.partitions.push_back(std::move(p));
    }
    return {};
  };
}

}  // namespace

Result<SystemFile> SystemFile::parse(const std::string& content, const std::string& source) {
  const toml::parse_result parsed = toml::parse(content, source);
  if (!parsed) {
    return Error{Code::kInvalid,
                 std::format("{}:{}: {}", source, parsed.error().source().begin.line,
                             parsed.error().description())};
  }
  SystemFile file;
  const Place top{source, "system"};
  const Keys keys = {
      {"repository", text(file.repository)},
      {"gateway", table(gateway_keys(file.gateway), "gateway")},
      {"defaults", table(partition_keys(file.defaults, true), "defaults")},
      {"partition", [](const toml::node&, const Place&, std::string_view) { return Status(); }}};
  TRY(read_table(parsed.table(), top, keys));
  // Partitions start from the defaults, wherever in the file those stand.
  if (const toml::node* list = parsed.table().get("partition"))
    TRY(partition_list(file)(*list, top, "partition"));
  return file;
}

Result<SystemFile> SystemFile::load(const std::string& path) {
  std::ifstream in(path);
  if (!in)
    return Error{Code::kNotFound,
                 std::format("{}: cannot be read; --config names a system file", path)};
  std::stringstream content;
  content << in.rdbuf();
  return parse(content.str(), path);
}

}  // namespace casemate::launch
