// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tenants: an enclave that has several models run, each in an enclave of its own, in turns or all
// at once, and tells how long that took. It sits in the gateway's place and behind its walls. Its
// "model files" are the inputs of each (tests/perf/peers/tensor_file.h), inputs-0 those of the
// model called "tenant-0", and so on.
//
//   Owns     the inputs, and a stream to each model.
//   Threads  one.
//   Trust    it is a benchmark: it trusts what it measures.
//   Fails    by answering with an error code.

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "isolated/enclave/enclave.h"
#include "isolated/infer/infer.h"
#include "isolated/srpc/srpc.h"
#include "tests/perf/peers/tensor_file.h"

namespace casemate::perf {

inline constexpr size_t kTenants = 4;

enum class How : uint32_t {
  kInTurns = 1,  // one has the device for `turn_us`, then the next
  kAtOnce = 2,
  kUnleash = 3,  // `call` is made of the last tenant, with `argument`, and nobody waits for it
};

struct TenantsQuestion {
  uint32_t how = 0;  // How
  uint32_t call = 0;
  uint64_t turn_us = 0;
  uint64_t pause_us = 0;                  // kInTurns: between two calls
  std::array<uint32_t, kTenants> runs{};  // of each
  Text<64> argument;
};

struct TenantTimes {
  double median_ms = 0;
  double p99_ms = 0;
  double done_ms = 0;  // from the beginning until its last answer
};

struct TenantsAnswer {
  uint32_t code = 0;  // Code
  uint32_t reserved = 0;
  double total_ms = 0;
  std::array<TenantTimes, kTenants> tenants{};
};

class Tenants final : public enclave::Program {
 public:
  Status start(const control::Message& manifest) override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  struct Tenant {
    std::vector<FileTensor> files;
    std::vector<TensorView> inputs;
    std::optional<srpc::Caller> stream;
    uint32_t runs = 0;  // still to be started
    bool waits = false;
    Instant called{};
    Instant answered{};
    std::vector<double> times_ms;
  };

  Status take_streams(const control::Socket& control);
  static Status call(Tenant& tenant);
  static Result<bool> take_answer(Tenant& tenant);
  Status await_any();
  Status run_in_turns(const TenantsQuestion& question);
  Status run_at_once();
  Result<TenantsAnswer> measure(const TenantsQuestion& question);
  Status unleash(const TenantsQuestion& question);

  std::map<std::string, Tenant> tenants_;  // by name, hence in order
};

}  // namespace casemate::perf
