// SPDX-License-Identifier: Apache-2.0
#include "outside/client/server.h"

#include <thread>

#include "base/format.h"
#include "outside/client/protocol.h"

namespace casemate::client {

Result<Server> Server::open(const Url& url, const Options& options) {
  return over(TRY(Channel::open(url, Deadline(*options.clock, options.timeout), options.exchange)),
              url, options);
}

Server Server::over(Channel channel, const Url& url, const Options& options) {
  Server server(url, options);
  server.certificate_ = channel.certificate();
  server.channel_ = std::move(channel);
  return server;
}

Status Server::reconnect(const Deadline& deadline) {
  channel_.reset();
  Channel fresh = TRY(Channel::open(url_, deadline, options_.exchange));
  if (fresh.certificate().key != certificate_.key) {
    return Error{Code::kDenied,
                 formatted("{} now shows another key than the one that was verified, so nothing "
                           "was sent; it may have been restarted: connect and verify again",
                           url_.authority())};
  }
  channel_ = std::move(fresh);
  return {};
}

Result<Response> Server::ask_once(const Request& request, const Deadline& deadline) {
  const bool kept = channel_ && channel_->quiet();
  if (!kept) TRY(reconnect(deadline));
  auto response = exchange(*channel_, url_.authority(), request, deadline);
  // A server may close a kept connection just when we ask over it. What only reads may be asked
  // again (RFC 9112, section 9.3.1); whether an inference is to run twice, the caller decides.
  if (!response && response.error().code == Code::kPartitionFailed && kept && request.reads()) {
    TRY(reconnect(deadline));
    response = exchange(*channel_, url_.authority(), request, deadline);
  }
  if (!response || !response->reusable) channel_.reset();
  return response;
}

Result<Response> Server::ask(const Request& request) {
  const Deadline deadline(*options_.clock, options_.timeout);
  for (uint32_t tries = 0;; ++tries) {
    Response response = TRY(ask_once(request, deadline));
    if (response.status == 200) return response;
    const bool again = response.status == 503 && response.retry_after_s && tries < options_.retries;
    if (!again) return read_error(response.status, response.body);
    const auto pause = std::chrono::seconds(*response.retry_after_s);
    if (pause >= deadline.left()) return read_error(response.status, response.body);
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace casemate::client
