// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plain HTTP/1.1, one request and one answer on a connection, as the key service speaks it. No TLS:
// what is secret is sealed for one enclave, and what is not is signed or in anybody's certificate.
//
// A request says how long it is: one with a Transfer-Encoding is refused. An answer may come in
// chunks, since a proxy may have made them; what stands between their bytes counts, too.
//
//   Owns     nothing; a reader what has come so far, never more than kMessageBytes.
//   Threads  any, each with its own socket.
//   Trust    the other side is anybody: Boost.Beast parses, sizes and times are bounded.
//   Fails    kTimedOut, kTooLarge, kInvalid for what is no HTTP, kUnsupported for a request without
//            a length, kPartitionFailed for a connection that ended early.

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "outside/client/deadline.h"

namespace casemate::keys {

// A request and the evidence that a machine with many certificates sends.
inline constexpr uint64_t kBodyBytes = 128 << 10;
inline constexpr uint32_t kHeadBytes = 8 << 10;
// With the head, and what a proxy writes between chunks.
inline constexpr uint64_t kMessageBytes = kBodyBytes + (64 << 10);

// The type of an answer in which the key service itself says no. Who gets another one has heard
// from somebody on the way.
inline constexpr std::string_view kRefusalType = "text/vnd.casemate.refusal";

struct HttpRequest {
  std::string method;
  std::string target;
  std::vector<uint8_t> body;
};
struct HttpAnswer {
  unsigned status = 0;
  std::vector<uint8_t> body;
  std::string type = "application/octet-stream";
};

// A request that comes in pieces.
class RequestReader final {
 public:
  RequestReader();
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;

  // True when the request is whole; what comes behind it is dropped.
  Result<bool> take(Bytes piece);
  [[nodiscard]] bool head_done() const;
  // Requires: take() has said so, and called once.
  HttpRequest request();

 private:
  struct Reading;
  std::unique_ptr<Reading> reading_;
};

// As it is sent.
std::vector<uint8_t> bytes_of_answer(const HttpAnswer& answer);

// The other side's view. `authority` is HOST:PORT.
Result<HttpAnswer> ask(const Fd& socket, const std::string& authority, const HttpRequest& request,
                       const client::Deadline& deadline);

}  // namespace casemate::keys
