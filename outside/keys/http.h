// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plain HTTP/1.1, one request and one answer on a connection, as the key service speaks it. No TLS:
// what is secret is sealed for one enclave, and what is not is signed or in anybody's certificate.
//
//   Owns     nothing.
//   Threads  any, each with its own socket.
//   Trust    the other side is anybody: Boost.Beast parses, sizes and times are bounded.
//   Fails    kTimedOut, kTooLarge, kInvalid for what is no HTTP, kPartitionFailed for a connection
//            that ended early.

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "outside/client/deadline.h"

namespace casemate::keys {

// A request and the evidence that a machine with many certificates sends.
inline constexpr uint64_t kBodyBytes = 128 << 10;

struct HttpRequest {
  std::string method;
  std::string target;
  std::vector<uint8_t> body;
};
struct HttpAnswer {
  unsigned status = 0;
  std::vector<uint8_t> body;
};

Result<HttpRequest> read_request(const Fd& socket, const client::Deadline& deadline);
Status write_answer(const Fd& socket, const HttpAnswer& answer, const client::Deadline& deadline);

// The other side's view. `authority` is HOST:PORT.
Result<HttpAnswer> ask(const Fd& socket, const std::string& authority, const HttpRequest& request,
                       const client::Deadline& deadline);

}  // namespace casemate::keys
