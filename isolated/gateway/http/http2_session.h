// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Session: the frames of one connection of HTTP/2 (RFC 9113), by nghttp2, which is seen by
// http2_session.cc alone. Bytes go in, events come out; answers go in, bytes come out.
//
//   Owns     the session with its header tables, and what frames wait to be sent.
//   Threads  one.
//   Trust    the bytes are a client's. nghttp2 checks frames, header fields and their order;
//            acknowledgements that wait, settings, continuations, resets and what a block of
//            fields unpacks to are bounded here.
//   Fails    feed() and pull() return false when the connection is over; the last pull() may still
//            have something to say.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "isolated/gateway/http/limits.h"

struct nghttp2_session;

namespace casemate::gateway {

struct HeaderField {
  std::string_view name;  // in lower case
  std::string_view value;
};

class Http2Session final {
 public:
  using StreamId = int32_t;

  // What a client does, from within feed(), and what becomes of answers, from within pull(). All of
  // them may call respond() and reset().
  class Events {
   public:
    virtual void begun(StreamId stream) = 0;
    // Of a request's head.
    virtual void field(StreamId stream, std::string_view name, std::string_view value) = 0;
    // A field of that many bytes has been unpacked, of a head or of a trailer: work, however few
    // bytes of a frame named it.
    virtual void unpacked(size_t bytes) = 0;
    // `last`: no content follows.
    virtual void head_ended(StreamId stream, bool last) = 0;
    virtual void content(StreamId stream, Bytes bytes) = 0;
    virtual void ended(StreamId stream) = 0;
    // Bytes of the answer that are still to be sent.
    virtual size_t left(StreamId stream) = 0;
    // The next of them. Requires: that many are left.
    virtual Bytes take(StreamId stream, size_t bytes) = 0;
    // What follows the last of them; nothing, in most cases.
    virtual std::span<const HeaderField> trailer(StreamId stream) = 0;
    // The answer's last byte has been given to pull()'s sink.
    virtual void answered(StreamId stream) = 0;
    // No more will come of it, for whatever reason.
    virtual void closed(StreamId stream) = 0;

   protected:
    ~Events() = default;
  };

  class Sink {
   public:
    virtual void send(Bytes bytes) = 0;
    // No more fits just now.
    [[nodiscard]] virtual bool full() const = 0;

   protected:
    ~Sink() = default;
  };

  // Reasons of a reset (RFC 9113, section 7).
  static constexpr uint32_t kNoError = 0;
  static constexpr uint32_t kInternalError = 2;
  static constexpr uint32_t kCancel = 8;
  // What RFC 9113, section 10.5.1, adds to each field's size.
  static constexpr size_t kFieldOverhead = 32;

  // nullptr without memory. `events` outlive the session.
  static std::unique_ptr<Http2Session> make(Events& events, const HttpLimits& limits);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  bool feed(Bytes bytes);
  // Gives everything that may be sent now to the sink, until that is full.
  bool pull(Sink& sink);

  // Requires: once for a stream that is not closed. `body`: left() and take() have more.
  void respond(StreamId stream, std::span<const HeaderField> head, bool body);
  void reset(StreamId stream, uint32_t reason);
  // No new streams; those that are open go on.
  void finish();
  // Everything has been said.
  [[nodiscard]] bool done() const;

 private:
  friend struct Http2Callbacks;
  Http2Session(Events& events, size_t block_max) : events_(events), block_max_(block_max) {}
  Events& events_;
  const size_t block_max_;
  size_t block_bytes_ = 0;  // unpacked of the block that is being read
  nghttp2_session* session_ = nullptr;
  Sink* sink_ = nullptr;  // of the pull() that runs
  bool failed_ = false;   // an event threw
};

}  // namespace casemate::gateway
