// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/program/monitor_link.h"

#include <algorithm>
#include <thread>

#include "base/format.h"
#include "base/log.h"

namespace casemate::gateway {
namespace {

// The monitor signs in about a millisecond; hardware may take as long as the monitor waits for it.
constexpr Duration kVouchPatience = std::chrono::seconds(45);
constexpr Duration kVouchAgain = std::chrono::milliseconds(25);
// A ticket names a request and, in its low bits, which of its tokens. The first one is that of the
// evidence about our own key.
constexpr uint64_t kTokensPerRequest = 2 * limits::kEnclaves;
// What evidence has room for beside the quote and the claims.
constexpr uint32_t kTokensMax = (kEvidenceBytes - kQuoteBytes - 1024) / (sizeof(EnclaveToken) + 3);
constexpr uint64_t kOwnTicket = 0;

}  // namespace

using control::Message;
using control::Received;
using control::Type;

MonitorLink::MonitorLink(Loop& loop, control::Socket socket, const Message& manifest)
    : loop_(loop),
      socket_(std::move(socket)),
      self_{manifest.enclave},
      renewal_(loop, [this] { renew(); }) {}

MonitorLink::~MonitorLink() {
  for (auto& [stream, newcomer] : newcomers_) loop_.forget(newcomer->channel->bell(), *newcomer);
  if (models_ != nullptr) loop_.forget(socket_.fd(), *this);
}

Status MonitorLink::ask(uint64_t ticket, const Question& question) {
  Message message = control::make(Type::kAttest, self_);
  message.ticket = ticket;
  message.stream = question.subject;
  message.place = question.place;
  message.nonce = question.nonce;
  if (question.subject == self_.index()) message.key_sha384 = key_sha384_;
  if (question.quote) message.key_sha256 = key_sha256_;
  return socket_.send(message);
}

Result<CarriedEvidence> MonitorLink::vouch_for(const TlsKey& key) {
  key_sha256_ = sha256(key.public_der());
  key_sha384_ = sha384(key.public_der());
  const Question own{.subject = self_.index(), .quote = true};
  TRY(ask(kOwnTicket, own));
  const Instant deadline = system_clock().now() + kVouchPatience;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - system_clock().now());
    auto received = TRY(socket_.receive(std::max(static_cast<int>(left.count()), 0)));
    // We listen: it is the root that takes its time.
    if (received.type() == Type::kPing) {
      TRY(socket_.send(control::make(Type::kPong, self_)));
      continue;
    }
    if (received.type() != Type::kAttested) {
      early_.push_back(std::move(received));
      continue;
    }
    const Status kept = keep(received);
    if (kept) return CarriedEvidence{carried_quote_, carried_tokens_};
    // Clients of the instance before this one may have asked for as much as the monitor gives.
    if (kept.error().code != Code::kUnavailable || system_clock().now() > deadline)
      return kept.error();
    std::this_thread::sleep_for(kVouchAgain);
    TRY(ask(kOwnTicket, own));
  }
}

// Takes what the monitor says about our own key.
Status MonitorLink::keep(const Received& received) {
  const Message& m = received.message;
  if (m.code != 0)
    return Error{code_from(m.code), "the monitor does not vouch for the gateway's key"};
  vouched_ = TRY(control::attached_evidence(received));
  carried_quote_ = encode_quote(vouched_.quote, vouched_.claims);
  carried_tokens_ = encode_tokens(std::span(&m.token, 1));
  forget_reused();
  vouched_unix_ = loop_.clock().unix_seconds();
  return {};
}

// Asks again when the evidence is old, or from a time that a corrected clock has yet to reach. The
// answer comes like any other; without one, or with a refusal, the next look asks once more.
void MonitorLink::renew() {
  renewal_.set(loop_.now() + kLookEvery);
  const int64_t age = loop_.clock().unix_seconds() - vouched_unix_;
  if (age >= 0 && age < kRenewAfterSeconds) return;
  const Status asked = ask(kOwnTicket, {.subject = self_.index(), .quote = true});
  if (!asked) log("evidence is not renewed yet: {}", asked.error().text);
}

Status MonitorLink::open(ModelTable& models, Renewed renewed) {
  models_ = &models;
  renewed_ = std::move(renewed);
  renewal_.set(loop_.now() + kLookEvery);
  TRY(loop_.watch(socket_.fd(), EPOLLIN | EPOLLRDHUP, *this));
  for (Received& received : early_) {
    // What was said of a partition that has died since is no reason to end.
    if (const Status taken = take(received); !taken) log("{}", taken.error().text);
  }
  early_.clear();
  return {};
}

