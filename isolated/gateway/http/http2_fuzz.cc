// SPDX-License-Identifier: Apache-2.0
// Any bytes behind a client's hello, in pieces of any size, to the frames' reader, whose every
// request is answered as soon as it is whole: what comes out must stay within what was asked for.
//
//   input: size of the pieces | bytes

#include <algorithm>
#include <map>
#include <string>

#include "base/check.h"
#include "isolated/gateway/http/http2_session.h"

namespace {

using namespace casemate;
using namespace casemate::gateway;

constexpr std::string_view kHello =
    std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
constexpr std::string_view kAnswer = "an answer";
constexpr HeaderField kHead[] = {{":status", "200"}};
constexpr HeaderField kTrailer[] = {{"grpc-status", "0"}};

class Peer final : Http2Session::Events, Http2Session::Sink {
 public:
  void talk(Bytes bytes, size_t step) {
    const HttpLimits limits{.streams = 8};
    block_max_ = 4 * limits.head_bytes;
    session_ = Http2Session::make(*this, limits);
    CHECK(session_ != nullptr, "there is memory");
    bool on = session_->feed(bytes_of(kHello)) && session_->pull(*this);
    while (on && !bytes.empty()) {
      const Bytes piece = bytes.first(std::min(step, bytes.size()));
      bytes = bytes.subspan(piece.size());
      on = session_->feed(piece) && session_->pull(*this) && !session_->done();
      CHECK(open_.size() <= limits.streams, "no more streams are open than allowed");
    }
  }

 private:
  using StreamId = Http2Session::StreamId;
  void begun(StreamId stream) override {
    CHECK(!open_.contains(stream), "a stream begins once");
    open_[stream] = 0;
  }
  void unpacked(size_t bytes) override {
    CHECK(bytes <= block_max_, "no field is larger than a block may be");
  }
  void field(StreamId stream, std::string_view, std::string_view) override {
    CHECK(open_.contains(stream), "fields are an open stream's");
  }
  void head_ended(StreamId, bool) override {}
  void content(StreamId stream, Bytes) override {
    CHECK(open_.contains(stream), "content is an open stream's");
  }
  void ended(StreamId stream) override {
    CHECK(open_.contains(stream), "an open stream ends");
    session_->respond(stream, kHead, true);
  }
  size_t left(StreamId stream) override { return kAnswer.size() - open_.at(stream); }
  Bytes take(StreamId stream, size_t bytes) override {
    size_t& at = open_.at(stream);
    const Bytes piece = bytes_of(kAnswer.substr(at, bytes));
    CHECK(piece.size() == bytes, "no more is taken than is left");
    at += bytes;
    return piece;
  }
  std::span<const HeaderField> trailer(StreamId) override { return kTrailer; }
  void answered(StreamId) override {}
  void closed(StreamId stream) override { open_.erase(stream); }
  void send(Bytes) override {}
  [[nodiscard]] bool full() const override { return false; }

  std::unique_ptr<Http2Session> session_;
  std::map<StreamId, size_t> open_;
  size_t block_max_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Peer().talk(Bytes(data + 1, size - 1), 1 + data[0] % 64);
  return 0;
}
