// SPDX-License-Identifier: Apache-2.0
#include "outside/top/table.h"

#include <algorithm>
#include <functional>

#include "base/format.h"
#include "outside/launch/names.h"

namespace casemate::top {
namespace {

struct Column {
  std::string_view head;
  int matters;  // 0: goes first where there is no room; kName: is cut instead
  bool number;  // stands at the right
  std::string (*text)(const Row&);
};

constexpr int kName = 100;
constexpr size_t kNameMin = 8;
constexpr size_t kStateColumn = 4;

std::string latency_text(const Row& row) {
  return row.latency_ms ? formatted("{:.2f} ms", *row.latency_ms) : "-";
}

constexpr Column kColumns[] = {
    {"ENCLAVE", kName, false, [](const Row& r) { return r.enclave; }},
    {"PARTITION", kName, false, [](const Row& r) { return r.partition; }},
    {"DEVICE", 5, false, [](const Row& r) { return r.device; }},
    {"SHARE", 2, false, [](const Row& r) { return r.share; }},
    {"STATE", 9, false, [](const Row& r) { return std::string(launch::state_name(r.state)); }},
    {"REQ/S", 8, true,
     [](const Row& r) { return r.per_second ? rate_text(*r.per_second) : std::string("-"); }},
    {"LATENCY", 6, true, latency_text},
    {"RESTARTS", 7, true, [](const Row& r) { return formatted("{}", r.restarts); }},
    {"UP", 4, true,
     [](const Row& r) { return r.up_us == 0 ? std::string("-") : time_text(r.up_us); }},
    {"STANDBY", 1, false, [](const Row& r) { return r.standby; }},
    {"CALLS", 0, true, [](const Row& r) { return formatted("{}", r.calls); }},
};
static_assert(kColumns[kStateColumn].head == "STATE");

struct Measured {
  const Column* column;
  size_t width;
};

size_t total(const std::vector<Measured>& columns) {
  size_t sum = kGap.size() * (columns.size() - 1);
  for (const Measured& each : columns) sum += each.width;
  return sum;
}

// Leaves out and cuts until it fits.
void fit(std::vector<Measured>& columns, size_t width) {
  while (total(columns) > width) {
    const auto least =
        std::ranges::min_element(columns, {}, [](const Measured& m) { return m.column->matters; });
    if (least->column->matters < kName) {
      // Names are cut before a column goes that matters, and the state goes last.
      const auto longest = std::ranges::max_element(
          columns, {}, [](const Measured& m) { return m.column->matters == kName ? m.width : 0; });
      const size_t least_name = least->column->matters >= 9 ? kNameMin : 2 * kNameMin;
      if (least->column->matters >= 4 && longest->width > least_name) {
        --longest->width;
        continue;
      }
      columns.erase(least);
      continue;
    }
    const auto longest = std::ranges::max_element(columns, {}, &Measured::width);
    if (longest->width <= kNameMin) return;
    --longest->width;
  }
}

std::string cell(const Measured& m, std::string text) {
  if (text.size() > m.width) {
    text.resize(m.width - 1);
    text += '~';
  }
  return m.column->number ? formatted("{:>{}}", text, m.width) : formatted("{:<{}}", text, m.width);
}

}  // namespace

Table table_of(const Picture& picture, size_t width) {
  std::vector<Measured> columns;
  for (const Column& column : kColumns) {
    if (column.text == latency_text && !picture.latencies) continue;
    size_t widest = column.head.size();
    for (const Row& row : picture.rows) widest = std::max(widest, column.text(row).size());
    columns.push_back({&column, widest});
  }
  fit(columns, width);
  Table table;
  for (const Measured& m : columns) {
    if (m.column == &kColumns[kStateColumn]) table.state = table.head.size();
    table.head.push_back(cell(m, std::string(m.column->head)));
  }
  for (const Row& row : picture.rows) {
    auto& line = table.cells.emplace_back();
    for (const Measured& m : columns) line.push_back(cell(m, m.column->text(row)));
  }
  return table;
}

std::string summary_of(const Picture& picture) {
  std::string text = formatted("{} of {} enclaves run in {} partitions", picture.running,
                               picture.rows.size(), picture.partitions);
  if (picture.per_second) text += formatted(", {} requests/s", rate_text(*picture.per_second));
  return text;
}

std::string plain_text(const Picture& picture) {
  const Table table = table_of(picture, kAnyWidth);
  const auto line = [](const std::vector<std::string>& cells) {
    std::string text;
    for (const std::string& each : cells) text += (text.empty() ? "" : std::string(kGap)) + each;
    text.resize(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  std::string text = summary_of(picture) + "\n\n" + line(table.head);
  for (size_t i = 0; i < picture.rows.size(); ++i) {
    text += line(table.cells[i]);
    const Row& row = picture.rows[i];
    if (!row.reason.empty()) text += "    " + row.reason + "\n";
    if (!row.last_end.empty()) text += "    started anew: " + row.last_end + "\n";
  }
  return text;
}

}  // namespace casemate::top
