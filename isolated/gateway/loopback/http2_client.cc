// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/loopback/http2_client.h"

#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace casemate::gateway {
namespace {

constexpr std::string_view kHello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kFrameHead = 9;
constexpr size_t kFrameMax = 16 << 10;

void append_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

uint32_t big_endian(std::string_view text) {
  uint32_t value = 0;
  for (const char c : text) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

// A length with a prefix of seven bits (RFC 7541, section 5.1).
void append_text(std::string& out, std::string_view text) {
  size_t size = text.size();
  if (size < 127) {
    out += static_cast<char>(size);
  } else {
    out += static_cast<char>(127);
    for (size -= 127; size >= 128; size >>= 7) out += static_cast<char>(size | 128);
    out += static_cast<char>(size);
  }
  out += text;
}

}  // namespace

std::string Http2Frame::bytes() const {
  std::string out;
  append_big_endian(out, payload.size(), 3);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  append_big_endian(out, stream, 4);
  return out + payload;
}

uint32_t Http2Frame::number() const {
  return payload.size() < 4 ? 0 : big_endian(std::string_view(payload).substr(0, 4));
}

std::string number_payload(uint32_t number) {
  std::string out;
  append_big_endian(out, number, 4);
  return out;
}

std::string header_block(const Http2Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += '\0';
    append_text(out, name);
    append_text(out, value);
  }
  return out;
}

int Http2Client::Answer::status() const {
  const auto found = fields.find(":status");
  return found == fields.end() ? 0 : std::atoi(found->second.c_str());
}

Http2Client::Http2Client(uint16_t port, uint32_t window)
    : tls_(port, TlsClient::Options{.alpn = "h2"}) {
  nghttp2_hd_inflate_new(&inflater_);
  std::string settings;
  append_big_endian(settings, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2);
  append_big_endian(settings, window, 4);
  send(std::string(kHello) + Http2Frame{Http2Frame::kSettings, 0, 0, settings}.bytes() +
       Http2Frame{Http2Frame::kWindow, 0, 0, number_payload(1 << 30)}.bytes());
}

Http2Client::~Http2Client() { nghttp2_hd_inflate_del(inflater_); }

uint32_t Http2Client::begin(std::string_view target, const Http2Fields& more) {
  const uint32_t stream = std::exchange(next_stream_, next_stream_ + 2);
  Http2Fields fields = {{":method", "POST"},
                        {":scheme", "https"},
                        {":authority", "localhost"},
                        {":path", std::string(target)}};
  fields.insert(fields.end(), more.begin(), more.end());
  send(Http2Frame{Http2Frame::kHeaders, Http2Frame::kEndHeaders, stream, header_block(fields)});
  return stream;
}

uint32_t Http2Client::request(std::string_view target, std::string_view body,
                              const Http2Fields& more) {
  const uint32_t stream = begin(target, more);
  do {
    while (!body.empty() && credit_for(stream) == 0)
      if (!read() || done_[stream]) return stream;
    const std::string_view piece = body.substr(0, std::min(credit_for(stream), kFrameMax));
    body.remove_prefix(piece.size());
    credit_ -= static_cast<int64_t>(piece.size());
    credits_[stream] -= static_cast<int64_t>(piece.size());
    const uint8_t flags = body.empty() ? Http2Frame::kEndStream : uint8_t{0};
    send(Http2Frame{Http2Frame::kData, flags, stream, std::string(piece)});
  } while (!body.empty());
  return stream;
}

uint32_t Http2Client::call(std::string_view target, std::string_view message,
                           const Http2Fields& more) {
  std::string body(1, '\0');
  append_big_endian(body, message.size(), 4);
  Http2Fields fields = {{"content-type", "application/grpc"}, {"te", "trailers"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return request(target, body + std::string(message), fields);
}

size_t Http2Client::credit_for(uint32_t stream) {
  return static_cast<size_t>(
      std::max<int64_t>(0, std::min(credit_, first_credit_ + credits_[stream])));
}

std::optional<Http2Frame> Http2Client::next() {
  for (;;) {
    auto frame = read();
    const bool dull =
        frame && (frame->type == Http2Frame::kSettings || frame->type == Http2Frame::kWindow ||
                  (frame->type == Http2Frame::kPing && frame->flags == Http2Frame::kAck));
    if (!dull) return frame;
  }
}

std::optional<Http2Frame> Http2Client::read() {
  for (;;) {
    const size_t size = input_.size() < kFrameHead
                            ? SIZE_MAX - kFrameHead
                            : big_endian(std::string_view(input_).substr(0, 3));
    if (input_.size() >= kFrameHead && input_.size() - kFrameHead >= size) {
      Http2Frame frame{static_cast<uint8_t>(input_[3]), static_cast<uint8_t>(input_[4]),
                       big_endian(std::string_view(input_).substr(5, 4)) & 0x7fffffff,
                       input_.substr(kFrameHead, size)};
      input_.erase(0, kFrameHead + size);
      note(frame);
      return frame;
    }
    char buffer[16 << 10];
    size_t got = 0;
    if (tls_.native() == nullptr || SSL_read_ex(tls_.native(), buffer, sizeof buffer, &got) != 1) {
      ERR_clear_error();
      return std::nullopt;
    }
    input_.append(buffer, got);
  }
}

void Http2Client::note_credit(const Http2Frame& frame) {
  if (frame.type == Http2Frame::kWindow)
    (frame.stream == 0 ? credit_ : credits_[frame.stream]) += frame.number();
  if (frame.type != Http2Frame::kSettings) return;
  for (std::string_view rest = frame.payload; rest.size() >= 6; rest.remove_prefix(6)) {
    if (big_endian(rest.substr(0, 2)) == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE)
      first_credit_ = big_endian(rest.substr(2, 4));
  }
}

void Http2Client::note(const Http2Frame& frame) {
  note_credit(frame);
  Answer& answer = answers_[frame.stream];
  if (frame.type == Http2Frame::kGoAway) goodbye_ = true;
  if (frame.type == Http2Frame::kSettings && frame.flags == 0)
    send(Http2Frame{Http2Frame::kSettings, Http2Frame::kAck, 0, ""});
  if (frame.type == Http2Frame::kData) answer.body += frame.payload;
  if (frame.type == Http2Frame::kReset) {
    answer.reset = frame.number();
    done_[frame.stream] = true;
  }
  if (frame.type == Http2Frame::kHeaders) {
    auto& into = answer.fields.empty() ? answer.fields : answer.trailer;
    Bytes block = bytes_of(std::string_view(frame.payload));
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
      nghttp2_nv field{};
      const auto used =
          nghttp2_hd_inflate_hd3(inflater_, &field, &flags, block.data(), block.size(), 1);
      if (used < 0) break;
      block = block.subspan(static_cast<size_t>(used));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
        into[std::string(text_of(Bytes(field.name, field.namelen)))] =
            text_of(Bytes(field.value, field.valuelen));
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }
  const bool carries = frame.type == Http2Frame::kData || frame.type == Http2Frame::kHeaders;
  if (carries && (frame.flags & Http2Frame::kEndStream) != 0) done_[frame.stream] = true;
}

std::optional<Http2Client::Answer> Http2Client::answer(uint32_t stream) {
  while (!done_[stream])
    if (!next()) return std::nullopt;
  return answers_[stream];
}

bool Http2Client::ended() {
  while (next()) {
  }
  return errno != EAGAIN;
}

}  // namespace casemate::gateway
