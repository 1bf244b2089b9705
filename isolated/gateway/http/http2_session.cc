// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <exception>
#include <vector>

namespace casemate::gateway {
namespace {

// Acknowledgements of pings and settings that wait to be sent: a client that reads gets each at
// once.
constexpr size_t kAcksMax = 64;
constexpr size_t kSettingsMax = 32;
// A head of HttpLimits::head_bytes takes two frames of 16 KiB at most.
constexpr size_t kContinuationsMax = 4;
// Streams that a client begins and resets: a burst of them, and so many a second from then on.
constexpr uint64_t kResetsMax = 200;
constexpr uint64_t kResetsPerSecond = 50;

// A block of fields that unpacks to so many times HttpLimits::head_bytes ends its connection. A
// head beyond once that is refused in words; nobody of good will sends this.
constexpr size_t kBlockHeads = 4;

constexpr size_t kFrameHead = 9;

std::string_view text(const uint8_t* data, size_t size) { return text_of(Bytes(data, size)); }

std::vector<nghttp2_nv> pairs_of(std::span<const HeaderField> fields) {
  std::vector<nghttp2_nv> pairs;
  pairs.reserve(fields.size());
  for (const HeaderField& field : fields) {
    // nghttp2 copies both.
    pairs.push_back({const_cast<uint8_t*>(bytes_of(field.name).data()),
                     const_cast<uint8_t*>(bytes_of(field.value).data()), field.name.size(),
                     field.value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return pairs;
}

struct OptionFree {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};

std::unique_ptr<nghttp2_option, OptionFree> options() {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) return nullptr;
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, kAcksMax);
  nghttp2_option_set_max_settings(option, kSettingsMax);
  nghttp2_option_set_max_continuations(option, kContinuationsMax);
  nghttp2_option_set_stream_reset_rate_limit(option, kResetsMax, kResetsPerSecond);
  return std::unique_ptr<nghttp2_option, OptionFree>(option);
}

}  // namespace

// What nghttp2 calls. No exception may pass through it.
struct Http2Callbacks {
  template <class Action>
  static int guarded(void* user, Action action) {
    auto& session = *static_cast<Http2Session*>(user);
    try {
      action(session.events_);
      return 0;
    } catch (const std::exception&) {
      session.failed_ = true;
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    static_cast<Http2Session*>(user)->block_bytes_ = 0;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    return guarded(user, [&](auto& events) { events.begun(frame->hd.stream_id); });
  }
  static int header(nghttp2_session* native, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* user) {
    auto& session = *static_cast<Http2Session*>(user);
    session.block_bytes_ += name_size + value_size + Http2Session::kFieldOverhead;
    if (session.block_bytes_ > session.block_max_) {
      nghttp2_session_terminate_session(native, NGHTTP2_ENHANCE_YOUR_CALM);
      return NGHTTP2_ERR_CALLBACK_FAILURE;  // nothing more of the block is unpacked
    }
    return guarded(user, [&](auto& events) {
      events.unpacked(name_size + value_size);
      // A trailer says nothing to us.
      if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        events.field(frame->hd.stream_id, text(name, name_size), text(value, value_size));
    });
  }
  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool headers = frame->hd.type == NGHTTP2_HEADERS;
    if (!headers && frame->hd.type != NGHTTP2_DATA) return 0;
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    return guarded(user, [&](auto& events) {
      if (headers && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        events.head_ended(frame->hd.stream_id, last);
      if (last) events.ended(frame->hd.stream_id);
    });
  }
  static int data_received(nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data,
                           size_t size, void* user) {
    return guarded(user, [&](auto& events) { events.content(stream, Bytes(data, size)); });
  }
  static int stream_closed(nghttp2_session*, int32_t stream, uint32_t, void* user) {
    return guarded(user, [&](auto& events) { events.closed(stream); });
  }
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
      return 0;
    return guarded(user, [&](auto& events) { events.answered(frame->hd.stream_id); });
  }

