// SPDX-License-Identifier: Apache-2.0
#pragma once
// Inflater: a compressed body (gzip, or deflate in zlib framing; RFC 1952, RFC 1950), decompressed
// as it arrives.
//
//   Owns     zlib's state, 40 KiB while a body arrives.
//   Threads  one.
//   Trust    the stream is a client's: what comes out is bounded by the Body, what follows the
//            stream is refused.
//   Fails    with the refusal's HTTP status and text.

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "isolated/gateway/http/body.h"
#include "isolated/gateway/http/message.h"

struct z_stream_s;

namespace casemate::gateway {

enum class Encoding : uint8_t { kIdentity, kGzip, kDeflate };

class Inflater final {
 public:
  // nullptr without memory. Requires: encoding is not kIdentity.
  static std::unique_ptr<Inflater> make(Encoding encoding);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  std::optional<Refusal> feed(Bytes compressed, Body& body);
  // The compressed body is complete.
  [[nodiscard]] std::optional<Refusal> finish() const;

 private:
  explicit Inflater(std::unique_ptr<z_stream_s> stream);
  std::unique_ptr<z_stream_s> stream_;
  bool ended_ = false;
};

}  // namespace casemate::gateway
