// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/http2_refusal.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <exception>
#include <utility>

namespace casemate::proxy {
namespace {

constexpr uint32_t kStreams = 32;
// What its fields may take of a frame: nothing of them is kept.
constexpr size_t kContinuations = 2;
constexpr size_t kAcks = 32;

nghttp2_nv pair(std::string_view name, std::string_view value) {
  return {const_cast<uint8_t*>(bytes_of(name).data()), const_cast<uint8_t*>(bytes_of(value).data()),
          name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view text(const uint8_t* data, size_t size) { return text_of(Bytes(data, size)); }

}  // namespace

std::string percent_message(std::string_view message) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : message) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out += c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    ((out += '%') += kDigits[byte >> 4]) += kDigits[byte & 15];
  }
  return out;
}

// What nghttp2 calls. No exception may pass through it.
struct RefusalCallbacks {
  static Http2Refusal& of(void* user) { return *static_cast<Http2Refusal*>(user); }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* user) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    try {
      Http2Refusal::Asked& asked = of(user).asked_[frame->hd.stream_id];
      const std::string_view what = text(name, name_size);
      if (what == "content-type")
        asked.grpc = text(value, value_size).starts_with("application/grpc");
      if (what == ":method") asked.head_only = text(value, value_size) == "HEAD";
      return 0;
    } catch (const std::exception&) {
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
  }
  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    try {
      return of(user).refuse(frame->hd.stream_id);
    } catch (const std::exception&) {
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
  }
  static int stream_closed(nghttp2_session*, int32_t stream, uint32_t, void* user) {
    of(user).asked_.erase(stream);
    return 0;
  }
  // The answer is out: whoever still sends hears that it may stop, and that this was the last.
  static int frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void*) {
    const bool ours = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!ours || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    const int32_t stream = frame->hd.stream_id;
    if (nghttp2_session_get_stream_remote_close(session, stream) == 0)
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR);
    nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR,
                          nullptr, 0);
    return 0;
  }
  static nghttp2_ssize read_data(nghttp2_session*, int32_t stream, uint8_t* into, size_t room,
                                 uint32_t* flags, nghttp2_data_source*, void* user) {
    const auto found = of(user).asked_.find(stream);
    if (found == of(user).asked_.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    Http2Refusal::Asked& asked = found->second;
    const std::string& document = of(user).document_;
    const size_t size = std::min(room, document.size() - asked.at);
    std::copy_n(document.begin() + static_cast<std::ptrdiff_t>(asked.at), size, into);
    asked.at += size;
    if (asked.at == document.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<nghttp2_ssize>(size);
  }
};

std::unique_ptr<Http2Refusal> Http2Refusal::make(std::string line, std::string document) {
  std::unique_ptr<Http2Refusal> made(new Http2Refusal(std::move(line), std::move(document)));
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) return nullptr;
  if (nghttp2_option_new(&option) != 0) {
    nghttp2_session_callbacks_del(callbacks);
    return nullptr;
  }
  nghttp2_option_set_max_continuations(option, kContinuations);
  nghttp2_option_set_max_outbound_ack(option, kAcks);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, RefusalCallbacks::header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, RefusalCallbacks::frame_received);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, RefusalCallbacks::frame_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                         RefusalCallbacks::stream_closed);
  const int failed = nghttp2_session_server_new2(&made->session_, callbacks, made.get(), option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry streams{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kStreams};
  if (failed != 0 || nghttp2_submit_settings(made->session_, NGHTTP2_FLAG_NONE, &streams, 1) != 0)
    return nullptr;
  return made;
}

Http2Refusal::~Http2Refusal() { nghttp2_session_del(session_); }

int Http2Refusal::refuse(int32_t stream) {
  const Asked& asked = asked_[stream];
  if (asked.grpc) {
    const std::string message = percent_message(line_);
    const std::array fields = {pair(":status", "200"), pair("content-type", "application/grpc"),
                               pair("grpc-status", "14"), pair("grpc-message", message)};
    return nghttp2_submit_response2(session_, stream, fields.data(), fields.size(), nullptr);
  }
  const std::string size = std::to_string(document_.size());
  const std::array fields = {pair(":status", "502"), pair("content-type", "application/json"),
                             pair("content-length", size)};
  const nghttp2_data_provider2 body{.source = {}, .read_callback = RefusalCallbacks::read_data};
  return nghttp2_submit_response2(session_, stream, fields.data(), fields.size(),
                                  asked.head_only ? nullptr : &body);
}

bool Http2Refusal::feed(Bytes bytes, std::vector<uint8_t>& out) {
  const bool sound = nghttp2_session_mem_recv2(session_, bytes.data(), bytes.size()) >= 0;
  for (;;) {
    const uint8_t* data = nullptr;
    const nghttp2_ssize size = nghttp2_session_mem_send2(session_, &data);
    if (size < 0) return false;
    if (size == 0) break;
    out.insert(out.end(), data, data + size);
  }
  return sound &&
         (nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0);
}

}  // namespace casemate::proxy
