// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/program/gateway_program.h"

#include <charconv>

#include "base/crypto.h"
#include "base/format.h"
#include "base/log.h"
#include "isolated/enclave/randomness.h"
#include "isolated/gateway/identity/identity.h"
#include "isolated/gateway/program/monitor_link.h"
#include "isolated/gateway/serving/serving.h"

namespace casemate::gateway {
namespace {

constexpr int kListener = 4;
// TLS state of 16,384 connections at about 10 KiB. Pages are taken only when touched; the limit on
// locked memory may leave fewer.
constexpr size_t kSecretHeap = 192 << 20;

Result<uint64_t> number_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error{Code::kInvalid, formatted("gateway option '{}' is no number", text)};
  }
  return value;
}

struct Options {
  HttpLimits limits;
  KeyExchange exchange = KeyExchange::kHybrid;
};

Status set_option(Options& options, std::string_view key, uint64_t value) {
  HttpLimits& limits = options.limits;
  if (key == "connections_max") {
    limits.connections = static_cast<uint32_t>(value);
  } else if (key == "request_mib") {
    limits.body_bytes = value << 20;
  } else if (key == "buffered_mib") {
    limits.buffered_bytes = value << 20;
  } else if (key == "idle_timeout_s") {
    limits.idle = std::chrono::seconds(value);
  } else if (key == "classical_key_exchange") {
    options.exchange = value == 0 ? KeyExchange::kHybrid : KeyExchange::kHybridOrClassical;
  } else {
    return Error{Code::kInvalid, formatted("gateway option '{}' is unknown", key)};
  }
  return {};
}

Result<Options> parse_options(std::string_view options) {
  Options parsed;
  while (!options.empty()) {
    const size_t end = std::min(options.find(';'), options.size());
    const std::string_view option = options.substr(0, end);
    const size_t equals = std::min(option.find('='), option.size());
    const std::string_view value = option.substr(std::min(equals + 1, option.size()));
    TRY(set_option(parsed, option.substr(0, equals), TRY(number_of(value))));
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  return parsed;
}

Result<TlsContext> identity(const TlsKey& key, const CarriedEvidence& evidence,
                            KeyExchange exchange, const Clock& clock) {
  // Clients trust the evidence, not the name; these are for tools that insist on one.
  const std::vector<std::string> names = {"localhost", "127.0.0.1", "casemate"};
  const auto certificate = TRY(make_certificate(key, names, evidence, clock, system_random()));
  return TlsContext::make(key, certificate, exchange);
}

}  // namespace

Status GatewayProgram::start(const control::Message&) {
  TRY(parse_options(options_));
  return {};
}

Status GatewayProgram::run(control::Socket control, const control::Message& manifest) {
  if (use_secret_heap(kSecretHeap).size == 0)
    log("no memfd_secret here: keys lie in ordinary memory");
  TRY(enclave::renew_randomness());
  return serve(Fd(kListener), std::move(control), manifest);
}

Status GatewayProgram::serve(Fd listener, control::Socket control,
                             const control::Message& manifest) {
  const Options options = TRY(parse_options(options_));
  const auto loop = TRY(Loop::make(clock_));
  MonitorLink monitor(*loop, std::move(control), manifest);
  const TlsKey key = TRY(TlsKey::generate());
  auto tls = TRY(identity(key, TRY(monitor.vouch_for(key)), options.exchange, clock_));
  Serving serving(*loop, monitor);
  const auto server =
      TRY(Server::make(*loop, std::move(listener), std::move(tls), serving, options.limits));
  serving.open(*server);
  TRY(monitor.open(serving.models(), [&](const CarriedEvidence& evidence) -> Status {
    server->present(TRY(identity(key, evidence, options.exchange, clock_)));
    return {};
  }));
  return loop->run();
}

}  // namespace casemate::gateway
