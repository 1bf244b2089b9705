// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/inflate.h"

#include <zlib.h>

#include <utility>

#include "base/format.h"

namespace casemate::gateway {
namespace {

Refusal refuse(std::string text) { return {.status = 400, .text = std::move(text)}; }

}  // namespace

Inflater::Inflater(std::unique_ptr<z_stream> stream) : stream_(std::move(stream)) {}

std::unique_ptr<Inflater> Inflater::make(Encoding encoding) {
  auto stream = std::make_unique<z_stream>();
  // 15 bits of window; 16 more select gzip framing.
  const int window = encoding == Encoding::kGzip ? 15 + 16 : 15;
  if (inflateInit2(stream.get(), window) != Z_OK) return nullptr;
  return std::unique_ptr<Inflater>(new Inflater(std::move(stream)));
}

Inflater::~Inflater() { inflateEnd(stream_.get()); }

std::optional<Refusal> Inflater::feed(Bytes compressed, Body& body) {
  stream_->next_in = const_cast<uint8_t*>(compressed.data());
  stream_->avail_in = static_cast<uInt>(compressed.size());
  while (stream_->avail_in > 0) {
    if (ended_) return refuse("bytes follow the end of the compressed body");
    const MutableBytes room = body.space();
    if (room.empty()) {
      if (body.full())
        return Refusal{
            .status = 413,
            .text = formatted("the body is larger than {} bytes when decompressed", body.limit())};
      return Refusal{.status = 503,
                     .text = "the server holds as many bodies as it can; try again",
                     .retry_after_s = 1};
    }
    stream_->next_out = room.data();
    stream_->avail_out = static_cast<uInt>(std::min<size_t>(room.size(), 1 << 30));
    const uInt before = stream_->avail_out;
    const int done = inflate(stream_.get(), Z_NO_FLUSH);
    body.commit(before - stream_->avail_out);
    if (done == Z_STREAM_END) {
      ended_ = true;
    } else if (done != Z_OK && done != Z_BUF_ERROR) {
      return refuse(
          "the body is not in the encoding that Content-Encoding names; deflate means "
          "zlib framing (RFC 1950)");
    }
  }
  return std::nullopt;
}

std::optional<Refusal> Inflater::finish() const {
  if (ended_) return std::nullopt;
  return refuse("the compressed body ends in the middle of its stream");
}

}  // namespace casemate::gateway
