// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/system_world.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "isolated/infer/infer.h"

namespace casemate::simulation {
namespace {

constexpr Duration kChaos = milliseconds(400);
constexpr uint64_t kStepsOfChaos = 1500;
constexpr std::array<size_t, SystemWorld::kEnclaves> kPartitionOf = {0, 1, 1, 2};
constexpr std::array<std::string_view, SystemWorld::kPartitions> kPartitionNames = {"front", "left",
                                                                                    "right"};
constexpr std::array<std::string_view, SystemWorld::kEnclaves> kEnclaveNames = {"gateway", "a", "b",
                                                                                "c"};
constexpr Duration kSlack = milliseconds(40);
SystemWorld* the_world = nullptr;

}  // namespace

SystemWorld::SystemWorld(uint64_t seed)
    : machine_(seed), description_(std::make_unique<SystemDescription>()) {
  the_world = this;
  Chance& chance = machine_.chance();
  hurt_every_ = chance.one_of<uint64_t>({50, 200, 600, 1'000'000});
  deceit_ = chance.one_in(3);
  bad_launches_ = chance.one_in(4) ? 10 : 0;
  machine_.set_switch_every(chance.one_of<uint64_t>({2, 8, 32, 128}));
  describe();
}

SystemWorld::~SystemWorld() { the_world = nullptr; }

SystemWorld& SystemWorld::here() { return *the_world; }

void SystemWorld::describe() {
  Chance& chance = machine_.chance();
  SystemDescription& d = *description_;
  d.partition_count = kPartitions;
  d.enclave_count = kEnclaves;
  d.stream_count = kStreams;
  for (size_t p = 0; p < kPartitions; ++p) {
    PartitionDescription& partition = d.partitions[p];
    partition.name = Text<limits::kName>::from(kPartitionNames[p]);
    partition.backoff_ms_first = 20;
    partition.backoff_ms_max = 100;
    partition.failures_max = static_cast<uint32_t>(chance.one_of<uint64_t>({4, 1000}));
    partition.stable_ms = 300;
    partition.hang_ms = 300;
    partition.load_ms = 500;
    partition.standby = chance.one_in(2) ? 1 : 0;
  }
  for (size_t e = 0; e < kEnclaves; ++e) {
    EnclaveDescription& enclave = d.enclaves[e];
    enclave.name = Text<limits::kName>::from(kEnclaveNames[e]);
    enclave.partition = static_cast<uint32_t>(kPartitionOf[e]);
    enclave.kind = static_cast<uint32_t>(e == 0 ? EnclaveKind::kGateway : EnclaveKind::kModel);
    enclave.model_version = 1;
    attest::Measured measured;
    measured.enclave =
        EnclaveId::of({static_cast<uint8_t>(kPartitionOf[e] + 1)}, static_cast<uint32_t>(e));
    measured_.push_back(measured);
  }
  constexpr uint64_t kRegion = (sizeof(ModelDescription) + 4095) / 4096 * 4096;
  for (uint32_t i = 0; i < kStreams; ++i)
    d.streams[i] = {.caller = 0,
                    .callee = i + 1,
                    .slots = 4,
                    .regions = 2,
                    .bulk_in_bytes = 2 * kRegion,
                    .bulk_out_bytes = 2 * kRegion};
}

void SystemWorld::watch() {
  const allow::Powers powers = allow::assume_all_powers();
  auto system = monitor::MeasuredSystem::make(powers.spawn,
                                              std::make_unique<SystemDescription>(*description_),
                                              *jail::ImageStore::make(powers.spawn, ""));
  auto setup = std::make_unique<monitor::Monitor::Setup>(monitor::Monitor::Setup{
      *std::move(system), jail::Cgroups::open(powers.spawn, ""),
      *attest::Voucher::make(powers.vouch, nullptr, {}), Fd(::eventfd(0, EFD_CLOEXEC)),
      Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), stop_});
  monitor::Monitor monitor(powers, std::move(setup), machine_);
  monitor_ = &monitor;
  static_cast<void>(monitor.run());
  monitor_ = nullptr;
}

