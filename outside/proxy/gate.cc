// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/gate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"
#include "outside/client/protocol.h"
#include "outside/verify/verify.h"

namespace casemate::proxy {
namespace {

// Longer than any verdict's line.
constexpr size_t kLineMax = 1000;

std::unexpected<Refusal> refused(Error error) {
  return std::unexpected(Refusal{.error = std::move(error), .verdict = std::nullopt});
}

std::unexpected<Refusal> refused(verify::Verdict verdict) {
  Error error{Code::kDenied, verify::line_of(verdict)};
  return std::unexpected(Refusal{.error = std::move(error), .verdict = std::move(verdict)});
}

// The oldest thing that a verdict rests on decides how long it lasts.
int64_t good_until(const verify::Verdict& verdict, int64_t age_max) {
  // Quotes of most hardware carry no time.
  int64_t oldest = verdict.quote_issued_unix != 0 ? verdict.quote_issued_unix : INT64_MAX;
  for (const EnclaveToken& token : verdict.tokens) oldest = std::min(oldest, token.issued_unix);
  return oldest + age_max;
}

}  // namespace

std::expected<client::Channel, Refusal> Gate::open(client::Protocol protocol) {
  const client::Deadline deadline(*options_.client.clock, options_.client.timeout);
  auto channel = client::Channel::open(options_.url, deadline, options_.client.exchange, protocol);
  if (!channel) return refused(std::move(channel.error()));
  if (options_.insecure_skip_verification) return *std::move(channel);
  if (auto judged = judge(channel->certificate()); !judged)
    return std::unexpected(std::move(judged.error()));
  return *std::move(channel);
}

bool Gate::due() const {
  if (options_.insecure_skip_verification || !known_) return false;
  return !known_->complete || options_.client.clock->unix_seconds() >= known_->good_until_unix;
}

std::optional<Refusal> Gate::look_again() {
  auto looked = look(nullptr);
  if (looked) return std::nullopt;
  // A server that cannot be reached has not changed; whoever needs it will look again.
  if (!looked.error().verdict && looked.error().error.code != Code::kDenied) return std::nullopt;
  return std::move(looked.error());
}

// Whether the holder of this certificate's key may be spoken to.
std::expected<void, Refusal> Gate::judge(const verify::Certificate& certificate) {
  const bool same = known_ && known_->key == certificate.key &&
                    known_->evidence == certificate.evidence && !due();
  if (same) return {};
  return look(&certificate);
}

// Looks at everything; the server must hold the certificate's key, if one is given.
std::expected<void, Refusal> Gate::look(const verify::Certificate* certificate) {
  known_.reset();
  auto looked = [&]() -> std::expected<verify::Verdict, Refusal> {
    auto server = client::Server::open(options_.url, options_.client);
    if (!server) return refused(std::move(server.error()));
    if (certificate != nullptr && server->certificate().key != certificate->key)
      return refused({Code::kDenied,
                      formatted("{} showed two keys on two connections; it may be starting anew, "
                                "or there are several: try again",
                                options_.url.authority())});
    Known known{.key = server->certificate().key, .evidence = server->certificate().evidence};
    auto verdict = judge_all(*server, known);
    if (verdict) known_ = std::move(known);
    return verdict;
  }();
  tell_(looked);
  if (!looked) return std::unexpected(std::move(looked.error()));
  return {};
}

std::expected<verify::Verdict, Refusal> Gate::judge_all(client::Server& server, Known& known) {
  auto cached = client::judge_certificate(server, options_.policy);
  if (!cached) return refused(std::move(cached.error()));
  if (!cached->passed) return refused(*std::move(cached));
  const uint32_t epoch = cached->tokens.front().epoch;
  auto fresh = client::judge_fresh(server, options_.policy, "", epoch);
  if (!fresh) return refused(std::move(fresh.error()));
  if (!fresh->passed) return refused(*std::move(fresh));
  known.good_until_unix = std::min(good_until(*cached, options_.policy.max_age_seconds),
                                   good_until(*fresh, options_.policy.max_age_seconds));
  if (auto models = judge_models(server, fresh->tokens.front().epoch, known); !models)
    return std::unexpected(std::move(models.error()));
  return *std::move(fresh);
}

std::expected<void, Refusal> Gate::judge_models(client::Server& server, uint32_t epoch,
                                                Known& known) {
  std::vector<std::string> names = options_.models;
  if (names.empty()) {
    client::Request request;
    request.method = "POST";
    request.target = "/v2/repository/index";
    request.reads_only = true;
    const auto response = server.ask(request);
    if (!response) return refused(response.error());
    const auto entries = client::read_index(response->body);
    if (!entries) return refused(entries.error());
    for (const client::ModelEntry& entry : *entries) {
      // What is not ready answers nobody; as soon as it is, it is looked at.
      if (entry.state != "READY")
        known.complete = false;
      else if (!std::ranges::contains(names, entry.name))
        names.push_back(entry.name);
    }
  }
  for (const std::string& name : names) {
    auto verdict = client::judge_fresh(server, options_.policy, name, epoch);
    if (!verdict) return refused(std::move(verdict.error()));
    if (!verdict->passed) return refused(*std::move(verdict));
  }
  return {};
}

std::string line_of(const Refusal& refusal) {
  return "casemate proxy: not forwarded: " + printable(refusal.error.text, kLineMax);
}

std::string document_of(const Refusal& refusal) {
  using Json = nlohmann::ordered_json;
  Json json;
  json["error"] = line_of(refusal);
  json["verdict"] = refusal.verdict ? Json::parse(verify::json_of(*refusal.verdict)) : Json();
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace casemate::proxy
