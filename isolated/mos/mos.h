// SPDX-License-Identifier: Apache-2.0
#pragma once
// Mos: the runtime of one partition, the first process in its PID namespace. It looks after the
// partition's enclaves: adopts their templates, has them make instances, carries messages between
// monitor and enclaves, and shows the monitor a heartbeat. When it ends, the kernel ends everything
// in the partition.
//
//   Owns     the control sockets of its enclaves.
//   Threads  one event loop.
//   Trust    its enclaves may be hostile: whatever they say is stamped with their own id before it
//            goes up.
//   Fails    run() returns when the monitor is gone or says stop.

#include <map>
#include <optional>

#include "base/mapping.h"
#include "wire/control/control.h"

namespace casemate::mos {

class Mos final {
 public:
  // `monitor` is the socket to the monitor; `heartbeat` a page that it reads.
  Mos(control::Socket monitor, Mapping heartbeat);

  Status run();

 private:
  struct Enclave {
    std::optional<control::Socket> process;  // the template
    std::optional<control::Socket> instance;
    control::Outbox to_instance;
    bool death_to_report = false;  // of an instance
    control::Message manifest;
  };
  Status watch(int fd) const;
  Status take_from_monitor();
  Status obey(control::Received& received);
  Status adopt(control::Received& received);
  Status tell_template(uint32_t id, const control::Message& message);
  Status fork(uint32_t id, std::vector<Fd> gifts);
  // Sends what waits for room in an instance's socket. False when nothing waits any more.
  bool flush();
  void take_from_enclaves();
  // False when the socket is to be closed.
  bool take_from(uint32_t id, const control::Socket& socket, bool instance);
  // The monitor is told as soon as it has room: a death that it does not hear of is never mended.
  void report_death(uint32_t id);
  void lose_instance(uint32_t id);
  void report_deaths();
  // True when the monitor can take a message, now or within `patience_ms`.
  [[nodiscard]] bool room(int patience_ms) const;
  void beat();

  control::Socket monitor_;
  Mapping heartbeat_;
  Fd events_;
  std::map<uint32_t, Enclave> enclaves_;
};

}  // namespace casemate::mos