void MonitorLink::ready(uint32_t) {
  while (true) {
    auto received = socket_.poll();
    if (!received) return loop_.stop();  // without its monitor a gateway is nobody
    if (!*received) return;
    if (const Status taken = take(**received); !taken) log("{}", taken.error().text);
  }
}

Status MonitorLink::take(Received& received) {
  switch (received.type()) {
    case Type::kConnect:
      return connect(received);
    case Type::kDisconnect:
      disconnect(received.message);
      return {};
    case Type::kAttested:
      attested(received);
      return {};
    case Type::kPing:
      return socket_.send(control::make(Type::kPong, self_));
    case Type::kStop:
      loop_.stop();
      return {};
    default:
      return {};
  }
}

Result<Model*> MonitorLink::model_of(const Message& message) {
  const std::string version = std::to_string(message.model_version);
  const auto known = models_->find(message.name.view(), version);
  Model* model = known ? *known : TRY(models_->add(message.name.view(), message.model_version));
  subjects_[model] = static_cast<uint32_t>(message.ticket);
  return model;
}

Status MonitorLink::connect(Received& received) {
  Model* model = TRY(model_of(received.message));
  forget_reused();
  const uint32_t stream = received.message.stream;
  const uint32_t regions = received.message.regions;
  auto channel = TRY(StreamChannel::make(TRY(control::stream_end_of(received)), regions));
  const int bell = channel->bell();
  auto newcomer = std::make_unique<Newcomer>(*this, stream, *model, std::move(channel));
  TRY(loop_.watch(bell, EPOLLIN | EPOLLET, *newcomer));
  newcomers_.insert_or_assign(stream, std::move(newcomer));
  introduce(stream);  // the answer may have come before the bell was watched
  return {};
}

void MonitorLink::introduce(uint32_t stream) {
  const auto found = newcomers_.find(stream);
  if (found == newcomers_.end()) return;
  Newcomer& newcomer = *found->second;
  auto description = newcomer.channel->take_description();
  if (description && *description == nullptr) return;
  loop_.forget(newcomer.channel->bell(), newcomer);
  const auto self = std::move(found->second);
  newcomers_.erase(found);
  if (!description) {
    // A dead enclave comes back as another stream; one that describes itself wrongly is no use.
    if (description.error().code != Code::kPartitionFailed)
      self->model.give_up(description.error().text);
    return;
  }
  const Channel* channel = self->channel.get();
  if (const Status attached = self->model.attach(std::move(self->channel), **description);
      !attached) {
    return self->model.give_up(attached.error().text);
  }
  attached_.insert_or_assign(stream, std::pair(&self->model, channel));
}

void MonitorLink::disconnect(const Message& message) {
  const auto model = model_of(message);
  if (!model) return;
  forget_reused();
  if (const auto newcomer = newcomers_.find(message.stream); newcomer != newcomers_.end()) {
    loop_.forget(newcomer->second->channel->bell(), *newcomer->second);
    newcomers_.erase(newcomer);
  }
  if (const auto attached = attached_.find(message.stream); attached != attached_.end()) {
    attached->second.first->fail(*attached->second.second);
    attached_.erase(attached);
  }
  // kPartitionFailed means that it is on its way back; everything else is final.
  if (code_from(message.code) != Code::kPartitionFailed)
    (*model)->give_up(std::string(message.reason.view()));
}

// Evidence about models is given to everybody until something is no longer as it says.
void MonitorLink::forget_reused() {
  reused_.clear();
  for (auto& [request, pending] : pending_) pending.renewed = true;
}

void MonitorLink::evidence(const std::optional<Nonce>& nonce, std::string_view model,
                           std::string_view version, Done done) {
  Pending pending{.done = std::move(done), .nonce = nonce.value_or(Nonce{})};
  if (!nonce && model.empty()) {
    std::vector<uint8_t> own = carried_quote_;
    own.insert(own.end(), carried_tokens_.begin(), carried_tokens_.end());
    return pending.done(std::move(own));
  }
  if (!model.empty()) {
    const auto found = models_->find(model, version);
    if (!found) return pending.done(found.error());
    pending.model = *found;
    pending.subject = subjects_[*found];
    const auto known = reused_.find(pending.model);
    if (!nonce && known != reused_.end()) return pending.done(known->second);
  }
  const uint64_t request = next_ticket_++;
  const uint64_t first = request * kTokensPerRequest;
  pending.missing = pending.model == nullptr ? 1 : 2;
  pending.tokens.resize(pending.missing);
  Status asked = ask(first, {.subject = self_.index(), .nonce = pending.nonce});
  if (asked && pending.model != nullptr)
    asked = ask(first + 1, {.subject = pending.subject, .nonce = pending.nonce});
  if (!asked) {
    return pending.done(
        Error{Code::kUnavailable, "the monitor is busy: ask for evidence again in a second"});
  }
  pending_[request] = std::move(pending);
}

