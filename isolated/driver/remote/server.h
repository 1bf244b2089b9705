// SPDX-License-Identifier: Apache-2.0
#pragma once
// Server: the device's end of the stream of remote.h: one caller's calls, made of a Device.
//
//   Owns     the caller's buffers, programs and queues, which go with it.
//   Threads  one; the device has its own. A queue's commands read and write the stream's memory.
//   Trust    the caller may send anything: it gets a code. A piece is unpacked with every size
//            checked; what its attributes mean the device sees, which is the caller's own: the
//            monitor gives a device's enclave one caller.
//   Fails    serve() returns when the stream has failed, or is no longer wanted.

#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "isolated/driver/driver.h"
#include "isolated/driver/remote/protocol.h"
#include "isolated/srpc/srpc.h"

namespace casemate::driver {

struct ServerLimits {
  uint64_t piece_bytes_max = 1ull << 30;  // of one that is sent
};

class Server final {
 public:
  // Requires: device and memory outlive it.
  Server(Device& device, Bytes bulk_in, MutableBytes bulk_out, const ServerLimits& limits,
         std::atomic<uint64_t>* progress = nullptr)
      : device_(device), in_(bulk_in), out_(bulk_out), limits_(limits), progress_(progress) {}

  struct Answer {
    Code code = Code::kOk;
    std::vector<uint8_t> value = {};
  };
  Answer handle(uint32_t call, Bytes args);

 private:
  struct Line {
    std::deque<std::unique_ptr<Fence>> fences;  // of commands that are not known to be done
    uint64_t done = 0;
    Code failure = Code::kOk;
    std::unique_ptr<Queue> queue;  // goes first, and with it all that runs
  };

  Result<std::vector<uint8_t>> obey(remote::Call call, Bytes args);
  Result<std::vector<uint8_t>> hello() const;
  Result<std::vector<uint8_t>> state() const;
  Status stage(const remote::Stage& stage);
  Status takes();
  Status compile(uint64_t number);
  Status allocate(const remote::Allocate& wanted);
  Status open(uint64_t number);
  Result<std::vector<uint8_t>> close(uint64_t number);
  Status copy(const remote::Copy& copy, bool in);
  Status run(const remote::Run& run);
  Result<std::vector<uint8_t>> wait(const remote::Wait& wait);
  Status reset(const remote::Wait& wait);
  Status submit(Line& line, FenceResult fence);
  Result<std::vector<Operand>> operands(Bytes placed) const;
  // Looks at what has ended, for so many commands in all or until then.
  void look(Line& line, uint64_t commands, Instant deadline);
  Result<Line*> line_of(uint64_t number);

  Device& device_;
  Bytes in_;
  MutableBytes out_;
  ServerLimits limits_;
  std::atomic<uint64_t>* progress_;
  uint64_t steps_seen_ = 0;
  std::vector<uint8_t> staged_;
  uint64_t staged_total_ = 0;
  std::map<uint64_t, std::unique_ptr<Buffer>> buffers_;
  std::map<uint64_t, Program> programs_;
  std::map<uint64_t, Line> lines_;
};

// Serves one caller until its stream fails or `wanted` says no, which is asked every second.
void serve(Device& device, srpc::Callee& callee, const ServerLimits& limits,
           const std::function<bool()>& wanted);

}  // namespace casemate::driver
