// SPDX-License-Identifier: Apache-2.0
#pragma once
// Server: one server, known by the key that it proved to hold on the first connection. Later
// connections must prove the same key; until then nothing is sent over them.
//
//   Owns     the connection; opens a new one when the server has closed it between two requests.
//   Threads  one at a time.
//   Trust    says that all answers come from the holder of one key, not who that is: see attest.h.
//   Fails    as Channel and exchange(); kDenied when another key appears.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "outside/client/channel.h"
#include "outside/client/http.h"
#include "outside/client/url.h"
#include "outside/verify/cache.h"

namespace casemate::client {

struct Options {
  // For one operation as a whole: connecting, sending, waiting, retries.
  Duration timeout = std::chrono::seconds(30);
  // How often a request is sent again after "503 Service Unavailable" with Retry-After. The server
  // has then not begun it. 0: the caller decides.
  uint32_t retries = 0;
  // Of one inference: the largest tensor and its JSON part.
  uint64_t answer_bytes_max = limits::kTensorBytes + (1 << 20);
  // Also where the server knows curves alone; the policy says whether that may be.
  KeyExchange exchange = KeyExchange::kHybrid;
  // Of what has been verified before, for whoever connects more than once; it must outlive the
  // server. None: every session verifies everything once and asks for a proof of its own.
  verify::Cache* cache = nullptr;
  const Clock* clock = &system_clock();
  Random* random = &system_random();
};

class Server final {
 public:
  static Result<Server> open(const Url& url, const Options& options);
  // The same with a first connection that is there already, for HTTP/1.1.
  static Server over(Channel channel, const Url& url, const Options& options);

  // What the first connection showed: the key that all connections have, and the evidence.
  [[nodiscard]] const verify::Certificate& certificate() const { return certificate_; }
  [[nodiscard]] const Options& options() const { return options_; }
  // Signatures that need no second look: of all that share the options' cache, or of this server
  // alone, whose proofs repeat what its certificate has.
  [[nodiscard]] verify::Cache* signatures() const {
    return options_.cache != nullptr ? options_.cache : own_signatures_.get();
  }

  // The answer with status 200, or the server's refusal as an error.
  Result<Response> ask(const Request& request);

  // The connection, if one is open: its binding() says whether it is still the first.
  [[nodiscard]] std::optional<Channel> release() && { return std::move(channel_); }

 private:
  Server(Url url, const Options& options) : url_(std::move(url)), options_(options) {}
  Status reconnect(const Deadline& deadline);
  Result<Response> ask_once(const Request& request, const Deadline& deadline);

  Url url_;
  Options options_;
  std::unique_ptr<verify::Cache> own_signatures_ = std::make_unique<verify::Cache>();
  std::optional<Channel> channel_;
  verify::Certificate certificate_;
};

}  // namespace casemate::client
