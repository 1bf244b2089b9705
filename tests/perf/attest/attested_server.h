// SPDX-License-Identifier: Apache-2.0
#pragma once
// AttestedServer: the gateway's server on a thread of this process, with evidence of a real root
// and a monitor's voucher, but no monitor, no walls and no models. What is measured is the channel.
//
//   Owns     keys, the loop's thread, the root's folder.
//   Threads  the constructor's thread is the client's.
//   Trust    plays root, monitor and gateway at once.
//   Fails    make() with why there is no such root here.

#include <memory>
#include <string>

#include "isolated/gateway/loopback/loop_thread.h"
#include "isolated/gateway/serving/serving.h"
#include "outside/verify/policy.h"
#include "tests/tpm/software_tpm.h"
#include "trusted/attest/voucher.h"

namespace casemate::perf {

// A folder that goes with its owner.
class Scratch final {
 public:
  Scratch();
  ~Scratch();
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What a monitor does for a gateway. Roots that can be measured, by name: "software"; "tpm", of a
// TPM in a process beside this one. kUnsupported for others.
class Vouching final {
 public:
  static Result<std::unique_ptr<Vouching>> make(const std::string& root);

  // What the root and the monitor sign for a key once a day, in a server that reuses it.
  Status vouch();
  [[nodiscard]] std::vector<uint8_t> evidence() const {
    return encode_evidence(quoted_.quote, quoted_.claims, std::span(&token_, 1));
  }
  struct Quoted {
    std::vector<uint8_t> claims;
    std::vector<uint8_t> quote;
  };
  [[nodiscard]] const Quoted& quoted() const { return quoted_; }
  [[nodiscard]] const EnclaveToken& token() const { return token_; }
  // The gateway's token for a nonce.
  Result<EnclaveToken> sign(const Nonce& nonce) const;
  // Of a client that knows this root, and pins nothing else.
  [[nodiscard]] Result<verify::Policy> policy() const;
  [[nodiscard]] const gateway::TlsKey& key() const { return key_; }

 private:
  Vouching(Scratch scratch, std::optional<tests::SoftwareTpm> tpm, attest::Voucher voucher,
           gateway::TlsKey key);
  Scratch scratch_;
  std::optional<tests::SoftwareTpm> tpm_;
  attest::Voucher voucher_;
  gateway::TlsKey key_;
  attest::Measured measured_;
  Quoted quoted_;
  EnclaveToken token_;
};

class AttestedServer final : private gateway::Attestor {
 public:
  // `fresh_quotes`: every nonce costs a quote of its own, as if nothing could be reused.
  AttestedServer(Vouching& vouching, bool fresh_quotes);
  ~AttestedServer() { thread_.join(); }

  [[nodiscard]] std::string url() const;
  // What the server's thread has had of the processor.
  double seconds_used();

 private:
  void evidence(const std::optional<Nonce>& nonce, std::string_view model, std::string_view version,
                Done done) override;

  Vouching& vouching_;
  const bool fresh_quotes_;
  gateway::LoopThread thread_;
  gateway::Serving serving_;
  std::unique_ptr<gateway::Server> server_;
  uint16_t port_ = 0;
};

}  // namespace casemate::perf
