// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/request_head.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <utility>

#include "base/format.h"
#include "base/log.h"

namespace casemate::gateway {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using beast::iequals;

constexpr std::string_view kLengthHeader = "Inference-Header-Content-Length";

Refusal refuse(uint16_t status, std::string text) {
  return {.status = status, .text = std::move(text)};
}

Refusal explain(const beast::error_code& error) {
  if (error == http::error::multiple_content_length)
    return refuse(400, "two Content-Length headers differ");
  if (error == http::error::bad_content_length)
    return refuse(400, "Content-Length is no number, or stands beside Transfer-Encoding");
  if (error == http::error::bad_transfer_encoding)
    return refuse(400, "Transfer-Encoding stands beside Content-Length, or appears twice");
  if (error == http::error::bad_version)
    return refuse(505, "the request line does not end in HTTP/1.1 or HTTP/1.0");
  if (error == http::error::bad_chunk || error == http::error::bad_chunk_extension)
    return refuse(400, "a chunk of the body is not as RFC 9112 says");
  return refuse(400, formatted("the request is not HTTP/1.1: {}", error.message()));
}

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::post:
      return Method::kPost;
    case http::verb::head:
      return Method::kHead;
    default:
      return Method::kOther;
  }
}

// Beast's parser with callbacks for what we keep.
class HeadParser : public http::basic_parser<true> {
 public:
  RequestHead head;
  std::optional<Refusal> refusal;
  ChunkReader::Sink* sink = nullptr;

  HeadParser() {
    // Both bounds are ours: the server stops at HttpLimits::head_bytes, the Body at its limit.
    header_limit(UINT32_MAX);
    body_limit(boost::none);
    eager(true);
  }

 private:
  using Text = beast::string_view;
  using Failure = beast::error_code;

  void on_request_impl(http::verb method, Text, Text target, int version, Failure&) override {
    head.method = method_of(method);
    head.target.assign(target.data(), target.size());
    head.old_version = version < 11;
  }
  void on_response_impl(int, Text, int, Failure&) override {}
  void on_field_impl(http::field field, Text name, Text value, Failure&) override {
    if (is_header_done() || refusal) return;  // trailers say nothing to us
    switch (field) {
      case http::field::host:
        if (std::exchange(host_, true)) refusal = refuse(400, "the Host header appears twice");
        return;
      case http::field::transfer_encoding:
        take_transfer(value);
        return;
      case http::field::content_encoding:
        take_encoding(value);
        return;
      case http::field::expect:
        take_expect(value);
        return;
      default:
        break;
    }
    if (iequals(name, beast::string_view(kLengthHeader.data(), kLengthHeader.size()))) {
      if (head.inference_header_length)
        refusal = refuse(400, formatted("{} appears twice", kLengthHeader));
      head.inference_header_length.emplace(value.data(), value.size());
    }
  }
  void on_header_impl(Failure&) override {
    if (!host_ && !head.old_version && !refusal)
      refusal = refuse(400, "the Host header is missing");
    head.keep_alive = keep_alive();
    head.chunked = chunked();
    if (const auto length = content_length(); !head.chunked && length)
      head.content_length = *length;
  }
  void on_body_init_impl(const boost::optional<uint64_t>&, Failure&) override {}
  size_t on_body_impl(Text, Failure&) override { return 0; }
  void on_chunk_header_impl(uint64_t, Text, Failure&) override {}
  size_t on_chunk_body_impl(uint64_t, Text text, Failure& failure) override {
    refusal = sink->take(bytes_of(std::string_view(text.data(), text.size())));
    if (refusal) failure = http::error::body_limit;
    return text.size();
  }
  void on_finish_impl(Failure&) override {}

  void take_transfer(Text value) {
    if (!iequals(value, "chunked")) refusal = refuse(501, "the only Transfer-Encoding is chunked");
  }
  void take_encoding(Text value) {
    if (iequals(value, "identity") || value.empty()) return;
    const bool again = head.encoding != Encoding::kIdentity;
    if (iequals(value, "gzip")) {
      head.encoding = Encoding::kGzip;
    } else if (iequals(value, "deflate")) {
      head.encoding = Encoding::kDeflate;
    }
    if (again || head.encoding == Encoding::kIdentity)
      refusal = refuse(415, "Content-Encoding is gzip, deflate or none, once");
  }
  void take_expect(Text value) {
    head.expect_continue = iequals(value, "100-continue");
    if (!head.expect_continue) refusal = refuse(417, "the only expectation is 100-continue");
  }

  bool host_ = false;
};

boost::asio::const_buffer buffer_of(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

size_t head_size(std::string_view text, size_t searched) {
  const size_t from = searched < 3 ? 0 : searched - 3;
  const size_t end = text.find("\r\n\r\n", from);
  return end == text.npos ? 0 : end + 4;
}

std::expected<RequestHead, Refusal> parse_head(std::string_view block) {
  HeadParser parser;
  beast::error_code error;
  // The seam: Beast allocates nothing here, but its string types may throw.
  try {
    parser.put(buffer_of(block), error);
  } catch (const std::exception&) {
    return std::unexpected(refuse(400, "the request head cannot be read"));
  }
  if (error && error != http::error::need_more) return std::unexpected(explain(error));
  if (!parser.is_header_done()) return std::unexpected(refuse(400, "the request head is broken"));
  if (parser.refusal) return std::unexpected(*std::move(parser.refusal));
  return std::move(parser.head);
}

struct ChunkReader::Parser : HeadParser {};

ChunkReader::ChunkReader(std::unique_ptr<Parser> parser) : parser_(std::move(parser)) {}
ChunkReader::~ChunkReader() = default;

std::unique_ptr<ChunkReader> ChunkReader::make(std::string_view head) {
  auto parser = std::make_unique<Parser>();
  beast::error_code error;
  parser->put(buffer_of(head), error);
  return std::unique_ptr<ChunkReader>(new ChunkReader(std::move(parser)));
}

std::expected<size_t, Refusal> ChunkReader::feed(Bytes text, Sink& sink) {
  // The shortest rest of a chunked body is "0\r\n\r\n"; Beast asserts that it sees that much.
  constexpr size_t kShortest = 5;
  if (text.size() < kShortest) return 0;
  parser_->sink = &sink;
  beast::error_code error;
  size_t used = 0;
  try {
    used = parser_->put(buffer_of(text_of(text)), error);
  } catch (const std::exception&) {
    return std::unexpected(refuse(400, "the chunked body cannot be read"));
  }
  if (parser_->refusal) return std::unexpected(*std::move(parser_->refusal));
  if (error && error != http::error::need_more) return std::unexpected(explain(error));
  return used;
}

bool ChunkReader::done() const { return parser_->is_done(); }

}  // namespace casemate::gateway
