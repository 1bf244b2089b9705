// SPDX-License-Identifier: Apache-2.0
#include "outside/top/picture.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/log.h"
#include "outside/launch/names.h"
#include "wire/evidence/evidence.h"

namespace casemate::top {
namespace {

using operating::EnclaveStatus;
using operating::State;

bool is_gateway(const EnclaveStatus& enclave) {
  return enclave.kind == static_cast<uint32_t>(EnclaveKind::kGateway);
}

double seconds_between(const Look& before, const Look& now) {
  return std::chrono::duration<double>(now.at - before.at).count();
}

// Calls per second; nothing when the system is another one by now, or no time has passed.
std::optional<double> rate(const Look& now, const Look* before, size_t e) {
  if (before == nullptr || e >= before->reply.enclave_count) return std::nullopt;
  const double seconds = seconds_between(*before, now);
  const uint64_t from = before->reply.enclaves[e].completed;
  const uint64_t to = now.reply.enclaves[e].completed;
  if (seconds <= 0 || to < from || before->reply.enclaves[e].id != now.reply.enclaves[e].id)
    return std::nullopt;
  return static_cast<double>(to - from) / seconds;
}

std::optional<double> latency(const Look& now, const Look* before, const std::string& label) {
  if (before == nullptr || !now.served || !before->served) return std::nullopt;
  const auto to = now.served->find(label);
  const auto from = before->served->find(label);
  if (to == now.served->end() || from == before->served->end() ||
      to->second.requests <= from->second.requests || to->second.total_us < from->second.total_us)
    return std::nullopt;
  return static_cast<double>(to->second.total_us - from->second.total_us) / 1000 /
         static_cast<double>(to->second.requests - from->second.requests);
}

Row row_of(const Look& now, const Look* before, size_t e) {
  const EnclaveStatus& enclave = now.reply.enclaves[e];
  const auto& partition = launch::partition_of(now.reply, enclave);
  const bool lives = partition.state == static_cast<uint32_t>(State::kRunning);
  Row row;
  row.enclave = launch::label_of(enclave);
  row.id = enclave.id;
  row.partition = printable(partition.name.view());
  row.device = printable(partition.device.view());
  row.share = launch::share_text(partition);
  row.state = lives ? enclave.state : partition.state;
  if (!is_gateway(enclave)) row.per_second = rate(now, before, e);
  row.latency_ms = latency(now, before, row.enclave);
  row.calls = enclave.completed;
  row.restarts = enclave.starts == 0 ? 0 : enclave.starts - 1;
  row.up_us = enclave.up_us;
  row.standby = launch::standby_name(partition.standby);
  row.reason = printable(enclave.reason.view());
  const bool own = !enclave.last_end.view().empty();
  row.last_end = printable(own ? enclave.last_end.view() : partition.last_end.view());
  return row;
}

}  // namespace

Picture picture_of(const Look& now, const Look* before) {
  Picture picture;
  picture.partitions = now.reply.partition_count;
  picture.latencies = now.served.has_value();
  const uint32_t count = std::min(now.reply.enclave_count, limits::kEnclaves);
  for (size_t e = 0; e < count; ++e) {
    picture.rows.push_back(row_of(now, before, e));
    const Row& row = picture.rows.back();
    if (row.state == static_cast<uint32_t>(State::kRunning)) ++picture.running;
    if (row.per_second) picture.per_second = picture.per_second.value_or(0) + *row.per_second;
  }
  // All requests come through the gateway.
  for (size_t e = 0; e < count; ++e) {
    if (is_gateway(now.reply.enclaves[e])) picture.rows[e].per_second = picture.per_second;
  }
  return picture;
}

std::string_view order_name(Order order) {
  constexpr std::array<std::string_view, kOrders> names = {"as listed", "requests/s", "latency",
                                                           "restarts", "youngest"};
  return names[static_cast<size_t>(order)];
}

void sort_rows(std::vector<Row>& rows, Order order) {
  const auto key = [order](const Row& row) -> double {
    switch (order) {
      case Order::kListed:
        return 0;
      case Order::kRate:
        return row.per_second.value_or(-1);
      case Order::kLatency:
        return row.latency_ms.value_or(-1);
      case Order::kRestarts:
        return row.restarts;
      case Order::kYoungest:
        return row.up_us == 0 ? -1e18 : -static_cast<double>(row.up_us);
    }
    return 0;
  };
  std::ranges::stable_sort(rows, std::greater{}, key);
}

std::string rate_text(double per_second) {
  if (per_second >= 1e6) return formatted("{:.1f}M", per_second / 1e6);
  if (per_second >= 1e5) return formatted("{:.0f}k", per_second / 1e3);
  if (per_second >= 10) return formatted("{:.0f}", per_second);
  return formatted("{:.1f}", per_second);
}

std::string time_text(uint64_t microseconds) {
  const uint64_t s = microseconds / 1'000'000;
  if (s < 60) return formatted("{} s", s);
  if (s < 3600) return formatted("{} min {} s", s / 60, s % 60);
  if (s < 86400) return formatted("{} h {} min", s / 3600, s % 3600 / 60);
  return formatted("{} d {} h", s / 86400, s % 86400 / 3600);
}

}  // namespace casemate::top
