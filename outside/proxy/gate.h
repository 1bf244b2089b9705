// SPDX-License-Identifier: Apache-2.0
#pragma once
// Gate: opens connections to one server, and lets none through that was not verified.
//
// The first connection has everything looked at: the evidence in the certificate, evidence with a
// nonce of ours, and that of every model that is ready. A later connection with the same key and
// the same evidence is let through on that verdict, until what it rests on is too old for the
// policy; with anything else everything is looked at again.
//
//   Owns     the verdict, and what it was given on.
//   Threads  one, the opener's; it blocks.
//   Trust    the server may be anybody until open() has returned.
//   Fails    open() with a Refusal: the verdict that did not pass, or why there is none.

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outside/client/attest.h"
#include "outside/client/channel.h"

namespace casemate::proxy {

struct Refusal {
  Error error;
  std::optional<verify::Verdict> verdict;
};

struct GateOptions {
  client::Url url;
  verify::Policy policy;
  client::Options client;
  // Whose enclaves have to pass; empty: those of all models that are ready.
  std::vector<std::string> models;
  // Development only: lets everything through.
  bool insecure_skip_verification = false;
};

class Gate final {
 public:
  // What is told about: a verdict, each time that everything was looked at.
  using Tell = std::function<void(const std::expected<verify::Verdict, Refusal>&)>;

  Gate(GateOptions options, Tell tell) : options_(std::move(options)), tell_(std::move(tell)) {
    options_.client.exchange = client::exchange_of(options_.policy);
  }

  std::expected<client::Channel, Refusal> open(client::Protocol protocol);

  // The verdict says less than it could by now: it has come of age, or a model was not ready.
  [[nodiscard]] bool due() const;
  // Looks at everything again. Nothing, when the server is as good as it was.
  std::optional<Refusal> look_again();

 private:
  // What the verdict was given on.
  struct Known {
    std::vector<uint8_t> key;
    std::vector<uint8_t> evidence;  // in the certificate
    int64_t good_until_unix = 0;
    bool complete = true;  // every model was ready
  };
  std::expected<void, Refusal> judge(const verify::Certificate& certificate);
  std::expected<void, Refusal> look(const verify::Certificate* certificate);
  std::expected<verify::Verdict, Refusal> judge_all(client::Server& server, Known& known);
  std::expected<void, Refusal> judge_models(client::Server& server, uint32_t epoch, Known& known);

  GateOptions options_;
  Tell tell_;
  std::optional<Known> known_;
};

// The refusal as one line, and as the JSON document that stock clients read: {"error", "verdict"}.
std::string line_of(const Refusal& refusal);
std::string document_of(const Refusal& refusal);

}  // namespace casemate::proxy
