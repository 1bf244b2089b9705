// SPDX-License-Identifier: Apache-2.0
// Times null calls between two processes:
//
//   isolated_srpc_srpc_bench spin|sleep|apart|stream SECONDS
//
//   spin    one call at a time, both sides spin
//   sleep   one call at a time, both sides sleep at once, the callee where its caller is
//   apart   the same, each wherever the kernel puts it
//   stream  posted calls, waited for once per 1,024
//
// Prints one line of JSON: nanoseconds per call (median and 99th percentile) and calls per second.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "isolated/srpc/srpc.h"
#include "wire/srpc/stream_pair.h"

namespace {

using namespace casemate;

constexpr auto kPatience = std::chrono::seconds(10);

struct Mode {
  const char* name;
  srpc::Waiting waiting;
  int calls_per_sample;  // too short a time cannot be told by the clock
  bool posted = false;
};

constexpr srpc::Waiting kSpin{.spin = std::chrono::seconds(1)};
constexpr srpc::Waiting kSleep{.spin = Duration(0), .meet = true};
constexpr srpc::Waiting kApart{.spin = Duration(0)};
constexpr Mode kModes[] = {
    {"spin", kSpin, 64}, {"sleep", kSleep, 1}, {"apart", kApart, 1}, {"stream", kSpin, 1024, true}};

[[noreturn]] void serve(const srpc::StreamPair& pair, const Mode& mode) {
  auto callee = srpc::Callee::make(*pair.callee_end(), mode.waiting);
  while (callee->next(kPatience)) {
    if (!callee->reply(Code::kOk)) break;
  }
  ::_exit(0);
}

Status call(srpc::Caller& caller, const Mode& mode) {
  for (int i = 0; i < mode.calls_per_sample; ++i) {
    if (mode.posted) {
      Status posted = caller.post(1, {});
      while (!posted && posted.error().code == Code::kUnavailable) posted = caller.post(1, {});
      TRY(posted);
    } else {
      TRY(caller.call(1, {}));
      TRY(caller.next(kPatience));
    }
  }
  return mode.posted ? caller.sync(kPatience) : Status{};
}

Status measure(const srpc::StreamPair& pair, const Mode& mode, double seconds) {
  auto caller = TRY(srpc::Caller::make(TRY(pair.caller_end()), mode.waiting));
  for (int i = 0; i < 100; ++i) TRY(call(caller, mode));
  std::vector<double> nanoseconds;
  nanoseconds.reserve(1 << 22);
  const Instant begin = system_clock().now();
  const auto end = begin + Duration(static_cast<int64_t>(seconds * 1e9));
  Instant now = begin;
  while (now < end) {
    TRY(call(caller, mode));
    const Instant then = std::exchange(now, system_clock().now());
    nanoseconds.push_back(static_cast<double>((now - then).count()) / mode.calls_per_sample);
  }
  const double calls = static_cast<double>(nanoseconds.size()) * mode.calls_per_sample;
  const double rate = calls * 1e9 / static_cast<double>((now - begin).count());
  std::ranges::sort(nanoseconds);
  std::printf("{\"median_ns\": %.1f, \"p99_ns\": %.1f, \"calls_per_s\": %.0f}\n",
              nanoseconds[nanoseconds.size() / 2], nanoseconds[nanoseconds.size() * 99 / 100],
              rate);
  return {};
}

int run(const Mode& mode, double seconds) {
  auto pair = srpc::StreamPair::make(StreamId{1}, {1}, {.slots = limits::kStreamSlots});
  CHECK(pair.has_value(), "the kernel gives memfds");
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(*pair, mode);
  }
  const Status done = measure(*pair, mode, seconds);
  pair->revoke();
  ::waitpid(child, nullptr, 0);
  if (done) return 0;
  std::fprintf(stderr, "srpc_bench: %s\n", done.error().text.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  for (const Mode& mode : kModes) {
    if (argc == 3 && std::string_view(argv[1]) == mode.name) return run(mode, std::atof(argv[2]));
  }
  std::fputs("usage: isolated_srpc_srpc_bench spin|sleep|apart|stream SECONDS\n", stderr);
  return 2;
}
