// SPDX-License-Identifier: Apache-2.0
#include "outside/relay/relay.h"

#include <condition_variable>
#include <mutex>

#include "base/format.h"
#include "base/log.h"
#include "outside/client/connect.h"
#include "outside/keys/http.h"
#include "outside/launch/address.h"

namespace casemate::relay {
namespace {

using operating::KeyAnswer;
using operating::KeyCommand;
using operating::KeyQuestion;

constexpr std::chrono::seconds kPatience{10};

KeyQuestion question(KeyCommand command, uint64_t ticket) {
  KeyQuestion asked;
  asked.command = static_cast<uint32_t>(command);
  asked.ticket = ticket;
  return asked;
}

Result<keys::HttpAnswer> ask_service(const client::Url& service, const keys::HttpRequest& request) {
  const client::Deadline deadline(system_clock(), kPatience);
  const Fd socket = TRY(client::connect_to(service, deadline));
  return keys::ask(socket, service.authority(), request, deadline);
}

Result<Nonce> fetch_nonce(const client::Url& service) {
  const auto answer = TRY(ask_service(service, {"GET", "/v1/nonce", {}}));
  if (answer.status == 200 && answer.body.size() == sizeof(Nonce)) return load<Nonce>(answer.body);
  return Error{Code::kUnavailable, formatted("{}: gives no nonce (status {}); is it casemate keys "
                                             "serve?",
                                             service.authority(), answer.status)};
}

std::vector<uint8_t> body_of(sealed::KeyRequest request, const Nonce& nonce,
                             const control::Message& attested) {
  request.nonce = nonce;
  const auto evidence = encode_evidence(Bytes(attested.quote).first(attested.quote_size),
                                        Bytes(attested.claims).first(attested.claims_size),
                                        std::span(&attested.token, 1));
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

}  // namespace

Result<client::Url> parse_service(const std::string& text) {
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme))
    return Error{Code::kInvalid, formatted("'{}' is no key service; write http://HOST:PORT", text)};
  const auto address = TRY(launch::Address::parse(text.substr(kScheme.size())));
  return client::Url{address.host, address.port};
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
    pause = serve_all() ? kLook : std::min(2 * pause, kAgainMax);
    wake.wait_for(held, stop, pause, [] { return false; });
  }
}

bool Relay::serve_all() {
  uint64_t ticket = 0;
  while (true) {
    const auto waiting = launch::ask_for_keys(monitor_, question(KeyCommand::kNext, ticket));
    if (!waiting) return true;  // nobody waits, or the monitor is busy or gone
    ticket = waiting->ticket;
    const Status served = serve(*waiting);
    if (served || served.error().code == Code::kNotFound) {  // or it has gone meanwhile
      told_.clear();
      continue;
    }
    std::string line =
        formatted("model {}: waits for its key: {}", waiting->name.view(), served.error().text);
    if (line != told_) tell_(line);
    told_ = std::move(line);
    return false;
  }
}

Status Relay::serve(const KeyAnswer& waiting) {
  if (waiting.request_bytes != sizeof(sealed::KeyRequest))
    return answer(waiting, Code::kInvalid, "what it asks the key service is no question", {});
  KeyQuestion vouch = question(KeyCommand::kVouch, waiting.ticket);
  vouch.nonce = TRY(fetch_nonce(service_));
  const KeyAnswer vouched = TRY(launch::ask_for_keys(monitor_, vouch));
  const auto said = TRY(ask_service(service_, {"POST", "/v1/keys",
                                               body_of(load<sealed::KeyRequest>(waiting.request),
                                                       vouch.nonce, vouched.attested)}));
  if (said.status == 200) return answer(waiting, Code::kOk, {}, said.body);
  if (said.status >= 500 || said.status == 408)
    return Error{Code::kUnavailable,
                 formatted("{} answers with status {}: {}", service_.authority(), said.status,
                           line_in(said.body))};
  return answer(waiting, Code::kDenied,
                formatted("the key service refuses its key: {}", line_in(said.body)), {});
}

Status Relay::answer(const KeyAnswer& waiting, Code code, std::string_view reason, Bytes wrapped) {
  KeyQuestion unlock = question(KeyCommand::kUnlock, waiting.ticket);
  if (wrapped.size() > unlock.answer.size())
    return Error{Code::kInvalid, "the key service's answer is too long to be a key"};
  unlock.code = static_cast<uint32_t>(code);
  unlock.reason = Text<256>::from(reason);
  unlock.answer_bytes = static_cast<uint32_t>(wrapped.size());
  std::ranges::copy(wrapped, unlock.answer.begin());
  TRY(launch::ask_for_keys(monitor_, unlock));
  return {};
}

}  // namespace casemate::relay
