// SPDX-License-Identifier: Apache-2.0
#pragma once
// Record: a file to which every verdict is appended, so that its user can say later what he talked
// to: a line of JSON for each, with the time, the server, whether it was accepted and why not, the
// hashes of keys and measurements, and the policy's.
//
// A verdict that lets somebody through always has its line. Of refusals, which any program on this
// machine can cause, kRefusals at once have one and one in ten seconds has; the next line says how
// many were left out.
//
//   Owns     the file, which only ever grows.
//   Threads  one.
//   Trust    the file is this user's alone; what is in it came from a verdict.
//   Fails    open() with kDenied for what others may read or is no regular file; append() with
//            kPlatform: what it was about is not on the disk.

#include <expected>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "outside/client/seldom.h"
#include "outside/proxy/gate.h"

namespace casemate::proxy {

class Record final {
 public:
  static constexpr int64_t kRefusals = 64;

  // The clock outlives it.
  static Result<Record> open(const std::string& path, std::string server, const Clock& clock);

  // On disk when it returns, or left out.
  Status append(const std::expected<verify::Verdict, Refusal>& looked,
                const verify::Policy& policy);

 private:
  Record(std::string path, std::string server, const Clock& clock, Fd file)
      : path_(std::move(path)),
        server_(std::move(server)),
        clock_(&clock),
        refusals_(clock, kRefusals, std::chrono::seconds(10)),
        file_(std::move(file)) {}
  Status write(std::string line);

  std::string path_;
  std::string server_;
  const Clock* clock_;
  client::Seldom refusals_;
  Fd file_;
  bool torn_ = false;  // its last line has no end
};

}  // namespace casemate::proxy
