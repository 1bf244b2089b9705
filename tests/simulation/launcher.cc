// SPDX-License-Identifier: Apache-2.0
// In the place of the monitor's launcher, measurements and signatures: starting a process makes a
// fiber, and what would be measured and signed is empty.
#include "trusted/monitor/launcher.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "tests/simulation/system_world.h"
#include "trusted/attest/voucher.h"

namespace casemate {
namespace {

using simulation::Machine;
using simulation::ProcessId;
using simulation::SystemWorld;

// A descriptor that is readable once the process has ended.
Fd pidfd_of(ProcessId id) {
  Fd fd(::fcntl(Machine::here().find(id)->end, F_DUPFD_CLOEXEC, 3));
  Machine::here().name_process(fd.number(), id);
  return fd;
}

void take_a_moment() {
  Machine& machine = Machine::here();
  machine.wait(simulation::Wait::kTime,
               machine.now() + machine.chance().between(std::chrono::microseconds(200),
                                                        std::chrono::milliseconds(3)));
}

}  // namespace

namespace jail {
Group::~Group() = default;
Result<ImageStore> ImageStore::make(const allow::Spawn&, std::string folder) {
  return ImageStore(std::move(folder));
}
Cgroups Cgroups::open(const allow::Spawn&, const std::string&) { return {}; }
}  // namespace jail

namespace attest {
Result<Voucher> Voucher::make(const allow::Vouch& vouch, std::unique_ptr<RootOfTrust> root,
                              const Sha384Digest& platform) {
  return Voucher(vouch, std::move(root), platform, SigningKey(nullptr));
}
Result<Voucher::Vouched> Voucher::vouch_for_key(const Sha256Digest&, KeyUse) {
  return Vouched{std::vector<uint8_t>(32), std::vector<uint8_t>(64), std::nullopt};
}
Result<EnclaveToken> Voucher::token(const Measured& measured, Epoch epoch, const Sha384Digest&,
                                    const Nonce&) const {
  EnclaveToken token;
  token.enclave = measured.enclave.number;
  token.epoch = epoch.number;
  return token;
}
}  // namespace attest

namespace monitor {

Result<MeasuredSystem> MeasuredSystem::make(const allow::Spawn&,
                                            std::unique_ptr<SystemDescription> description,
                                            jail::ImageStore store) {
  MeasuredSystem system(std::move(description), std::move(store));
  system.measured_ = SystemWorld::here().measured();
  return system;
}

Launcher::Launcher(const allow::Spawn& power, const MeasuredSystem& system, jail::Cgroups cgroups,
                   Fd listener)
    : power_(power),
      system_(system),
      cgroups_(std::move(cgroups)),
      listener_(std::move(listener)),
      own_users_(false),
      may_prioritize_(false) {}

Launcher::~Launcher() = default;

Fd Launcher::listener() const { return Fd(::fcntl(listener_.number(), F_DUPFD_CLOEXEC, 3)); }

jail::GroupLimits Launcher::share_of(size_t) const { return {}; }

void Launcher::set_background(const jail::Child&, bool) const {}

bool Launcher::out_of_memory(size_t, std::optional<size_t>, uint32_t) { return false; }

Result<Launcher::Started> Launcher::start_partition(size_t index, uint32_t) {
  auto sockets = TRY(control::Socket::pair());
  Fd beat = TRY(make_memory_file("heartbeat"));
  if (::ftruncate(beat.number(), 4096) != 0) return errno_error("making a heartbeat page");
  Started started;
  started.heartbeat = TRY(Mapping::shared(beat.number(), 4096));
  take_a_moment();
  if (SystemWorld::here().launching_fails())
    return Error{Code::kPlatform, "the kernel makes no process"};
  const ProcessId id =
      SystemWorld::here().start_runtime(index, sockets[1].release(), beat.release());
  started.child = {static_cast<pid_t>(id), pidfd_of(id)};
  started.namespaces.pid = pidfd_of(id);
  started.socket = control::Socket(std::move(sockets[0]));
  return started;
}

Result<Launcher::Template> Launcher::start_template(size_t index, uint32_t,
                                                    const jail::Namespaces& partition) {
  auto sockets = TRY(control::Socket::pair());
  take_a_moment();
  const ProcessId runtime = Machine::here().process_named(partition.pid.number());
  // Nothing can be started in namespaces whose first process has ended.
  if (SystemWorld::here().launching_fails() || !Machine::here().alive(runtime))
    return Error{Code::kPlatform, "the kernel makes no process"};
  const ProcessId id = SystemWorld::here().start_template(index, runtime, sockets[1].release());
  return Template{{static_cast<pid_t>(id), pidfd_of(id)}, std::move(sockets[0])};
}

}  // namespace monitor
}  // namespace casemate