void SystemWorld::run() {
  stop_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  machine_.listener = [this](std::string_view line) { hear(line); };
  watcher_ = machine_.spawn("monitor", 0, [this] { watch(); });
  const Instant chaos_ends = machine_.now() + kChaos;
  while (!over_) {
    if (!machine_.step()) fail("all processes wait for ever");
    check();
    if (calm_) {
      expect(machine_.now() - calm_since_ < kPatience, "what was not given up does not run again");
      over_ = (open_.empty() || !machine_.alive(gateway_)) && recovered();
    } else if (machine_.now() >= chaos_ends || machine_.steps() > kStepsOfChaos) {
      finish();
    } else if (machine_.chance().one_in(hurt_every_)) {
      hurt();
    }
  }
  const uint64_t one = 1;
  [[maybe_unused]] const auto told = ::write(stop_, &one, sizeof one);
  while (machine_.find(watcher_) != nullptr && machine_.step()) {
  }
  ::close(stop_);
  for (const Process& process : machine_.processes())
    expect(process.id == 0, "a process is left when the monitor has ended");
  expect(machine_.descriptors() == 0, "a descriptor is left when the monitor has ended");
}

// "partition NAME: why; starting again in N ms": the first time in a row at once, and then later
// each time.
void SystemWorld::hear(std::string_view line) {
  constexpr std::string_view kAgain = "; starting again in ";
  const auto again = line.find(kAgain);
  if (!line.starts_with("partition ") || again == line.npos) return;
  for (size_t p = 0; p < kPartitions; ++p) {
    if (!line.substr(10).starts_with(kPartitionNames[p])) continue;
    const PartitionDescription& limits = description_->partitions[p];
    Seen& seen = seen_[p];
    // Its start is seen a little late, so what looks almost stable may have been.
    if (machine_.now() - seen.started >= milliseconds(limits.stable_ms) - kSlack) seen.in_a_row = 0;
    ++seen.in_a_row;
    const Duration wait =
        milliseconds(std::strtol(line.data() + again + kAgain.size(), nullptr, 10));
    const Duration least =
        std::min<Duration>(milliseconds(limits.backoff_ms_max),
                           milliseconds(limits.backoff_ms_first) *
                               (seen.in_a_row < 2 ? 0 : 1 << std::min(seen.in_a_row - 2, 10u)));
    expect(wait >= least, "a partition that fails again and again does not wait longer");
  }
}

ProcessId SystemWorld::add(Kind kind, size_t partition, size_t enclave, std::string name,
                           ProcessId parent, std::vector<int> fds, std::function<void()> body) {
  const ProcessId id = machine_.spawn(std::move(name), parent, std::move(body));
  for (const int fd : fds) machine_.own(fd, id);
  actors_.push_back({id, kind, partition, enclave});
  const bool turned = deceit_ && !calm_ && machine_.chance().one_in(8);
  if (turned && kind != Kind::kTemplate) {
    machine_.trace("process {} has been taken over", id);
    liars_.insert(id);
    if (kind == Kind::kInstance) lied_.insert(enclave);
    seen_[partition].hurt = true;
  }
  return id;
}

ProcessId SystemWorld::start_runtime(size_t partition, int socket, int heartbeat) {
  const Outside outside;
  return add(Kind::kRuntime, partition, 0, formatted("{}", kPartitionNames[partition]), watcher_,
             {socket, heartbeat}, [=] { run_runtime(socket, heartbeat); });
}

ProcessId SystemWorld::start_template(size_t enclave, ProcessId runtime, int socket) {
  const Outside outside;
  return add(Kind::kTemplate, kPartitionOf[enclave], enclave,
             formatted("{}'s template", kEnclaveNames[enclave]), runtime, {socket},
             [=] { run_template(enclave, socket); });
}

ProcessId SystemWorld::start_instance(size_t enclave, ProcessId from, int socket,
                                      control::Message manifest) {
  const Outside outside;
  const auto body = [=] {
    if (enclave == 0) {
      run_gateway(socket, manifest);
    } else {
      run_model(enclave, socket);
    }
  };
  return add(Kind::kInstance, kPartitionOf[enclave], enclave, std::string(kEnclaveNames[enclave]),
             from, {socket}, body);
}

bool SystemWorld::launching_fails() {
  const Outside outside;
  if (calm_ || bad_launches_ == 0 || !machine_.chance().one_in(bad_launches_)) return false;
  for (Seen& seen : seen_) seen.hurt = true;
  return true;
}

Duration SystemWorld::loading_time() {
  const Outside outside;
  return machine_.chance().between(microseconds(100), milliseconds(10));
}

