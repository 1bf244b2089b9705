// SPDX-License-Identifier: Apache-2.0
// What the operator may ask: look, end a partition, stop the system.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/format.h"
#include "base/log.h"
#include "trusted/monitor/monitor.h"
#include "wire/abi/operator.h"

namespace casemate::monitor {

using operating::Command;
using operating::KeyQuestion;
using operating::Reply;
using operating::Request;

// The client sends right after it connects; who says nothing is dropped, and nobody else waits for
// him.
constexpr int kPatienceMs = 20;

namespace {

uint64_t elapsed_us(Instant from, Instant to) {
  return static_cast<uint64_t>((to - from).count()) / 1000;
}

}  // namespace

void Monitor::fill_status(Reply& reply) const {
  const Instant now = clock_.now();
  reply.partition_count = static_cast<uint32_t>(partitions_.size());
  for (size_t p = 0; p < partitions_.size(); ++p) {
    const Partition& partition = partitions_[p];
    operating::PartitionStatus& out = reply.partitions[p];
    out.name = description().partitions[p].name;
    const DeviceDescription& device = description().partitions[p].device;
    out.device = Text<32>::from(name_of(device));
    out.cpu_percent = device.cpu_percent;
    out.cpu_mask = device.cpu_mask;
    out.memory_bytes = description().partitions[p].memory_bytes;
    out.state = static_cast<uint32_t>(partition.life.state());
    out.epoch = partition.epoch;
    out.failures = partition.failures;
    out.pid = partition.active ? partition.active->mos.child.pid : 0;
    out.recovery_us = partition.recovery_us;
    if (partition.standby) out.standby = partition.standby->complete() ? 2 : 1;
    if (partition.active) out.up_us = elapsed_us(partition.life.started(), now);
    out.last_end = partition.last_end;
  }
  reply.enclave_count = static_cast<uint32_t>(enclaves_.size());
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    operating::EnclaveStatus& out = reply.enclaves[e];
    const attest::Measured& measured = setup_->system.measured(e);
    out.name = description().enclaves[e].name;
    out.id = measured.enclave.number;
    out.kind = description().enclaves[e].kind;
    out.model_version = description().enclaves[e].model_version;
    out.state = static_cast<uint32_t>(enclaves_[e].life.state());
    out.partition = description().enclaves[e].partition;
    out.code = static_cast<uint32_t>(enclaves_[e].code);
    out.share = description().enclaves[e].share;
    if (out.share != 0) {
      const jail::GroupLimits share = launcher_.share_of(e);
      out.cpu_percent = share.cpu_percent;
      out.cpu_mask = share.cpu_mask;
    }
    out.memory_bytes = description().enclaves[e].memory_bytes;
    out.start_us = enclaves_[e].start_us;
    out.reason = enclaves_[e].reason;
    if (enclaves_[e].life.state() == State::kRunning)
      out.up_us = elapsed_us(enclaves_[e].life.started(), now);
    out.starts = enclaves_[e].starts;
    out.last_end = enclaves_[e].last_end;
    out.program_measurement = measured.program;
    out.model_measurement = measured.model;
    for (size_t i = 0; i < streams_.size(); ++i) {
      if (streams_.callee(i) == e) out.completed += streams_.completed(i);
    }
  }
}

Status Monitor::obey(const Request& request) {
  if (request.magic != Request::kMagic || !request.target.canonical()) {
    return Error{
        Code::kInvalid,
        "the request is of another build: use the casemate command that started the monitor"};
  }
  switch (static_cast<Command>(request.command)) {
    case Command::kStatus:
      return {};
    case Command::kStop:
      stopping_ = true;
      return {};
    case Command::kKill:
      return kill_partition(request.target.view());
    case Command::kKillEnclave:
      return kill_enclave(request.enclave);
    default:
      return Error{Code::kUnsupported, "this monitor does not know the command"};
  }
}

Status Monitor::kill_partition(std::string_view name) {
  for (size_t p = 0; p < partitions_.size(); ++p) {
    if (description().partitions[p].name.view() != name) continue;
    if (!partitions_[p].active) return Error{Code::kUnavailable, "the partition is not running"};
    // Whoever was refused a key may have one now, and the standby was made without it.
    for (size_t e = 0; e < enclaves_.size(); ++e) {
      if (description().enclaves[e].partition != p || !sealed(e) ||
          enclaves_[e].life.state() != State::kRefused)
        continue;
      enclaves_[e].life.reset();
      if (partitions_[p].standby) bury(p, *std::exchange(partitions_[p].standby, std::nullopt));
    }
    fail_partition(p, "", Cause::kRequest);
    return {};
  }
  return Error{Code::kNotFound,
               formatted("there is no partition '{}'; casemate status lists them", name)};
}

// Template and instance: the same program is loaded again.
Status Monitor::kill_enclave(uint32_t id) {
  for (size_t e = 0; e < enclaves_.size(); ++e) {
    if (setup_->system.measured(e).enclave.number != id) continue;
    if (enclaves_[e].life.state() != State::kRunning)
      return Error{Code::kUnavailable, "the enclave is not running"};
    fail_enclave(e, "", Cause::kRequest);
    return {};
  }
  return Error{Code::kNotFound, "there is no such enclave; casemate status lists them"};
}

void Monitor::serve_operator() {
  const Fd client(
      ::accept4(setup_->operators.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client.valid()) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(client.number(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      peer.uid != ::geteuid())
    return;
  // Two kinds of question, told apart by their size.
  ByteArray<sizeof(KeyQuestion)> asked{};
  static_assert(sizeof(KeyQuestion) > sizeof(Request));
  pollfd ready{client.number(), POLLIN, 0};
  if (::poll(&ready, 1, kPatienceMs) != 1) return;
  const ssize_t got = ::recv(client.number(), asked.data(), asked.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got == static_cast<ssize_t>(sizeof(KeyQuestion)))
    return serve_keys(client, load<KeyQuestion>(asked));
  if (got != static_cast<ssize_t>(sizeof(Request))) return;
  const auto request = load<Request>(asked);
  const auto reply = std::make_unique<Reply>();
  const Status done = obey(request);
  if (!done) {
    reply->code = static_cast<uint32_t>(done.error().code);
    reply->text = Text<256>::from(done.error().text);
  }
  fill_status(*reply);
  ::send(client.number(), reply.get(), sizeof *reply, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace casemate::monitor