  // How many bytes the next frame is to carry; send_data() then sends them from where they lie.
  static nghttp2_ssize read_data(nghttp2_session* native, int32_t stream, uint8_t*, size_t room,
                                 uint32_t* flags, nghttp2_data_source*, void* user) {
    size_t size = 0;
    const int failed = guarded(user, [&](auto& events) {
      const size_t left = events.left(stream);
      size = std::min(left, room);
      *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
      if (size != left) return;
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      const auto trailer = events.trailer(stream);
      if (trailer.empty()) return;
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const auto pairs = pairs_of(trailer);
      if (nghttp2_submit_trailer(native, stream, pairs.data(), pairs.size()) != 0)
        throw std::bad_alloc();
    });
    return failed != 0 ? failed : static_cast<nghttp2_ssize>(size);
  }
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size,
                       nghttp2_data_source*, void* user) {
    auto& session = *static_cast<Http2Session*>(user);
    const int failed = guarded(user, [&](auto& events) {
      session.sink_->send(Bytes(head, kFrameHead));
      session.sink_->send(events.take(frame->hd.stream_id, size));
    });
    if (failed != 0) return failed;
    // Left to itself nghttp2 goes on with the next frame of data, as far as the client's window
    // allows: more than a sink takes in one go.
    return session.sink_->full() ? NGHTTP2_ERR_PAUSE : 0;
  }

  // One table for the process, made on first use and never freed.
  static const nghttp2_session_callbacks* table() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* t = nullptr;
      if (nghttp2_session_callbacks_new(&t) != 0) return t;
      nghttp2_session_callbacks_set_on_begin_headers_callback(t, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(t, header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(t, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(t, data_received);
      nghttp2_session_callbacks_set_on_stream_close_callback(t, stream_closed);
      nghttp2_session_callbacks_set_on_frame_send_callback(t, frame_sent);
      nghttp2_session_callbacks_set_send_data_callback(t, send_data);
      return t;
    }();
    return made;
  }
};

std::unique_ptr<Http2Session> Http2Session::make(Events& events, const HttpLimits& limits) {
  std::unique_ptr<Http2Session> session(new Http2Session(events, kBlockHeads * limits.head_bytes));
  const auto option = options();
  const auto* table = Http2Callbacks::table();
  if (option == nullptr || table == nullptr ||
      nghttp2_session_server_new2(&session->session_, table, session.get(), option.get()) != 0)
    return nullptr;
  const std::array settings = std::to_array<nghttp2_settings_entry>({
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.head_bytes)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},  // no tree that a client could tangle
  });
  const auto window = static_cast<int32_t>(limits.window_bytes);
  if (nghttp2_submit_settings(session->session_, NGHTTP2_FLAG_NONE, settings.data(),
                              settings.size()) != 0 ||
      nghttp2_session_set_local_window_size(session->session_, NGHTTP2_FLAG_NONE, 0, window) != 0)
    return nullptr;
  return session;
}

Http2Session::~Http2Session() { nghttp2_session_del(session_); }

bool Http2Session::feed(Bytes bytes) {
  if (failed_) return false;
  return nghttp2_session_mem_recv2(session_, bytes.data(), bytes.size()) >= 0 && !failed_;
}

bool Http2Session::pull(Sink& sink) {
  sink_ = &sink;
  while (!failed_ && !sink.full()) {
    const uint8_t* data = nullptr;
    const nghttp2_ssize size = nghttp2_session_mem_send2(session_, &data);
    if (size < 0) failed_ = true;
    if (size <= 0) break;
    sink.send(Bytes(data, static_cast<size_t>(size)));
  }
  sink_ = nullptr;
  return !failed_;
}

void Http2Session::respond(StreamId stream, std::span<const HeaderField> head, bool body) {
  const auto pairs = pairs_of(head);
  const nghttp2_data_provider2 provider{.source = {}, .read_callback = Http2Callbacks::read_data};
  if (nghttp2_submit_response2(session_, stream, pairs.data(), pairs.size(),
                               body ? &provider : nullptr) != 0)
    failed_ = true;
}

void Http2Session::reset(StreamId stream, uint32_t reason) {
  if (nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, reason) != 0) failed_ = true;
}

void Http2Session::finish() {
  if (nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR) != 0) failed_ = true;
}

bool Http2Session::done() const {
  return failed_ ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

}  // namespace casemate::gateway
