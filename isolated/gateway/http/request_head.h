// SPDX-License-Identifier: Apache-2.0
#pragma once
// RequestHead: request line and headers, and the chunked coding (RFC 9112), by Boost.Beast's
// parser. Beast is seen by request_head.cc alone.
//
//   Owns     the few values that the server needs; everything else is dropped.
//   Threads  as a value.
//   Trust    the text is a client's. What two parsers could read in two ways is refused: both
//            lengths, two lengths, codings other than one `chunked`.
//   Fails    with the refusal's HTTP status and text; the connection cannot go on after it.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "isolated/gateway/http/inflate.h"
#include "isolated/gateway/http/message.h"

namespace casemate::gateway {

struct RequestHead {
  Method method = Method::kOther;
  std::string target;
  std::optional<uint64_t> content_length;
  std::optional<std::string> inference_header_length;
  Encoding encoding = Encoding::kIdentity;
  bool chunked = false;
  bool keep_alive = false;
  bool old_version = false;  // HTTP/1.0
  bool expect_continue = false;
};

// Bytes of the head that `text` starts with, its empty line included; 0 if it is not complete.
// `searched` bytes from the start are known to hold no end.
size_t head_size(std::string_view text, size_t searched = 0);

// Requires: head_size(block) == block.size().
std::expected<RequestHead, Refusal> parse_head(std::string_view block);

// Takes a body out of its chunks.
class ChunkReader final {
 public:
  // Requires: parse_head(head) says that it is chunked.
  static std::unique_ptr<ChunkReader> make(std::string_view head);
  ~ChunkReader();
  ChunkReader(const ChunkReader&) = delete;
  ChunkReader& operator=(const ChunkReader&) = delete;

  class Sink {
   public:
    virtual std::optional<Refusal> take(Bytes content) = 0;

   protected:
    ~Sink() = default;
  };
  // Reads what it can of `text` and says how many bytes that was. What is left, at most a chunk's
  // head or the trailer, is to be given again with more behind it.
  std::expected<size_t, Refusal> feed(Bytes text, Sink& sink);
  [[nodiscard]] bool done() const;

 private:
  struct Parser;
  explicit ChunkReader(std::unique_ptr<Parser> parser);
  std::unique_ptr<Parser> parser_;
};

}  // namespace casemate::gateway
