// SPDX-License-Identifier: Apache-2.0
#include "tests/perf/load/load.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace casemate::perf {
namespace {

class Caller final {
 public:
  Caller(const LoadPlan& plan, LoadReport& report, std::mutex& lock)
      : plan_(plan), report_(report), lock_(lock) {}

  Status connect() {
    verify::Policy policy;
    policy.allow_software_root = true;
    session_.emplace(TRY(client::Session::connect(plan_.url, policy)));
    expected_ = TRY(session_->infer(plan_.model, plan_.inputs));
    return {};
  }

  // Calls at fixed times, so that a slow answer does not thin out the load behind it.
  void run(int index) {
    const Duration interval(static_cast<int64_t>(1e9 * plan_.connections / plan_.rate));
    const Instant begin = system_clock().now() + interval * index / plan_.connections;
    const auto calls = static_cast<int>(plan_.rate * plan_.seconds / plan_.connections);
    for (int i = 0; i < calls; ++i) {
      const Instant due = begin + interval * i;
      std::this_thread::sleep_until(due);
      call();
    }
    const std::lock_guard guard(lock_);
    report_.answered += answered_;
    report_.failed += failed_;
    report_.wrong += wrong_;
    if (report_.first_failure.empty()) report_.first_failure = first_failure_;
    report_.calls.insert(report_.calls.end(), calls_.begin(), calls_.end());
  }

 private:
  void call() {
    const Instant begin = system_clock().now();
    const auto outputs = session_->infer(plan_.model, plan_.inputs);
    if (!outputs) {
      ++failed_;
      if (first_failure_.empty()) first_failure_ = outputs.error().text;
      return;
    }
    ++answered_;
    const auto same = [](const client::Tensor& a, const client::Tensor& b) {
      return a.data == b.data;
    };
    if (!std::ranges::equal(*outputs, expected_, same)) ++wrong_;
    const auto seconds = [](Duration d) { return static_cast<double>(d.count()) / 1e9; };
    calls_.push_back(
        {seconds(begin.time_since_epoch()), seconds(system_clock().now() - begin) * 1e3});
  }

  const LoadPlan& plan_;
  LoadReport& report_;
  std::mutex& lock_;
  std::optional<client::Session> session_;
  std::vector<client::Tensor> expected_;
  uint64_t answered_ = 0;
  uint64_t failed_ = 0;
  uint64_t wrong_ = 0;
  std::string first_failure_;
  std::vector<TimedCall> calls_;
};

}  // namespace

double LoadReport::percentile(double share) const {
  if (calls.empty()) return 0;
  const auto index = static_cast<size_t>(share * static_cast<double>(calls.size()));
  return calls[std::min(index, calls.size() - 1)].milliseconds;
}

Result<LoadReport> run(const LoadPlan& plan) {
  LoadReport report;
  std::mutex lock;
  std::vector<Caller> callers;
  for (int i = 0; i < plan.connections; ++i) {
    callers.emplace_back(plan, report, lock);
    TRY(callers.back().connect());
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < plan.connections; ++i)
    threads.emplace_back([&callers, i] { callers[static_cast<size_t>(i)].run(i); });
  for (std::thread& thread : threads) thread.join();
  std::ranges::sort(report.calls, {}, &TimedCall::milliseconds);
  return report;
}

}  // namespace casemate::perf
