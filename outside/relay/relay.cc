// SPDX-License-Identifier: Apache-2.0
#include "outside/relay/relay.h"

#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>

#include "base/format.h"
#include "base/log.h"
#include "outside/client/connect.h"
#include "outside/keys/http.h"
#include "outside/keys/nonces.h"
#include "outside/launch/address.h"

namespace casemate::relay {
namespace {

using operating::KeyAnswer;
using operating::KeyCommand;
using operating::KeyQuestion;

// For each of the two questions.
constexpr std::chrono::seconds kPatience{5};
// How long one that is not waiting any more is remembered.
constexpr std::chrono::minutes kForget{1};

KeyQuestion question(KeyCommand command, uint64_t ticket) {
  KeyQuestion asked;
  asked.command = static_cast<uint32_t>(command);
  asked.ticket = ticket;
  return asked;
}

// Connects on a thread of its own: libc, which resolves names, cannot be told to stop, and who is
// told to leaves it behind.
Result<Fd> connect_unless(const std::stop_token& stop, const client::Url& service) {
  struct Connecting {
    std::mutex mutex;
    std::condition_variable_any done;
    std::optional<Result<Fd>> socket;
  };
  const auto connecting = std::make_shared<Connecting>();
  std::thread([service, connecting] {
    auto socket = client::connect_to(service, client::Deadline(system_clock(), kPatience));
    const std::lock_guard held(connecting->mutex);
    connecting->socket.emplace(std::move(socket));
    connecting->done.notify_one();
  }).detach();
  std::unique_lock held(connecting->mutex);
  if (!connecting->done.wait(held, stop, [&] { return connecting->socket.has_value(); }))
    return Error{Code::kCancelled, "the relay stops"};
  return *std::move(connecting->socket);
}

std::vector<uint8_t> body_of(sealed::KeyRequest request, const Nonce& nonce,
                             const KeyAnswer& vouched) {
  request.nonce = nonce;
  const auto evidence = encode_evidence(Bytes(vouched.quote).first(vouched.quote_bytes),
                                        Bytes(vouched.claims).first(vouched.claims_bytes),
                                        std::span(&vouched.token, 1));
  const Bytes bytes = bytes_of(request);
  std::vector<uint8_t> body(bytes.begin(), bytes.end());
  body.insert(body.end(), evidence.begin(), evidence.end());
  return body;
}

// What the service said, in one line.
std::string line_in(const std::vector<uint8_t>& body) {
  std::string line = printable(text_of(body), 200);
  while (line.ends_with('?')) line.pop_back();
  return line;
}

// Whether that is a key, and not what somebody on the way says with a cheerful status.
bool holds_key(const keys::HttpAnswer& said, const Nonce& nonce) {
  if (said.status != 200 || said.body.size() != sizeof(sealed::WrappedKey)) return false;
  const auto wrapped = load<sealed::WrappedKey>(said.body);
  return check_form(wrapped) && wrapped.nonce == nonce;
}

// Whether the service itself has refused, and would again: the model is given up then. A nonce may
// have grown too old on the way, or the service have been started anew.
bool refuses_for_good(const keys::HttpAnswer& said) {
  const bool refused = said.status == 403 || said.status == 404 || said.status == 400;
  return refused && said.type == keys::kRefusalType &&
         !text_of(said.body).starts_with(keys::kNonceRefused);
}

}  // namespace

Result<client::Url> parse_service(const std::string& text) {
  constexpr std::string_view kScheme = "http://";
  const auto address = text.starts_with(kScheme)
                           ? launch::Address::parse(text.substr(kScheme.size()))
                           : Result<launch::Address>(Error{Code::kInvalid, ""});
  if (address) return client::Url{address->host, address->port};
  return Error{Code::kInvalid,
               formatted("--keys {}: is no key service; write http://HOST:PORT with nothing behind "
                         "it, as casemate keys serve prints it",
                         printable(text, 256))};
}

Relay::Relay(std::string monitor, client::Url service, std::function<void(const std::string&)> tell)
    : monitor_(std::move(monitor)),
      service_(std::move(service)),
      tell_(std::move(tell)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Relay::run(const std::stop_token& stop) {
  std::mutex lock;
  std::condition_variable_any wake;
  std::chrono::milliseconds pause = kLook;
  std::unique_lock held(lock);
  while (!stop.stop_requested()) {
    bool reached = false;
    try {
      reached = serve_all(stop);
    } catch (const std::exception& failure) {  // no memory, or no more threads
      tell_later(failure.what());
    }
    pause = reached ? kLook : std::min(2 * pause, kAgainMax);
    wake.wait_for(held, stop, pause, [] { return false; });
  }
}

// Whoever has no memory for what he does has none for saying so, either.
void Relay::tell_later(std::string_view why) noexcept {
  try {
    tell_(formatted("keys are asked for later: {}", printable(why, 120)));
  } catch (const std::exception&) {
  }
}

void Relay::tell_once(std::string& told, const KeyAnswer& waiting, const Error& why) {
  std::string line = formatted("model {}: waits for its key: {}", waiting.name.view(), why.text);
  if (line != told) tell_(line);
  told = std::move(line);
}

bool Relay::serve_all(const std::stop_token& stop) {
  uint64_t ticket = 0;
  std::set<uint64_t> seen;
  while (!stop.stop_requested()) {
    const auto next = launch::ask_for_keys(monitor_, question(KeyCommand::kNext, ticket), stop);
    // Those were all. One that has its quote made anew is not among them for a while.
    if (!next && next.error().code == Code::kNotFound) {
      std::erase_if(turns_, [&](const auto& turn) {
        return !seen.contains(turn.first) && system_clock().now() > turn.second.again + kForget;
      });
    }
    // Or the monitor is busy, or gone.
    if (!next || (*next)->ticket <= ticket) return true;
    const KeyAnswer& waiting = **next;
    ticket = waiting.ticket;
    seen.insert(ticket);
    Turn& turn = turns_[ticket];
    if (system_clock().now() < turn.again) continue;
    const auto nonce = fetch_nonce(stop);
    if (stop.stop_requested()) return true;
    if (!nonce) {
      tell_once(told_, waiting, nonce.error());
      return false;
    }
    told_.clear();
    const Status served = serve(waiting, *nonce, stop);
    if (stop.stop_requested()) return true;
    if (served || served.error().code == Code::kNotFound) {  // or it has gone meanwhile
      turns_.erase(ticket);
      continue;
    }
    turn.again = system_clock().now() + turn.pause;
    turn.pause = std::min(2 * turn.pause, kAgainMax);
    tell_once(turn.told, waiting, served.error());
  }
  return true;
}

Result<keys::HttpAnswer> Relay::ask_service(const keys::HttpRequest& request,
                                            const std::stop_token& stop) {
  const Fd socket = TRY(connect_unless(stop, service_));
  const std::stop_callback hang_up(stop, [&] { ::shutdown(socket.number(), SHUT_RDWR); });
  return keys::ask(socket, service_.authority(), request,
                   client::Deadline(system_clock(), kPatience));
}

Result<Nonce> Relay::fetch_nonce(const std::stop_token& stop) {
  const auto answer = TRY(ask_service({"GET", "/v1/nonce", {}}, stop));
  if (answer.status == 200 && answer.body.size() == sizeof(Nonce)) return load<Nonce>(answer.body);
  return Error{Code::kUnavailable, formatted("{}: gives no nonce (status {}); is it casemate keys "
                                             "serve?",
                                             service_.authority(), answer.status)};
}

Status Relay::serve(const KeyAnswer& waiting, const Nonce& nonce, const std::stop_token& stop) {
  const auto request = load<sealed::KeyRequest>(waiting.request);
  KeyQuestion vouch = question(KeyCommand::kVouch, waiting.ticket);
  vouch.nonce = nonce;
  const auto vouched = TRY(launch::ask_for_keys(monitor_, vouch, stop));
  const auto said = TRY(ask_service({"POST", "/v1/keys", body_of(request, nonce, *vouched)}, stop));
  if (holds_key(said, nonce)) return answer(waiting, Code::kOk, {}, said.body, stop);
  if (!refuses_for_good(said)) {
    return Error{Code::kUnavailable,
                 formatted("{} answers with status {} and no key: {}", service_.authority(),
                           said.status, line_in(said.body))};
  }
  return answer(waiting, Code::kDenied,
                formatted("the key service refuses its key: {}", line_in(said.body)), {}, stop);
}

Status Relay::answer(const KeyAnswer& waiting, Code code, std::string_view reason, Bytes wrapped,
                     const std::stop_token& stop) {
  KeyQuestion unlock = question(KeyCommand::kUnlock, waiting.ticket);
  static_assert(sizeof(sealed::WrappedKey) <= sizeof unlock.answer);
  unlock.code = static_cast<uint32_t>(code);
  unlock.reason = Text<256>::from(reason);
  std::ranges::copy(wrapped, unlock.answer.begin());
  TRY(launch::ask_for_keys(monitor_, unlock, stop));
  return {};
}

}  // namespace casemate::relay
