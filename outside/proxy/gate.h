// SPDX-License-Identifier: Apache-2.0
#pragma once
// Gate: opens connections to one server, and lets none through that was not verified.
//
// The first connection has everything looked at: the evidence in the certificate, evidence with a
// nonce of ours, and that of every version of every model, also of those that are not ready. A
// later connection with the same key and the same evidence is let through on that verdict, until
// what it rests on is too old for the policy or the proof for Cache::kProofSeconds; with anything
// else everything is looked at again.
//
// HTTP/1.1 is proved on the very connection that is then let through, HTTP/2 on one of its own that
// shows the same key.
//
// A policy that has changed is noticed before and after each opening, by look_after(), and at the
// end of each look: everything is looked at again, and where it cannot be read nobody is let
// through any more. Where it changed while the server was looked at, all must go at once.
//
//   Owns     the verdict, and what it was given on.
//   Threads  one, the opener's; it blocks.
//   Trust    the server may be anybody until open() has returned.
//   Fails    open() with a Refusal: the verdict that did not pass, or why there is none.

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <utility>
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
  // The policy where it is another by now; none where it is not. Nobody: it stays what it is.
  std::function<Result<std::optional<verify::Policy>>()> changed_policy{};
  // Keeps what is told, before it is, and the policy that it was judged by. A verdict that it fails
  // for is none.
  std::function<Status(const std::expected<verify::Verdict, Refusal>&, const verify::Policy&)>
      record{};
  // Whose enclaves have to pass, in every version; empty: those of all models.
  std::vector<std::string> models;
  // Development only: lets everything through.
  bool insecure_skip_verification = false;
};

class Gate final {
 public:
  // What is told about: a verdict, each time that everything was looked at, and why there is none
  // where somebody waits for a connection or is cut off for want of it.
  using Tell = std::function<void(const std::expected<verify::Verdict, Refusal>&)>;

  Gate(GateOptions options, Tell tell) : options_(std::move(options)), tell_(std::move(tell)) {
    options_.client.exchange = client::exchange_of(options_.policy);
  }

  std::expected<client::Channel, Refusal> open(client::Protocol protocol);

  // The verdict says less than it could by now: it has come of age, or nobody vouched for a model.
  [[nodiscard]] bool due() const;
  // Looks at everything again.
  void look_again();
  // The same if it is due or the policy has changed, and takes the verdict back under one that
  // cannot be used.
  void look_after();
  // Whoever was let through must go: open() or look_again() found a server that does not pass, or
  // another one, or none when the verdict had come of age. Once for each time.
  [[nodiscard]] bool revoked() { return std::exchange(revoked_, false); }
  // Why open() failed: the policy was replaced meanwhile. The next one goes by the new one.
  [[nodiscard]] bool outrun() { return std::exchange(outrun_, false); }

 private:
  // What the verdict was given on.
  struct Known {
    std::vector<uint8_t> key;
    std::vector<uint8_t> evidence;  // in the certificate
    int64_t good_until_unix = 0;
    // Every model was vouched for. One that does not run can be, but a monitor may be too busy.
    bool complete = true;
  };
  // One version of a model, as the index lists it; none: whatever the server has.
  struct Subject {
    std::string model;
    std::optional<uint32_t> version;
    bool ready = true;
  };
  std::expected<void, Refusal> renew_policy();
  std::expected<void, Refusal> still_under(uint64_t policy);
  Status tell(const std::expected<verify::Verdict, Refusal>& looked);
  [[nodiscard]] std::expected<client::Channel, Refusal> connect(client::Protocol protocol) const;
  std::expected<client::Channel, Refusal> admit(client::Protocol protocol);
  std::expected<client::Channel, Refusal> prove(client::Channel channel, client::Protocol protocol);
  std::expected<void, Refusal> look(Result<client::Server> server, const std::vector<uint8_t>* key,
                                    std::optional<client::Channel>* left = nullptr);
  std::expected<verify::Verdict, Refusal> judge_all(client::Server& server, Known& known) const;
  std::expected<void, Refusal> judge_models(client::Server& server, uint32_t epoch,
                                            Known& known) const;
  [[nodiscard]] std::expected<std::vector<Subject>, Refusal> subjects(client::Server& server) const;
  void keep(Known known);
  [[nodiscard]] bool expired() const;
  [[nodiscard]] bool ends_trust(const Refusal& refusal) const;
  void weigh(const Refusal& refusal);

  GateOptions options_;
  Tell tell_;
  std::optional<Known> known_;
  uint64_t policies_ = 0;  // that there have been after the first
  bool revoked_ = false;
  bool outrun_ = false;
  bool told_ = false;  // something, since this opening began
};

// The refusal as one line, and as the JSON document that stock clients read: {"error", "verdict"}.
std::string line_of(const Refusal& refusal);
std::string document_of(const Refusal& refusal);

}  // namespace casemate::proxy
