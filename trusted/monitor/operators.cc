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
using operating::Reply;
using operating::Request;

// The client sends right after it connects; who says nothing is dropped, and nobody else waits for
// him.
constexpr int kPatienceMs = 20;

void Monitor::fill_status(Reply& reply) const {
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
    out.start_us = enclaves_[e].start_us;
    out.reason = enclaves_[e].reason;
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
      break;
    default:
      return Error{Code::kUnsupported, "this monitor does not know the command"};
  }
  for (size_t p = 0; p < partitions_.size(); ++p) {
    if (description().partitions[p].name.view() != request.target.view()) continue;
    if (!partitions_[p].active) return Error{Code::kUnavailable, "the partition is not running"};
    fail_partition(p, "", Cause::kRequest);
    return {};
  }
  return Error{Code::kNotFound, formatted("there is no partition '{}'; casemate status lists them",
                                          request.target.view())};
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
  Request request;
  pollfd ready{client.number(), POLLIN, 0};
  if (::poll(&ready, 1, kPatienceMs) != 1 ||
      ::recv(client.number(), &request, sizeof request, MSG_DONTWAIT | MSG_TRUNC) !=
          static_cast<ssize_t>(sizeof request)) {
    return;
  }
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
