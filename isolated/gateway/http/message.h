// SPDX-License-Identifier: Apache-2.0
#pragma once
// Messages between the HTTP server and the service behind it.
//
//   admit(head) -> refuse, or read the body -> serve(call, request) -> Server::answer(call, ...)
//                                                                   or cancelled(call)
//
//   Owns     Request owns its body; heads and responses are views for the length of a call.
//   Threads  one.
//   Trust    targets, headers and bodies are a client's; the server has checked their framing only.
//   Fails    see Server.

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "isolated/gateway/http/body.h"

namespace casemate::gateway {

enum class Method : uint8_t { kGet, kPost, kHead, kOther };

// One request on one connection; never used again. Of HTTP/2 there may be several at a time.
struct CallId {
  uint32_t connection = 0;
  uint32_t turn = 0;
  auto operator<=>(const CallId&) const = default;
};

struct Request {
  Method method = Method::kOther;
  std::string_view target;
  // Of Inference-Header-Content-Length, if there is such a header.
  std::optional<std::string_view> inference_header_length{};
  // A call of gRPC: the body is its messages, each behind a head of five bytes.
  bool grpc = false;
  std::optional<std::chrono::nanoseconds> grpc_timeout{};
  Body body;
};

// An error that ends one request. The text becomes {"error": text}; of a call of gRPC, its message,
// beside the status that grpc_status_of() says.
struct Refusal {
  uint16_t status = 500;
  std::string text{};
  std::string_view allow{};  // with 405: the methods that are allowed
  uint32_t retry_after_s = 0;
};

// Where an answer's bytes lie, when that is memory that may vanish while it is read and then reads
// as zeros.
class Origin {
 public:
  // Whoever has read from it asks this afterwards, before what was read leaves. Never goes back.
  [[nodiscard]] virtual bool failed() const = 0;

 protected:
  ~Origin() = default;
};

// Of a call of gRPC the body is an answer's messages, and all else is set by the server.
struct Response {
  uint16_t status = 200;
  std::string_view content_type = "application/json";
  std::optional<uint64_t> inference_header_length{};
  std::string_view allow{};
  uint32_t retry_after_s = 0;  // 0: none
  std::span<const Bytes> body{};
  const Origin* origin = nullptr;  // of the body; none: memory of ours
};

class Service {
 public:
  // The head is in, the body is not; `announced` says whether the head speaks of one. Without that
  // a request has no body (RFC 9112, section 6.3), which a service may refuse. What is refused here
  // costs no memory.
  virtual std::optional<Refusal> admit(Method method, std::string_view target, bool announced) = 0;
  // To be answered exactly once, now or later, by Server::answer(call, ...), unless cancelled()
  // comes first.
  virtual void serve(CallId call, Request request) = 0;
  // The client has gone; an answer would go nowhere.
  virtual void cancelled(CallId call) = 0;

 protected:
  ~Service() = default;
};

}  // namespace casemate::gateway
