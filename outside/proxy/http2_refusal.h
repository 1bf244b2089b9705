// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Refusal: answers every request of a client that speaks HTTP/2 with one refusal: a call of
// gRPC with UNAVAILABLE and the line, any other with 502 and the document. It then says that the
// connection is over, so that the client's next call is on a new one and looked at again.
//
//   Owns     the session.
//   Threads  one.
//   Trust    the bytes are the client's: nghttp2 checks them, and few streams are open at a time.
//   Fails    feed() returns false when the connection is over.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

struct nghttp2_session;

namespace casemate::proxy {

class Http2Refusal final {
 public:
  // nullptr without memory.
  static std::unique_ptr<Http2Refusal> make(std::string line, std::string document);
  ~Http2Refusal();
  Http2Refusal(const Http2Refusal&) = delete;
  Http2Refusal& operator=(const Http2Refusal&) = delete;

  // Reads what the client sent and adds what is to be sent to it.
  bool feed(Bytes bytes, std::vector<uint8_t>& out);

 private:
  friend struct RefusalCallbacks;
  struct Asked {
    bool grpc = false;
    bool head_only = false;
    size_t at = 0;  // of the document
  };
  Http2Refusal(std::string line, std::string document)
      : line_(std::move(line)), document_(std::move(document)) {}
  int refuse(int32_t stream);

  std::string line_;
  std::string document_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Asked> asked_;
};

// As the field grpc-message carries it: percent-encoded but for printable ASCII.
std::string percent_message(std::string_view text);

}  // namespace casemate::proxy
