// SPDX-License-Identifier: Apache-2.0
#include "isolated/mos/mos.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <array>

namespace casemate::mos {

using control::Message;
using control::Received;
using control::Type;

namespace {

// Well below the shortest hang_ms that a system may ask for.
constexpr int kBeatMs = 50;

bool rises_from_template(Type type) {
  return type == Type::kReady || type == Type::kRefused || type == Type::kLocked;
}

bool rises_from_instance(Type type) {
  return type == Type::kRunning || type == Type::kAttest || type == Type::kPong;
}

}  // namespace

Mos::Mos(control::Socket monitor, Mapping heartbeat)
    : monitor_(std::move(monitor)),
      heartbeat_(std::move(heartbeat)),
      events_(::epoll_create1(EPOLL_CLOEXEC)) {}

Status Mos::watch(int fd) const {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(events_.number(), EPOLL_CTL_ADD, fd, &event) != 0)
    return errno_error("watching a control socket");
  return {};
}

Status Mos::run() {
  TRY(watch(monitor_.fd()));
  while (true) {
    std::array<epoll_event, 16> events{};
    ::epoll_wait(events_.number(), events.data(), events.size(), flush() ? 1 : kBeatMs);
    beat();
    TRY(take_from_monitor());
    report_deaths();
    // An enclave that talks without end is heard no faster than the monitor listens, or what the
    // others have to say would be lost.
    if (room(kBeatMs)) take_from_enclaves();
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

Status Mos::take_from_monitor() {
  while (true) {
    std::optional<Received> received = TRY(monitor_.poll());
    if (!received) return {};
    TRY(obey(*received));
  }
}

Status Mos::obey(Received& received) {
  const uint32_t id = received.message.enclave;
  switch (received.type()) {
    case Type::kManifest:
      return {};
    case Type::kAdopt:
      return adopt(received);
    case Type::kPrepare:
    case Type::kUnlock:
      return tell_template(id, received.message);
    case Type::kFork:
      return fork(id, std::move(received.fds));
    case Type::kStop:
      return Error{Code::kCancelled, "told to stop"};
    default:
      break;
  }
  const auto found = enclaves_.find(id);
  if (found == enclaves_.end() || !found->second.instance)
    return {};  // it died; the monitor will hear of it
  Enclave& enclave = found->second;
  // An instance that does not read has failed; its socket's end tells the monitor.
  if (!enclave.to_instance.send(*enclave.instance, received.message, std::move(received.fds)))
    lose_instance(id);
  return {};
}

Status Mos::adopt(Received& received) {
  if (received.fds.size() != 1)
    return Error{Code::kInvalid, "an adoption came without a control socket"};
  Enclave enclave;
  enclave.manifest = received.message;
  enclave.manifest.type = static_cast<uint32_t>(Type::kManifest);
  enclave.process.emplace(std::move(received.fds[0]));
  TRY(watch(enclave.process->fd()));
  // A template that cannot even be spoken to is dead; the monitor watches its process.
  static_cast<void>(enclave.process->send(enclave.manifest));
  enclaves_.insert_or_assign(received.message.enclave, std::move(enclave));
  return {};
}

// Of a template that is dead the monitor hears anyway.
Status Mos::tell_template(uint32_t id, const Message& message) {
  const auto found = enclaves_.find(id);
  if (found != enclaves_.end() && found->second.process)
    static_cast<void>(found->second.process->send(message));
  return {};
}

Status Mos::fork(uint32_t id, std::vector<Fd> gifts) {
  const auto found = enclaves_.find(id);
  if (found == enclaves_.end() || !found->second.process) return {};
  auto ends = TRY(control::Socket::pair());
  std::vector<int> fds = {ends[1].number()};
  for (const Fd& gift : gifts) fds.push_back(gift.number());
  if (!found->second.process->send(control::make(Type::kFork, EnclaveId{id}), fds)) {
    report_death(id);
    return {};
  }
  found->second.instance.emplace(std::move(ends[0]));
  found->second.to_instance = {};
  return watch(found->second.instance->fd());
}

void Mos::take_from_enclaves() {
  for (auto& [id, enclave] : enclaves_) {
    if (enclave.process && !take_from(id, *enclave.process, false)) enclave.process.reset();
    if (enclave.instance && !take_from(id, *enclave.instance, true)) lose_instance(id);
  }
}

bool Mos::take_from(uint32_t id, const control::Socket& socket, bool instance) {
  for (int i = 0; i < 16; ++i) {
    if (!room(0)) return true;
    const auto received = socket.poll();
    if (!received) return false;
    if (!*received) return true;
    Message message = (*received)->message;
    message.enclave = id;
    const Type type = (*received)->type();
    const bool fitting = instance ? rises_from_instance(type) : rises_from_template(type);
    if (!fitting || !monitor_.send(message)) return false;
  }
  return true;
}

bool Mos::flush() {
  bool waits = false;
  for (auto& [id, enclave] : enclaves_) {
    if (!enclave.instance) continue;
    if (!enclave.to_instance.flush(*enclave.instance)) {
      lose_instance(id);
    } else {
      waits |= !enclave.to_instance.empty();
    }
  }
  return waits;
}

void Mos::lose_instance(uint32_t id) {
  enclaves_[id].instance.reset();
  report_death(id);
}

void Mos::report_death(uint32_t id) {
  enclaves_[id].death_to_report = true;
  report_deaths();
}

void Mos::report_deaths() {
  for (auto& [id, enclave] : enclaves_) {
    if (enclave.death_to_report && room(0) &&
        monitor_.send(control::make(Type::kDied, EnclaveId{id})))
      enclave.death_to_report = false;
  }
}

bool Mos::room(int patience_ms) const {
  pollfd monitor{monitor_.fd(), POLLOUT, 0};
  return ::poll(&monitor, 1, patience_ms) == 1;
}

}  // namespace casemate::mos
