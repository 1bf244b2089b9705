// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTTP/1.1 over a channel: one request, one answer.
//
//   Owns     values.
//   Threads  as the channel.
//   Trust    the server may send anything: Boost.Beast parses it, and sizes are bounded before
//            memory is taken.
//   Fails    kTimedOut, kTooLarge, kPartitionFailed for an answer that is cut or is no HTTP.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outside/client/channel.h"

namespace casemate::client {

struct Request {
  std::string method = "GET";
  std::string target;  // already percent-encoded
  // How many bytes at the front of the body are JSON, for the binary tensor extension.
  std::optional<size_t> json_size{};
  std::vector<Bytes> body{};  // sent in this order
  uint64_t answer_bytes_max = 1 << 20;
  // Although its method says otherwise, nothing is changed by it.
  bool reads_only = false;

  [[nodiscard]] bool reads() const { return reads_only || method == "GET"; }
};

struct Response {
  unsigned status = 0;
  std::optional<uint64_t> json_size{};      // Inference-Header-Content-Length
  std::optional<uint32_t> retry_after_s{};  // Retry-After, if it is a number of seconds
  std::vector<uint8_t> body{};
  bool reusable = false;     // the channel may carry another request
  SessionBinding session{};  // of the connection over which it came
};

// Sends `request` and reads its answer, whatever its status. `authority` is the HOST:PORT for the
// server's information.
Result<Response> exchange(Channel& channel, const std::string& authority, const Request& request,
                          const Deadline& deadline);

}  // namespace casemate::client
