// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/format.h"
#include "base/memory_file.h"
#include "wire/abi/share.h"

namespace casemate::monitor {
namespace {

// Outside ids of partitions: a range that neither people nor services nor customary containers
// have. A partition's own id comes first, then one for each enclave of the system; its two trees
// have sets of their own.
constexpr uid_t kUserBase = 1'879'048'192;
constexpr uint32_t kUsersPerPartition = 1 + limits::kEnclaves;
constexpr int kLowest = 19;
constexpr uint64_t kMosMemory = 32ull << 20;
constexpr uint32_t kMosProcesses = 2;
// Control sockets of all enclaves of a partition, grants in transit, and some room.
constexpr uint64_t kMosFiles = 1024;
// A gateway holds one descriptor per connection; a model five per stream; a program what is
// customary.
constexpr uint64_t kGatewayFiles = 20'000;
constexpr uint64_t kModelFiles = 256;
constexpr uint64_t kProgramFiles = 1024;
// Keys and TLS buffers: about 40 KiB for each busy connection, and twice that for handshakes in
// flight.
constexpr uint64_t kGatewaySecret = 256ull << 20;

bool is(const EnclaveDescription& enclave, EnclaveKind kind) {
  return enclave.kind == static_cast<uint32_t>(kind);
}

const char* title_of(const EnclaveDescription& enclave) {
  switch (static_cast<EnclaveKind>(enclave.kind)) {
    case EnclaveKind::kGateway:
      return "gateway";
    case EnclaveKind::kProgram:
      return "program";
    case EnclaveKind::kDevice:
      return "device";
    default:
      return "model";
  }
}

std::vector<std::string> environment_of(const EnclaveDescription& enclave) {
  std::vector<std::string> environment = {"LC_ALL=C", "TZ=UTC0"};
  if (!enclave.options.view().empty())
    environment.push_back(formatted("CASEMATE_OPTIONS={}", enclave.options.view()));
  return environment;
}

// Whether this process may raise priorities: tried on itself, since capabilities of a user
// namespace look the same and do not count here.
bool may_raise_priorities() {
  const int own = ::getpriority(PRIO_PROCESS, 0);
  if (::setpriority(PRIO_PROCESS, 0, own - 1) != 0) return false;
  ::setpriority(PRIO_PROCESS, 0, own);
  return true;
}

}  // namespace

Launcher::Launcher(const allow::Spawn& power, const MeasuredSystem& system, jail::Cgroups cgroups,
                   Fd listener)
    : power_(power),
      system_(system),
      cgroups_(std::move(cgroups)),
      listener_(std::move(listener)),
      own_users_(jail::can_change_user()),
      may_prioritize_(may_raise_priorities()) {}

Launcher::~Launcher() {
  while (!groups_.empty()) groups_.erase(groups_.begin());
}

Result<std::vector<int>> Launcher::entrances(const std::string& path,
                                             const jail::GroupLimits& limits, bool leaf) {
  auto found = groups_.find(path);
  if (found == groups_.end())
    found = groups_.emplace(path, TRY(cgroups_.make_group(path, limits, leaf))).first;
  return found->second.entrances();
}

jail::GroupLimits Launcher::share_of(size_t enclave) const {
  const SystemDescription& d = system_.description();
  const uint32_t partition = d.enclaves[enclave].partition;
  const DeviceDescription& device = d.partitions[partition].device;
  std::vector<uint32_t> shares;
  size_t own = 0;
  for (uint32_t e = 0; e < d.enclave_count; ++e) {
    if (d.enclaves[e].partition != partition) continue;
    if (e == enclave) own = shares.size();
    shares.push_back(d.enclaves[e].share);
  }
  const uint64_t cores = device.cpu_mask != 0 ? device.cpu_mask : cores_here();
  const Allotment got = allot(cores, device.cpu_percent, shares)[own];
  return {memory_of_both(d, static_cast<uint32_t>(enclave)), 0, got.cpu_percent, got.cpu_mask};
}

// The share is around both trees: a standby that loads takes of its own enclave's and nobody
// else's.
Result<std::vector<int>> Launcher::enclave_entrances(size_t enclave, uint32_t slot) {
  const EnclaveDescription& e = system_.description().enclaves[enclave];
  const jail::GroupLimits own = {e.memory_bytes, e.processes_max, 0, 0};
  const std::string group = group_of(e.partition, enclave, slot);
  if (e.share == 0) return entrances(group, own, true);
  jail::GroupLimits share = share_of(enclave);
  if (Allotment{share.cpu_mask, share.cpu_percent}.whole()) share.cpu_percent = 0;
  TRY(entrances(formatted("p{}/e{}", e.partition, enclave), share, false));
  return entrances(group, own, true);
}

// With a share the group of both trees is around each tree's.
std::string Launcher::group_of(size_t partition, std::optional<size_t> enclave,
                               uint32_t slot) const {
  if (!enclave) return formatted("p{}/mos{}", partition, slot);
  const bool shares = system_.description().enclaves[*enclave].share != 0;
  return formatted("p{}/e{}{}{}", partition, *enclave, shares ? "/s" : "s", slot);
}

bool Launcher::out_of_memory(size_t partition, std::optional<size_t> enclave, uint32_t slot) {
  const auto found = groups_.find(group_of(partition, enclave, slot));
  return found != groups_.end() && found->second.out_of_memory();
}

Fd Launcher::listener() const { return Fd(::fcntl(listener_.number(), F_DUPFD_CLOEXEC, 3)); }

void Launcher::set_background(const jail::Child& child, bool background) const {
  // One that has ended may have been waited for, and its number may be somebody else's.
  pollfd ended{child.pidfd.number(), POLLIN, 0};
  if (::poll(&ended, 1, 0) == 1) return;
  // Not SCHED_IDLE: a core that runs nothing else counts as free, and whoever wakes is put there to
  // wait, though another core has nothing to do at all.
  if (may_prioritize_)
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(child.pid), background ? kLowest : 0);
}

