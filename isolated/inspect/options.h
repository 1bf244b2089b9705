// SPDX-License-Identifier: Apache-2.0
#pragma once
// Options: what was asked, as it stands on the command line of casemate-inspect.
//
//   Owns     values.
//   Threads  values.
//   Trust    arguments are the user's own word, passed on by `casemate`.
//   Fails    parse() with the argument that makes no sense.

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/result.h"

namespace casemate::inspect {

enum class Question : uint8_t { kCheck, kPlan, kProfile };
enum class Order : uint8_t { kTime, kOrder, kKind };

struct Options {
  Question question = Question::kCheck;
  bool json = false;
  Order order = Order::kTime;
  int64_t batch = 0;  // 0: was not said
  int threads = 1;
  int rounds = 9;
  uint64_t memory_bytes_max = 4ull << 30;
  uint64_t seconds_max = 300;
  bool external_data = false;                  // the model's folder is open as descriptor 4
  std::map<std::string, int64_t> shapes = {};  // extents of symbols

  // Where external data may lie; empty: nowhere.
  [[nodiscard]] std::string folder() const { return external_data ? "/proc/self/fd/4" : ""; }
};

// "check|plan|profile", then words NAME=VALUE: json=1, by=time|order|kind, batch=, threads=,
// rounds=, memory=BYTES, seconds=, external_data=1, and shape=SYMBOL=EXTENT any number of times.
Result<Options> parse(std::span<char* const> arguments);

}  // namespace casemate::inspect
