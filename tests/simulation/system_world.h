// SPDX-License-Identifier: Apache-2.0
#pragma once
// SystemWorld: a whole system: the real monitor, the real runtimes of its partitions, the real
// gateway from its queue of requests to its streams, and models that double what they are given.
// Simulated are how a process is started (launcher.cc) and what a template does but load and fork.
//
//   partition "front"   gateway  --stream-->  "left"   model a, model b
//                                --stream-->  "right"  model c
//
// What must hold, at every step at which the monitor waits:
//   1  A request that was accepted is answered once: with the right answer, of a connection that
//      it was run on; or with an error that is due: channels of its model have failed three times
//      since it was asked, or it was given up, or the model lied.
//   2  A call is run once per connection, in order, and a request on at most three connections.
//   3  A request that nobody survives is refused: it never runs a fourth time.
//   4  The monitor's table is right: what it takes for active lives, or its end has not been told
//      yet; and what lives and was not killed is in its table.
//   5  Epochs of partitions and streams never fall, and no call of an epoch to come is run.
//   6  A partition that nobody has hurt does not fail, whoever lies elsewhere.
//   7  A partition that fails twice in a row waits, and twice as long each time.
//   8  Calls of a stream: completed <= requested <= completed + slots, while nobody lies.
//   9  Once nothing is hurt any more, everything that was not given up runs again within kPatience,
//      its streams are connected, and requests to all models are answered.
//  10  At the end nothing is left: no process, no descriptor.
//
//   Owns     what the processes were told and did.
//   Threads  the machine's.
//   Trust    none needed.
//   Fails    with fail().

#include <map>
#include <set>
#include <vector>

#include "isolated/gateway/serving/model_table.h"
#include "tests/simulation/machine.h"
#include "trusted/monitor/monitor.h"
#include "wire/abi/system.h"

namespace casemate::simulation {

class SystemWorld final {
 public:
  static constexpr size_t kPartitions = 3;
  static constexpr size_t kEnclaves = 4;
  static constexpr uint32_t kStreams = 3;
  static constexpr Duration kPatience = seconds(8);

  explicit SystemWorld(uint64_t seed);
  ~SystemWorld();
  static SystemWorld& here();
  void run();
  [[nodiscard]] const Machine& machine() const { return machine_; }

  // Of the launcher. What is started owns the descriptors from now on.
  ProcessId start_runtime(size_t partition, int socket, int heartbeat);
  ProcessId start_template(size_t enclave, ProcessId runtime, int socket);
  ProcessId start_instance(size_t enclave, ProcessId from, int socket, control::Message manifest);
  [[nodiscard]] bool launching_fails();
  [[nodiscard]] const std::vector<attest::Measured>& measured() const { return measured_; }

  // Of the processes (system_actors.cc), told here.
  [[nodiscard]] Duration loading_time();
  void gateway_started();
  uint64_t asking(size_t model, bool deadly, gateway::Model& to);
  void refused_at_once(uint64_t request);
  // True when the request ends whoever runs it.
  bool runs(size_t enclave, uint32_t stream, Epoch epoch, uint64_t sequence, uint64_t request);
  void answered(uint64_t request, const Result<uint64_t>& answer, Epoch epoch, bool right,
                const gateway::Model& model);
  [[nodiscard]] bool asks() const { return !over_; }
  [[nodiscard]] bool calm() const { return calm_; }
  [[nodiscard]] bool lies(ProcessId process) const { return liars_.contains(process); }

 private:
  enum class Kind : uint8_t { kRuntime, kTemplate, kInstance };
  struct Actor {
    ProcessId process = 0;
    Kind kind = Kind::kRuntime;
    size_t partition = 0;
    size_t enclave = 0;
  };
  struct Asked {
    size_t model = 0;
    bool deadly = false;
    uint64_t failures_before = 0;                  // of channels of its model, when it was asked
    std::set<std::pair<uint32_t, uint32_t>> runs;  // stream and epoch
  };
  // What was seen of a partition.
  struct Seen {
    uint32_t epoch = 0;
    uint32_t failures = 0;
    uint32_t in_a_row = 0;
    bool hurt = false;
    Instant started{};
    Instant not_before{};
  };

  void describe();
  void watch();  // the monitor's process
  void hear(std::string_view line);
  void hurt();
  void hurt(const Actor& actor);
  void finish();
  void check();
  // observing.cc
  [[nodiscard]] bool monitor_waits();
  void check_table();
  void check_partition(size_t p);
  void check_orphans();
  void check_streams();
  [[nodiscard]] bool recovered();
  [[nodiscard]] bool reachable(size_t model);
  ProcessId add(Kind kind, size_t partition, size_t enclave, std::string name, ProcessId parent,
                std::vector<int> fds, std::function<void()> body);

  Machine machine_;
  std::unique_ptr<SystemDescription> description_;
  std::vector<attest::Measured> measured_;
  monitor::Monitor* monitor_ = nullptr;
  ProcessId watcher_ = 0;
  ProcessId gateway_ = 0;  // the last one that served
  int stop_ = -1;
  std::vector<Actor> actors_;
  std::set<ProcessId> liars_;
  std::set<size_t> lied_;  // enclaves that have ever lied
  std::map<ProcessId, Instant> stopped_;
  std::array<Seen, kPartitions> seen_;
  std::array<uint32_t, kStreams> stream_epochs_{};
  std::map<uint64_t, Asked> open_;                         // requests that wait for an answer
  std::map<uint64_t, Asked> all_;                          // of this gateway
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> ran_;  // by stream and epoch: calls
  uint64_t requests_ = 0;
  uint64_t hurt_every_;
  bool deceit_;
  uint64_t bad_launches_;
  bool calm_ = false;
  bool over_ = false;
  Instant calm_since_{};
  std::array<uint64_t, kEnclaves> answered_in_calm_{};
};

// system_actors.cc: what the processes do.
void run_runtime(int socket, int heartbeat);
void run_template(size_t enclave, int socket);
void run_model(size_t enclave, int socket);
void run_gateway(int socket, const control::Message& manifest);

}  // namespace casemate::simulation
