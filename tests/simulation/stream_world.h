// SPDX-License-Identifier: Apache-2.0
#pragma once
// StreamWorld: one stream, a caller, a callee, and a monitor that connects, watches and revokes it
// with the real StreamTable. Any of the three may be interrupted at any access to shared memory;
// the two ends are killed, stopped and turned into liars.
//
// What must hold, at every step:
//   1  requested and completed never run backwards, and
//      completed <= requested <= completed + slots, while both ends are honest.
//   2  A call is run at most once, in the order of calls, with the arguments and the epoch that it
//      was made with.
//   3  A call that was accepted has one answer, which is right and of its own epoch, in order; or
//      the stream fails and stays failed.
//   4  Whoever begins to wait for a call or an answer after a stream was revoked gets none from it;
//      bulk memory is read as it was written, or the end knows that the stream has failed.
//   5  An error of a posted call comes up at the next sync(), once.
//   6  A stream of honest ends that live is never closed. The first time in a row it is connected
//      again at once, and later each time.
//   7  Once nothing is hurt any more, calls go through again, within kPatience and without waiting
//      for a nap to end.
//
//   Owns     what the processes were told and did.
//   Threads  the machine's.
//   Trust    none needed.
//   Fails    with fail().

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "isolated/srpc/srpc.h"
#include "tests/simulation/machine.h"
#include "trusted/monitor/stream_table.h"

namespace casemate::simulation {

class StreamWorld final {
 public:
  static constexpr uint32_t kSlots = 4;
  static constexpr size_t kRegion = 512;
  static constexpr Duration kPatience = seconds(10);
  enum End : size_t { kCaller = 0, kCallee = 1 };

  explicit StreamWorld(uint64_t seed);
  void run();
  [[nodiscard]] const Machine& machine() const { return machine_; }

  // stream_actors.cc: what the processes do.
  void watch();
  void call();
  void serve();
  void lie(End end);

 private:
  // One connection, and what is known of it.
  struct Connection {
    std::vector<uint64_t> asked;  // by sequence
    std::vector<bool> posted;     // by sequence
    uint64_t run = 0;
    uint64_t answered = 0;  // of those that are not posted: one after the highest sequence
    bool revoking = false;
    bool revoked = false;
    bool honest = true;
    uint64_t requested = 0;
    uint64_t completed = 0;
    Code posted_error = Code::kOk;  // the first that nobody has heard of
  };
  struct Peer {
    ProcessId process = 0;
    std::optional<srpc::StreamEnd> mail;
    bool liar = false;
    bool turns = false;  // its next life is the other kind
    Instant until{};     // stopped
  };

  bool ask(srpc::Caller& caller, Epoch epoch);
  Result<std::optional<srpc::Reply>> wait_for_reply(srpc::Caller& caller);

  // Of the processes, while nothing else runs.
  [[nodiscard]] srpc::Waiting waiting(End end) const;
  std::optional<srpc::StreamEnd> take_mail(End end);
  void connected(monitor::StreamTable::Ends ends, Epoch epoch);
  void revoked();
  void closed(Duration again_in);
  bool wants_revoking();
  uint64_t asking(Epoch epoch, bool posted);
  bool begin(Epoch epoch);
  Code ran(const srpc::Request& request, Epoch epoch, bool revoked_before);
  void answered(Epoch epoch, const srpc::Reply& reply, bool revoked_before);
  void synced(Epoch epoch, const Status& status, bool failed);
  void failed(Epoch epoch);
  [[nodiscard]] static uint64_t answer_to(uint64_t question, Epoch epoch);

  void start(End end);
  void hurt();
  void check();
  void look_at_indices();
  void finish();

  Machine machine_;
  bool bell_;
  bool naps_;  // short ones, since who is lied to is not woken
  bool deceit_;
  Duration spin_;
  uint64_t hurt_every_;
  monitor::RestartPolicy policy_{milliseconds(10), milliseconds(80), seconds(1), 1000};
  std::unique_ptr<SystemDescription> description_;
  std::array<Peer, 2> peers_;
  ProcessId watcher_ = 0;
  bool revoke_wanted_ = false;
  std::map<uint32_t, Connection> connections_;
  uint32_t epoch_ = 0;  // the newest
  Fd requests_;         // its rings, to look at
  Fd replies_;
  Fd bell_of_caller_;
  uint32_t closed_in_a_row_ = 0;
  Instant connected_at_{};
  bool calm_ = false;
  Instant calm_since_{};
  uint64_t answered_in_calm_ = 0;
};

}  // namespace casemate::simulation
