// SPDX-License-Identifier: Apache-2.0
#pragma once
// Picture: a system as people look at it: one row for each enclave, with its partition's state, and
// how fast it works. Rates are differences between two looks.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    text of a reply is stripped of what a terminal would obey.
//   Fails    cannot: what is not known is absent.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "wire/abi/operator.h"

namespace casemate::top {

// What a gateway has counted for a model, by label as in "digits/1".
struct Served {
  uint64_t requests = 0;
  uint64_t total_us = 0;  // from arrival to answer, of all of them
};
using ServedModels = std::map<std::string, Served>;

struct Look {
  operating::Reply reply;
  std::optional<ServedModels> served;
  Instant at{};
};

struct Row {
  std::string enclave;  // "digits/1"
  uint32_t id = 0;
  std::string partition;
  std::string device;
  std::string share;
  uint32_t state = 0;  // of the enclave, or of its partition where that does not run
  std::optional<double> per_second;
  std::optional<double> latency_ms;  // mean of the requests between the looks
  uint64_t calls = 0;
  uint32_t restarts = 0;
  uint64_t up_us = 0;
  std::string standby;
  std::string reason;    // why it does not run
  std::string last_end;  // why it, or its partition, was last started anew
};

struct Picture {
  std::vector<Row> rows;
  uint32_t partitions = 0;
  uint32_t running = 0;  // enclaves
  std::optional<double> per_second;
  bool latencies = false;
};

// `before` may be absent: then there are no rates.
Picture picture_of(const Look& now, const Look* before);

enum class Order : uint8_t { kListed, kRate, kLatency, kRestarts, kYoungest };
constexpr int kOrders = 5;
std::string_view order_name(Order order);
// The most first; equals stay as they are listed.
void sort_rows(std::vector<Row>& rows, Order order);

// "812", "0.4", "1.3M"
std::string rate_text(double per_second);
// "4 s", "3 min 5 s", "2 h 1 min", "5 d 3 h"
std::string time_text(uint64_t microseconds);

}  // namespace casemate::top
