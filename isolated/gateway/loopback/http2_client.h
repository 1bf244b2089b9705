// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Client: a blocking client of HTTP/2 that writes frames by hand, so that it can also
// misbehave.
//
//   Owns     its connection and the table of the server's header fields.
//   Threads  one at a time, another one than the server's.
//   Trust    accepts every certificate: it is for tests.
//   Fails    verbs return false or nothing.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolated/gateway/loopback/loopback.h"

struct nghttp2_hd_inflater;

namespace casemate::gateway {

using Http2Fields = std::vector<std::pair<std::string, std::string>>;

struct Http2Frame {
  enum Type : uint8_t {
    kData = 0,
    kHeaders = 1,
    kReset = 3,
    kSettings = 4,
    kPing = 6,
    kGoAway = 7,
    kWindow = 8,
    kContinuation = 9,
  };
  static constexpr uint8_t kEndStream = 1;
  static constexpr uint8_t kAck = 1;
  static constexpr uint8_t kEndHeaders = 4;

  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload{};

  [[nodiscard]] std::string bytes() const;
  // The 32-bit number at the front of the payload: of a reset, its reason.
  [[nodiscard]] uint32_t number() const;
};

// A block of header fields, each as it is (RFC 7541, section 6.2.2).
std::string header_block(const Http2Fields& fields);
std::string number_payload(uint32_t number);

class Http2Client final {
 public:
  struct Answer {
    std::map<std::string, std::string> fields{};
    std::string body{};
    std::map<std::string, std::string> trailer{};
    std::optional<uint32_t> reset{};
    [[nodiscard]] int status() const;
  };

  // Connects and says hello; `window` is what of each answer may come unasked.
  explicit Http2Client(uint16_t port, uint32_t window = 1 << 20);
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;

  [[nodiscard]] bool connected() const { return tls_.connected(); }
  bool send(std::string_view bytes) { return tls_.send(bytes); }
  bool send(const Http2Frame& frame) { return send(frame.bytes()); }
  // A whole request on the next stream, whose number is returned. Waits where the server's windows
  // are closed.
  uint32_t request(std::string_view target, std::string_view body, const Http2Fields& more = {});
  // One message as a call of gRPC makes it.
  uint32_t call(std::string_view target, std::string_view message, const Http2Fields& more = {});
  // The head of a POST; more follows.
  uint32_t begin(std::string_view target, const Http2Fields& more = {});
  // The next frame that is no acknowledgement and no setting.
  std::optional<Http2Frame> next();
  // What becomes of a stream; nothing when the connection ends before that.
  std::optional<Answer> answer(uint32_t stream);
  // Reads until the connection ends; true when it did, and whether a GOAWAY came.
  bool ended();
  [[nodiscard]] bool said_goodbye() const { return goodbye_; }
  TlsClient& tls() { return tls_; }

 private:
  std::optional<Http2Frame> read();
  void note(const Http2Frame& frame);
  void note_credit(const Http2Frame& frame);
  size_t credit_for(uint32_t stream);
  TlsClient tls_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string input_;
  std::map<uint32_t, Answer> answers_;
  std::map<uint32_t, bool> done_;
  // What the server lets us send: on a new stream, on each beyond that, and on all together.
  int64_t first_credit_ = 65'535;
  std::map<uint32_t, int64_t> credits_;
  int64_t credit_ = 65'535;
  uint32_t next_stream_ = 1;
  bool goodbye_ = false;
};

}  // namespace casemate::gateway
