// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: replies of a monitor that does not exist.

#include <string>

#include "base/format.h"
#include "outside/top/picture.h"
#include "wire/evidence/evidence.h"

namespace casemate::top {

// A gateway, and models that are called `name`0, `name`1, ..., each in a partition of its own.
inline Look system_of(uint32_t models, const std::string& name = "model") {
  using operating::State;
  Look look;
  operating::Reply& reply = look.reply;
  reply.partition_count = reply.enclave_count = models + 1;
  for (uint32_t i = 0; i <= models; ++i) {
    auto& partition = reply.partitions[i];
    auto& enclave = reply.enclaves[i];
    const std::string label = i == 0 ? "gateway" : formatted("{}{}", name, i - 1);
    partition.name = enclave.name = Text<limits::kName>::from(label);
    partition.device = Text<32>::from(i == 0 ? "none" : "cpu:0");
    partition.state = enclave.state = static_cast<uint32_t>(State::kRunning);
    partition.epoch = enclave.starts = 1;
    partition.standby = 2;
    partition.up_us = enclave.up_us = 65'000'000;
    enclave.id = 100 + i;
    enclave.partition = i;
    enclave.kind = static_cast<uint32_t>(i == 0 ? EnclaveKind::kGateway : EnclaveKind::kModel);
    enclave.model_version = i == 0 ? 0 : 1;
  }
  return look;
}

// The same system `seconds` later, in which model i has done 100 * (i + 1) calls a second.
inline Look later(const Look& before, int seconds) {
  Look now = before;
  now.at += std::chrono::seconds(seconds);
  for (uint32_t e = 1; e < now.reply.enclave_count; ++e)
    now.reply.enclaves[e].completed += static_cast<uint64_t>(100 * seconds) * e;
  return now;
}

}  // namespace casemate::top