Result<Launcher::Started> Launcher::start_partition(size_t index, uint32_t slot) {
  const PartitionDescription& partition = system_.description().partitions[index];
  const std::string group = formatted("p{}", index);
  TRY(entrances(group,
                {partition.memory_bytes, partition.processes_max, partition.device.cpu_percent,
                 partition.device.cpu_mask},
                false));
  auto sockets = TRY(control::Socket::pair());
  const Fd beat = TRY(make_memory_file("heartbeat"));
  // Sealed at its size: the monitor reads it and must never fault.
  if (::ftruncate(beat.number(), 4096) != 0 ||
      ::fcntl(beat.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return errno_error("making a heartbeat page");
  }
  Started started;
  started.heartbeat = TRY(Mapping::shared(beat.number(), 4096));
  jail::Spec spec;
  spec.program = system_.program_path(partition.program);
  spec.name = "mos";
  spec.root = system_.partition_root(index);
  spec.user =
      own_users_ ? kUserBase + (2 * static_cast<uid_t>(index) + slot) * kUsersPerPartition : 0;
  spec.user_count = own_users_ ? kUsersPerPartition : 1;
  spec.fds = {{sockets[1].number(), 3}, {beat.number(), 4}};
  spec.entrances =
      TRY(entrances(group_of(index, {}, slot), {kMosMemory, kMosProcesses, 0, 0}, true));
  spec.limits = {kMosFiles, kMosMemory, 0};
  started.child = TRY(jail::spawn(power_, spec));
  started.namespaces = TRY(jail::namespaces_of(started.child.pid));
  started.socket = control::Socket(std::move(sockets[0]));
  return started;
}

Result<Launcher::Template> Launcher::start_template(size_t index, uint32_t slot,
                                                    const jail::Namespaces& partition) {
  const SystemDescription& d = system_.description();
  const EnclaveDescription& enclave = d.enclaves[index];
  const bool gateway = is(enclave, EnclaveKind::kGateway);
  const bool foreign = is(enclave, EnclaveKind::kProgram) || is(enclave, EnclaveKind::kDevice);
  auto sockets = TRY(control::Socket::pair());
  jail::Spec spec;
  spec.program = system_.program_path(enclave.program);
  spec.name = title_of(enclave);
  spec.root = system_.enclave_root(index);
  spec.partition = &partition;
  spec.user = own_users_ ? 1 + static_cast<uid_t>(index) : 0;
  spec.fds = {{sockets[1].number(), 3}};
  spec.entrances = TRY(enclave_entrances(index, slot));
  spec.limits = {gateway   ? kGatewayFiles
                 : foreign ? kProgramFiles
                           : kModelFiles,
                 0, gateway ? kGatewaySecret : 0};
  if (foreign) spec.filter = lockdown::Filter::kProgram;
  spec.scratch_bytes = enclave.scratch_bytes;
  if (!cgroups_.limits_memory()) spec.limits.data_bytes = enclave.memory_bytes;
  spec.environment = environment_of(enclave);
  if ((enclave.flags & EnclaveDescription::kDebug) != 0) spec.error_output = kDebugOutput;
  return Template{TRY(jail::spawn(power_, spec)), std::move(sockets[0])};
}

}  // namespace casemate::monitor