void SystemWorld::hurt() {
  Chance& chance = machine_.chance();
  if (chance.one_in(12)) {
    machine_.trace("the machine stands still for a while");
    for (Seen& seen : seen_) {
      seen.hurt = true;
      seen.in_a_row = 0;  // how long they have run is not seen
    }
    return machine_.pass(chance.between(Duration(0), seconds(1)));
  }
  std::erase_if(actors_, [&](const Actor& actor) { return !machine_.alive(actor.process); });
  if (!actors_.empty()) hurt(actors_[chance.below(actors_.size())]);
}

void SystemWorld::hurt(const Actor& actor) {
  Chance& chance = machine_.chance();
  seen_[actor.partition].hurt = true;
  if (!chance.one_in(3)) return machine_.kill(actor.process);
  machine_.trace("process {} is stopped", actor.process);
  machine_.stop(actor.process, true);
  stopped_[actor.process] = machine_.now() + chance.between(Duration(0), milliseconds(700));
}

// Nobody is hurt any more; who lies is ended.
void SystemWorld::finish() {
  calm_ = true;
  calm_since_ = machine_.now();
  machine_.trace("from now on nobody is hurt");
  machine_.calm();
  for (const ProcessId liar : liars_) machine_.kill(liar);
}

void SystemWorld::check() {
  for (auto stopped = stopped_.begin(); stopped != stopped_.end();) {
    if (stopped->second > machine_.now()) {
      ++stopped;
      continue;
    }
    machine_.stop(stopped->first, false);
    stopped = stopped_.erase(stopped);
  }
  if (monitor_waits()) check_table();
  if (machine_.steps() % 64 == 0) check_streams();
}

// Requests that another gateway had are its clients' to send again.
void SystemWorld::gateway_started() {
  const Outside outside;
  gateway_ = machine_.owner();
  open_.clear();
  all_.clear();
}

uint64_t SystemWorld::asking(size_t model, bool deadly, gateway::Model& to) {
  const Outside outside;
  const Asked asked{model, deadly, to.statistics().restarts, {}};
  open_[++requests_] = asked;
  all_[requests_] = asked;
  return requests_;
}

void SystemWorld::refused_at_once(uint64_t request) {
  const Outside outside;
  open_.erase(request);
}

bool SystemWorld::runs(size_t enclave, uint32_t stream, Epoch epoch, uint64_t sequence,
                       uint64_t request) {
  const Outside outside;
  uint64_t& next = ran_[{stream, epoch.number}];
  expect(sequence == next, "calls are run once each, and in order");
  ++next;
  expect(epoch.number <= stream_epochs_[stream] + 1, "a call of an epoch to come is run");
  if (lied_.contains(0)) return false;  // a gateway that lies may ask for anything
  const auto found = all_.find(request);
  if (request == 0 || found == all_.end()) return false;
  Asked& asked = found->second;
  machine_.trace("runs request {}", request);
  expect(asked.model == enclave, "a request is run by another model");
  expect(asked.runs.insert({stream, epoch.number}).second,
         "a request is run twice on a connection");
  expect(asked.runs.size() <= gateway::Model::kFailuresMax,
         "a request is run on a fourth connection after three that failed");
  if (!asked.deadly) return false;
  machine_.trace("request {} ends it", request);
  seen_[kPartitionOf[enclave]].hurt = true;
  return true;
}

void SystemWorld::answered(uint64_t request, const Result<uint64_t>& answer, Epoch epoch,
                           bool right, const gateway::Model& model) {
  const Outside outside;
  const auto found = open_.find(request);
  expect(found != open_.end(), "a request is answered that waits for no answer");
  const Asked asked = found->second;
  open_.erase(found);
  const bool lied = lied_.contains(asked.model) || lied_.contains(0);
  if (answer) {
    machine_.trace("request {} is answered", request);
    expect(right || lied, "a request has a wrong answer");
    const auto& runs = all_[request].runs;
    expect(
        lied || std::ranges::any_of(runs, [&](const auto& r) { return r.second == epoch.number; }),
        "an answer comes of a connection that the request was not run on");
    if (calm_) ++answered_in_calm_[asked.model];
    return;
  }
  const Code code = answer.error().code;
  machine_.trace("request {} is refused: {}", request, answer.error().text);
  const uint64_t failures = model.statistics().restarts - asked.failures_before;
  const bool due = code == Code::kUnavailable ||
                   (code == Code::kPartitionFailed && failures >= gateway::Model::kFailuresMax);
  expect(due || lied, "a request is refused for no reason: " + answer.error().text);
}

}  // namespace casemate::simulation
