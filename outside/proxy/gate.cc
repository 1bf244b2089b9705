// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/gate.h"

#include <algorithm>
#include <charconv>
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

Error two_keys(const client::Url& url) {
  return {Code::kDenied, formatted("{} showed two keys on two connections; it may be starting "
                                   "anew, or there are several: try again",
                                   url.authority())};
}

std::optional<uint32_t> number_of(std::string_view text) {
  uint32_t number = 0;
  const auto [at, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return number;
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
  if (const auto renewed = renew_policy(); !renewed) {
    static_cast<void>(tell(std::unexpected(renewed.error())));  // nobody is let through anyway
    weigh(renewed.error());
    return std::unexpected(renewed.error());
  }
  const uint64_t policy = policies_;
  outrun_ = told_ = false;
  auto opened = admit(protocol);
  if (opened) {
    if (auto same = still_under(policy); !same) opened = std::unexpected(std::move(same.error()));
  }
  if (!opened) {
    if (!told_) static_cast<void>(tell(std::unexpected(opened.error())));
    weigh(opened.error());
  }
  return opened;
}

bool Gate::expired() const {
  return known_ && options_.client.clock->unix_seconds() >= known_->good_until_unix;
}

bool Gate::due() const { return known_ && (!known_->complete || expired()); }

// A server that cannot be reached has not changed, so the verdict holds, as long as it would
// otherwise.
bool Gate::ends_trust(const Refusal& refusal) const {
  return refusal.verdict || refusal.error.code == Code::kDenied || expired();
}

void Gate::weigh(const Refusal& refusal) {
  if (!known_ || !ends_trust(refusal)) return;
  known_.reset();
  revoked_ = true;
}

// Whoever was let through to the holder of another key is connected to somebody that nobody looks
// at any more.
void Gate::keep(Known known) {
  if (known_ && known_->key != known.key) revoked_ = true;
  known_ = std::move(known);
}

// What was let through under another policy is looked at again before anybody else is, and whoever
// agreed on keys in another way must go.
std::expected<void, Refusal> Gate::renew_policy() {
  if (!options_.changed_policy || options_.insecure_skip_verification) return {};
  auto changed = options_.changed_policy();
  if (!changed) {
    return refused({Code::kDenied, formatted("the policy that is there now cannot be used, and "
                                             "nobody is let through until it can: {}",
                                             changed.error().text)});
  }
  if (!*changed) return {};
  options_.policy = **std::move(changed);
  ++policies_;
  const client::KeyExchange before =
      std::exchange(options_.client.exchange, client::exchange_of(options_.policy));
  if (before != options_.client.exchange) revoked_ = true;
  if (known_) known_->good_until_unix = INT64_MIN;
  return {};
}

// Looking and connecting take their time. Who was let through under a policy that was replaced
// meanwhile has waited long enough to be judged by the new one.
std::expected<void, Refusal> Gate::still_under(uint64_t policy) {
  if (auto renewed = renew_policy(); !renewed) return renewed;
  if (policies_ == policy) return {};
  outrun_ = true;
  if (known_) revoked_ = true;
  return refused({Code::kUnavailable,
                  "the policy was replaced while the server was looked at; "
                  "connect again to have it judged by the new one"});
}

// Nobody hears of a verdict that could not be kept.
Status Gate::tell(const std::expected<verify::Verdict, Refusal>& looked) {
  told_ = true;
  const Status kept = options_.record ? options_.record(looked, options_.policy) : Status();
  if (looked && !kept)
    tell_(refused(kept.error()));
  else
    tell_(looked);
  return kept;
}

void Gate::look_after() {
  const auto renewed = renew_policy();
  if (!renewed && known_) {
    static_cast<void>(tell(std::unexpected(renewed.error())));
    weigh(renewed.error());
  }
  if (renewed && due()) look_again();
}

void Gate::look_again() {
  const auto looked = look(client::Server::open(options_.url, options_.client), nullptr);
  if (!looked) weigh(looked.error());
}

std::expected<client::Channel, Refusal> Gate::connect(client::Protocol protocol) const {
  const client::Deadline deadline(*options_.client.clock, options_.client.timeout);
  auto channel = client::Channel::open(options_.url, deadline, options_.client.exchange, protocol);
  if (!channel) return refused(std::move(channel.error()));
  return *std::move(channel);
}

std::expected<client::Channel, Refusal> Gate::admit(client::Protocol protocol) {
  auto channel = connect(protocol);
  if (!channel || options_.insecure_skip_verification) return channel;
  const verify::Certificate& shown = channel->certificate();
  const bool same =
      known_ && known_->key == shown.key && known_->evidence == shown.evidence && !due();
  return same ? std::move(channel) : prove(*std::move(channel), protocol);
}

// Looks at everything, and gives a connection to the holder of the key that passed.
std::expected<client::Channel, Refusal> Gate::prove(client::Channel channel,
                                                    client::Protocol protocol) {
  const std::vector<uint8_t> key = channel.certificate().key;
  if (protocol != client::Protocol::kHttp1) {
    auto looked = look(client::Server::open(options_.url, options_.client), &key);
    if (!looked) return std::unexpected(std::move(looked.error()));
    return channel;
  }
  const SessionBinding binding = channel.binding();
  std::optional<client::Channel> left;
  auto looked =
      look(client::Server::over(std::move(channel), options_.url, options_.client), &key, &left);
  if (!looked) return std::unexpected(std::move(looked.error()));
  if (left && left->binding() == binding && left->quiet()) return *std::move(left);
  // The server ended it after an answer; what passed is the key.
  auto another = connect(protocol);
  if (another && another->certificate().key != key) return refused(two_keys(options_.url));
  return another;
}

// Looks at everything; the server must hold `key`, if one is given. Its connection comes back in
// `left`.
std::expected<void, Refusal> Gate::look(Result<client::Server> server,
                                        const std::vector<uint8_t>* key,
                                        std::optional<client::Channel>* left) {
  const uint64_t policy = policies_;
  Known known;
  auto looked = [&]() -> std::expected<verify::Verdict, Refusal> {
    if (!server) return refused(server.error());
    const verify::Certificate& shown = server->certificate();
    if (key != nullptr && shown.key != *key) return refused(two_keys(options_.url));
    known = {.key = shown.key, .evidence = shown.evidence};
    auto verdict = judge_all(*server, known);
    if (left != nullptr) *left = std::move(*server).release();
    return verdict;
  }();
  if (looked) {
    if (auto same = still_under(policy); !same) looked = std::unexpected(std::move(same.error()));
  }
  Status recorded;
  if (looked || key != nullptr || ends_trust(looked.error())) recorded = tell(looked);
  if (!looked) return std::unexpected(looked.error());
  if (!recorded) return refused(recorded.error());
  keep(std::move(known));
  return {};
}

std::expected<verify::Verdict, Refusal> Gate::judge_all(client::Server& server,
                                                        Known& known) const {
  const verify::Policy& policy = options_.policy;
  auto cached = client::judge_certificate(server, policy);
  if (!cached) return refused(std::move(cached.error()));
  if (!cached->passed) return refused(*std::move(cached));
  const uint32_t epoch = cached->tokens.front().epoch;
  auto fresh = client::judge_fresh(server, policy, "", epoch);
  if (!fresh) return refused(std::move(fresh.error()));
  if (!fresh->passed) return refused(*std::move(fresh));
  // Later connections are not proved anew: whoever stole the key has this long.
  known.good_until_unix = std::min({fresh->time_used_unix + verify::Cache::kProofSeconds,
                                    good_until(*cached, policy.max_age_seconds),
                                    good_until(*fresh, policy.max_age_seconds)});
  if (auto models = judge_models(server, fresh->tokens.front().epoch, known); !models)
    return std::unexpected(std::move(models.error()));
  return *std::move(fresh);
}

std::expected<void, Refusal> Gate::judge_models(client::Server& server, uint32_t epoch,
                                                Known& known) const {
  const auto listed = subjects(server);
  if (!listed) return std::unexpected(listed.error());
  for (const Subject& subject : *listed) {
    auto verdict =
        client::judge_fresh(server, options_.policy, subject.model, epoch, subject.version);
    if (!verdict && !subject.ready && verdict.error().code == Code::kUnavailable) {
      // It answers nobody yet, and is looked at again soon.
      known.complete = false;
      continue;
    }
    if (!verdict) return refused(std::move(verdict.error()));
    if (!verdict->passed) return refused(*std::move(verdict));
    known.good_until_unix =
        std::min(known.good_until_unix, good_until(*verdict, options_.policy.max_age_seconds));
  }
  return {};
}

// Every version of every model, or of those that the user names.
std::expected<std::vector<Gate::Subject>, Refusal> Gate::subjects(client::Server& server) const {
  client::Request request;
  request.method = "POST";
  request.target = "/v2/repository/index";
  request.reads_only = true;
  const auto response = server.ask(request);
  if (!response) return refused(response.error());
  const auto entries = client::read_index(response->body);
  if (!entries) return refused(entries.error());
  const std::vector<std::string>& named = options_.models;
  std::vector<Subject> found;
  for (const client::ModelEntry& entry : *entries) {
    if (!named.empty() && !std::ranges::contains(named, entry.name)) continue;
    const auto version = number_of(entry.version);
    if (!version)
      return refused({Code::kPartitionFailed,
                      formatted("model {} has version '{}' in the server's index, which is none",
                                printable(entry.name, 64), printable(entry.version, 20))});
    found.push_back({entry.name, version, entry.state == "READY"});
  }
  // One that the index lacks is asked for all the same, so that the server says what is wrong.
  for (const std::string& name : named) {
    if (!std::ranges::contains(found, name, &Subject::model)) found.push_back({.model = name});
  }
  return found;
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
