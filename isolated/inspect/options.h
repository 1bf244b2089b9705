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
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

namespace casemate::inspect {

enum class Question : uint8_t { kCheck, kPlan, kProfile, kDevices };
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
  // kPlan: over these, "cpu:0,npu:0", and which of them is to run whatever it takes.
  std::optional<std::string> devices = {};
  std::string prefer = {};
  // Devices that other programs have, by name, and the streams to them (given_end.h).
  std::map<std::string, std::string> remotes = {};

  // Where external data may lie; empty: nowhere.
  [[nodiscard]] std::string folder() const { return external_data ? "/proc/self/fd/4" : ""; }
};

// "check|plan|profile|devices", then words NAME=VALUE: json=1, by=time|order|kind, batch=,
// threads=, rounds=, memory=BYTES, seconds=, external_data=1, devices=, prefer=, and
// shape=SYMBOL=EXTENT and remote=opencl:N=STREAM any number of times.
Result<Options> parse(std::span<char* const> arguments);

}  // namespace casemate::inspect