// Asks for the tokens of all that a model calls, once that is known.
void MonitorLink::list(Pending& pending, uint64_t request, uint32_t count) {
  if (count > kTokensMax - 1) {
    pending.code = Code::kTooLarge;
    return;
  }
  pending.tokens.resize(1 + count);
  for (uint32_t place = 1; place < count; ++place) {
    const Status asked = ask(request * kTokensPerRequest + 1 + place,
                             {.subject = pending.subject, .place = place, .nonce = pending.nonce});
    if (!asked) {
      pending.code = Code::kUnavailable;
      return;
    }
    ++pending.missing;
  }
}

void MonitorLink::complete(Pending pending) {
  if (pending.code == Code::kUnavailable)
    return pending.done(
        Error{pending.code, "evidence is asked for too often: ask again in a second"});
  if (pending.code == Code::kTooLarge)
    return pending.done(Error{
        pending.code, formatted("the model calls more than the {} enclaves that evidence has room "
                                "for",
                                kTokensMax - 2)});
  if (pending.code != Code::kOk)
    return pending.done(Error{pending.code, "the monitor does not vouch for that enclave"});
  Result<std::vector<uint8_t>> bytes = encode(pending);
  if (bytes && pending.nonce == Nonce{} && !pending.renewed) reused_[pending.model] = *bytes;
  pending.done(std::move(bytes));
}

Result<std::vector<uint8_t>> MonitorLink::encode(Pending& pending) const {
  std::vector<std::vector<uint8_t>> said;
  for (const EnclaveToken& token : pending.tokens) {
    // Taken out, so that it is there once however many tokens name it.
    if (auto node = pending.devices.extract(token.device_evidence); !node.empty())
      said.push_back(std::move(node.mapped()));
  }
  const std::vector<Bytes> devices(said.begin(), said.end());
  std::vector<uint8_t> bytes =
      encode_evidence(vouched_.quote, vouched_.claims, pending.tokens, devices);
  if (bytes.size() <= kProofBytes) return bytes;
  return Error{Code::kTooLarge,
               formatted("what the model's {} accelerators say of themselves makes evidence of {} "
                         "bytes, and clients take {}: give them shorter evidence, or the model "
                         "fewer accelerators",
                         devices.size(), bytes.size(), kProofBytes)};
}

// What a token names goes with it. Without that no client would believe the token, so the request
// fails here, where it can be said why.
void MonitorLink::take_token(Pending& pending, size_t index, const Received& received) {
  const EnclaveToken& token = received.message.token;
  pending.tokens[index] = token;
  if (token.device_evidence == Sha384Digest{}) return;
  auto attached = control::attached_evidence(received);
  if (attached) {
    pending.devices.insert_or_assign(token.device_evidence, std::move(attached->quote));
  } else {
    pending.code = Code::kPlatform;
  }
}

void MonitorLink::attested(const Received& received) {
  const Message& message = received.message;
  if (message.ticket == kOwnTicket) {
    Status taken = keep(received);
    if (taken) taken = renewed_({carried_quote_, carried_tokens_});
    if (taken) return;
    vouched_unix_ = 0;  // whatever went wrong, it is tried again
    log("evidence is not renewed yet: {}", taken.error().text);
    return;
  }
  const auto found = pending_.find(message.ticket / kTokensPerRequest);
  const size_t index = message.ticket % kTokensPerRequest;
  if (found == pending_.end() || index >= found->second.tokens.size()) return;
  Pending& pending = found->second;
  if (message.code != 0) pending.code = code_from(message.code);
  if (message.code == 0) take_token(pending, index, received);
  if (index == 1 && message.code == 0)
    list(pending, found->first, std::max(message.place_count, 1u));
  if (--pending.missing > 0) return;
  Pending whole = std::move(pending);
  pending_.erase(found);
  complete(std::move(whole));
}

}  // namespace casemate::gateway
