// SPDX-License-Identifier: Apache-2.0
#pragma once
// RemoteCore: what a remote device and its handles share: the stream, the tables that handles are
// looked up in, and what each queue has on its way.
//
//   Owns     the stream's end, and which parts of its bulk memory are in use.
//   Threads  any number; what is named ..._locked wants the lock held.
//   Trust    see remote.h.
//   Fails    see remote.h.

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "isolated/driver/remote/protocol.h"
#include "isolated/driver/remote/remote.h"
#include "isolated/driver/serial/places.h"
#include "isolated/srpc/srpc.h"

namespace casemate::driver {

// The commands of one queue that are not known to be done, and how far it has come.
struct RemoteLine {
  struct Region {
    uint64_t begin = 0;
    uint64_t bytes = 0;
  };
  struct Pending {
    std::optional<Region> in = {};
    std::optional<Region> out = {};
    MutableBytes to = {};  // of a read, where what lies in `out` goes
  };
  uint64_t handle = 0;
  uint64_t submitted = 0;
  uint64_t done = 0;
  std::deque<Pending> pending;  // the first is command `done`
  std::optional<Error> failure;
  bool closed = false;
};

class RemoteCore final {
 public:
  // `requests` is the caller's ring once more, for what a caller cannot see to be a lie.
  RemoteCore(srpc::Caller caller, ring::ProducerEnd requests, RemoteOptions options, Clock& time);

  Status greet();
  DeviceState state();
  Status takes(const engine::Graph& graph, const engine::Node& node);
  Result<uint64_t> compile(const engine::Graph& piece);
  void drop(uint64_t program);
  Result<uint64_t> allocate(uint64_t bytes);
  void free(uint64_t buffer);
  Result<std::shared_ptr<RemoteLine>> open();
  void close(RemoteLine& line);
  // Each returns the number of its last command, 0 being the queue's first.
  Result<uint64_t> write(RemoteLine& line, const Buffer& to, uint64_t offset, Bytes from);
  Result<uint64_t> read(RemoteLine& line, const Buffer& from, uint64_t offset, MutableBytes to);
  Result<uint64_t> run(RemoteLine& line, Program program, std::span<const Operand> inputs,
                       std::span<const Operand> outputs);
  Status wait(RemoteLine& line, uint64_t command, Instant deadline);
  Status reset(Instant deadline);
  // Before the device goes: its handles are good for nothing from here on.
  void stop();

  DeviceLimits limits;
  std::string kind;

 private:
  struct ProgramEntry {
    std::vector<uint64_t> input_bytes;
    std::vector<uint64_t> output_bytes;
  };

  // remote_link.cc: calls, and what the other side may say.
  Result<srpc::Reply> ask_locked(remote::Call call, Bytes args, Duration takes = {});
  Status post_locked(remote::Call call, Bytes args);
  template <class Value>
  Result<Value> value_locked(remote::Call call, Bytes args, Duration takes = {});
  Status done_locked(remote::Call call, Bytes args, std::string_view what);
  Status lose_locked(std::string_view why);
  Status lied_locked(std::string_view why);
  Status pulse_locked(RemoteLine& line, uint64_t commands, Duration timeout);
  Status apply_locked(RemoteLine& line, const remote::Progress& progress);
  Status stage_locked(Bytes packed);
  Status takes_locked(const engine::Graph& graph, const engine::Node& node);

  // remote_core.cc
  void settle_locked(RemoteLine& line);
  void give_back_locked(RemoteLine::Pending& pending);
  Status admit_locked(RemoteLine& line);
  Status wait_for_room_locked(RemoteLine& line);
  Status copy_locked(RemoteLine& line, const remote::Copy& whole, Bytes from, MutableBytes to);
  Status copy_part_locked(RemoteLine& line, const remote::Copy& part, Bytes from, MutableBytes to);
  Result<RemoteLine::Region> room_locked(Places& places, uint64_t bytes);
  Result<uint64_t> buffer_locked(const Buffer* buffer) const;
  Status check_operands_locked(std::span<const Operand> operands,
                               const std::vector<uint64_t>& sizes, std::string_view what) const;
  void forget_locked(RemoteLine& line);

  RemoteOptions options_;
  Clock& clock_;
  std::mutex lock_;
  srpc::Caller caller_;
  ring::ProducerEnd requests_;
  Places in_places_;
  Places out_places_;
  std::optional<Error> lost_;
  std::map<uint64_t, uint64_t> buffers_;  // their bytes
  std::map<uint64_t, ProgramEntry> programs_;
  std::set<std::shared_ptr<RemoteLine>> lines_;
};

}  // namespace casemate::driver
