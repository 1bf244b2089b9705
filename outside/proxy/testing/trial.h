// SPDX-License-Identifier: Apache-2.0
#pragma once
// What tests of the proxy share: a calendar that they move, a gate that takes evidence of
// TestServer, and a server that turns bad.
//
//   Owns     values.
//   Threads  MovedClock any; the rest one.
//   Trust    test code.
//   Fails    cannot.

#include <atomic>

#include "outside/client/testing/test_server.h"
#include "outside/proxy/gate.h"

namespace casemate::proxy::testing {

class MovedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return system_clock().now(); }
  [[nodiscard]] int64_t unix_seconds() const override { return verify::testing::kNow + passed; }
  std::atomic<int64_t> passed = 0;
};

inline GateOptions gate_options(const std::string& url, const Clock& clock) {
  GateOptions options;
  options.url = *client::parse_url(url);
  options.policy.allow_software_root = true;
  options.client.timeout = std::chrono::seconds(10);
  options.client.clock = &clock;
  return options;
}

// From now on the server runs with the debug flag, and its certificate says so.
inline void turn_bad(client::testing::TestServer& server) {
  server.bend(
      [](verify::testing::Signer& signer) { signer.tokens[0].flags |= EnclaveToken::kDebug; });
  server.show(server.signer.tls, server.fresh_evidence(Nonce{}, ""));
}

}  // namespace casemate::proxy::testing
