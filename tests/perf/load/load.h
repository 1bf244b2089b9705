// SPDX-License-Identifier: Apache-2.0
#pragma once
// Load: verified clients that call one model at a steady rate and hold every answer against the
// first one.
//
//   Owns     its connections and threads.
//   Threads  one per connection.
//   Trust    the server is verified like by any client.
//   Fails    run() when a connection cannot be made; failed calls are counted.

#include <string>
#include <vector>

#include "outside/client/session.h"

namespace casemate::perf {

struct LoadPlan {
  std::string url;
  std::string model;
  std::vector<client::Tensor> inputs;
  double rate = 200;  // calls per second, of all connections together
  double seconds = 5;
  int connections = 2;
};

struct TimedCall {
  double begin_s = 0;  // of the monotonic clock
  double milliseconds = 0;
};

struct LoadReport {
  uint64_t answered = 0;
  uint64_t failed = 0;
  uint64_t wrong = 0;            // answers that differ from the first one
  std::vector<TimedCall> calls;  // answered ones, the shortest first
  std::string first_failure;
  [[nodiscard]] double percentile(double share) const;
};

Result<LoadReport> run(const LoadPlan& plan);

}  // namespace casemate::perf
