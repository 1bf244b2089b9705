// SPDX-License-Identifier: Apache-2.0
// HTTP/2 as clients speak it, well and badly. The server is the one of HTTP/1.1, and so is most of
// what its tests say; these are about streams.

#include <gtest/gtest.h>

#include "isolated/gateway/http/http2_fields.h"
#include "isolated/gateway/http/http2_session.h"
#include "isolated/gateway/loopback/echo_server.h"
#include "isolated/gateway/loopback/http2_client.h"

namespace casemate::gateway {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kProtocolError = 1;
constexpr uint32_t kRefusedStream = 7;
constexpr uint32_t kCancel = 8;

// The server still serves others.
void expect_alive(EchoServer& server) {
  Http2Client client(server.port());
  const auto answer = client.answer(client.request("/echo", "alive"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "alive");
}

TEST(Http2, a_request_gets_its_answer) {
  EchoServer server;
  Http2Client client(server.port());
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.answer(client.request("/echo", "hello"));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status(), 200);
    EXPECT_EQ(answer->body, "hello");
    EXPECT_EQ(answer->fields.at("content-length"), "5");
    EXPECT_EQ(answer->fields.at("content-type"), "text/plain");
    EXPECT_TRUE(answer->trailer.empty());
  }
}

TEST(Http2, an_answer_does_not_wait_for_an_earlier_stream) {
  EchoServer server;
  Http2Client client(server.port());
  const uint32_t held = client.request("/hold", "");
  EXPECT_EQ(client.answer(client.request("/echo", "first"))->body, "first");
  server.release();
  EXPECT_EQ(client.answer(held)->body, "held");
}

TEST(Http2, a_large_body_and_a_large_answer_are_whole) {
  EchoServer server({}, 3 << 20);
  Http2Client client(server.port(), 8 << 20);
  const std::string body(5 << 20, 'b');
  EXPECT_EQ(client.answer(client.request("/echo", body))->body, body);
  EXPECT_EQ(client.answer(client.request("/big", ""))->body, std::string(3 << 20, 'z'));
  EXPECT_EQ(client.answer(client.request("/pieces", ""))->body, std::string(3 << 20, 'z'));
}

TEST(Http2, an_answer_waits_for_the_clients_window) {
  EchoServer server({}, 100'000);
  Http2Client client(server.port(), 1000);
  const uint32_t stream = client.request("/big", "");
  std::string body;
  while (body.size() < 1000) {
    const auto frame = client.next();
    ASSERT_TRUE(frame);
    if (frame->type == Http2Frame::kData) body += frame->payload;
  }
  EXPECT_EQ(body.size(), 1000u);
  EXPECT_EQ(client.answer(client.request("/echo", "meanwhile"))->body, "meanwhile");
  client.send({Http2Frame::kWindow, 0, stream, number_payload(1 << 20)});
  EXPECT_EQ(client.answer(stream)->body.size(), 100'000u);
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

TEST(Http2, a_window_that_stays_closed_ends_its_stream_alone) {
  EchoServer server({.rate_window = milliseconds(100)}, 100'000);
  Http2Client client(server.port(), 1000);
  const auto stalled = client.answer(client.request("/big", ""));
  ASSERT_TRUE(stalled);
  EXPECT_EQ(stalled->reset, kCancel);
  EXPECT_EQ(client.answer(client.request("/echo", "still"))->body, "still");
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

TEST(Http2, a_call_of_grpc_gets_a_trailer_or_a_status) {
  EchoServer server;
  Http2Client client(server.port());
  const auto answer = client.answer(client.call("/echo", "message"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("content-type"), "application/grpc");
  EXPECT_EQ(answer->trailer.at("grpc-status"), "0");
  EXPECT_EQ(answer->body, std::string("\0\0\0\0\7message", 12));
  const auto refused = client.answer(client.call("/refused", "message"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status(), 200);
  EXPECT_EQ(refused->fields.at("grpc-status"), "12");
  EXPECT_EQ(refused->fields.at("grpc-message"), "not here");
}

TEST(Http2, what_is_refused_early_ends_its_stream_alone) {
  EchoServer server({.body_bytes = 1000});
  Http2Client client(server.port());
  const uint32_t refused = client.begin("/refused");
  EXPECT_EQ(client.answer(refused)->status(), 404);
  const uint32_t announced = client.begin("/echo", {{"content-length", "1001"}});
  EXPECT_EQ(client.answer(announced)->status(), 413);
  const uint32_t large = client.request("/echo", std::string(1001, 'x'));
  EXPECT_EQ(client.answer(large)->status(), 413);
  const uint32_t message = client.begin("/echo", {{"content-type", "application/grpc"}});
  client.send({Http2Frame::kData, 0, message, std::string("\0\0\1\0\0", 5)});
  EXPECT_EQ(client.answer(message)->fields.at("grpc-status"), "8");
  EXPECT_EQ(client.answer(client.request("/echo", "still"))->body, "still");
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

TEST(Http2, a_body_of_another_length_than_announced_is_none) {
  EchoServer server;
  Http2Client client(server.port());
  const auto answer = client.answer(client.request("/echo", "four", {{"content-length", "5"}}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reset, kProtocolError);
  EXPECT_EQ(client.answer(client.request("/echo", "still"))->body, "still");
}

TEST(Http2, a_head_that_is_too_long_is_refused) {
  EchoServer server;
  Http2Client client(server.port());
  // Each field counts for 32 bytes more (RFC 9113, section 10.5.1), and the whole fits a frame.
  const std::string cookie(HttpLimits{}.head_bytes - 100, 'c');
  const auto answer = client.answer(client.request("/echo", "", {{"cookie", cookie}}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status(), 431);
  EXPECT_EQ(client.answer(client.request("/echo", "still"))->body, "still");
}

// A request's fields, of which one goes into the table (RFC 7541, section 6.2.1); each byte of
// kReference names that from then on.
std::string block_with_table() {
  return header_block({{":method", "POST"},
                       {":scheme", "https"},
                       {":authority", "localhost"},
                       {":path", "/echo"}}) +
         header_block({{"x", std::string(3000, 'v')}}).replace(0, 1, "\x40");
}
constexpr char kReference = '\xbe';

TEST(Http2, fields_that_a_table_makes_of_one_byte_are_bounded) {
  EchoServer server;
  Http2Client client(server.port());
  constexpr uint8_t kWhole = Http2Frame::kEndHeaders | Http2Frame::kEndStream;
  client.send({Http2Frame::kHeaders, kWhole, 1, block_with_table() + std::string(10, kReference)});
  const auto answer = client.answer(1);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status(), 431);
  client.send({Http2Frame::kHeaders, kWhole, 3, std::string(10'000, kReference)});
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(client.said_goodbye());
  expect_alive(server);
}

TEST(Http2, fields_of_a_trailer_are_bounded_as_well) {
  EchoServer server;
  Http2Client client(server.port());
  client.send({Http2Frame::kHeaders, Http2Frame::kEndHeaders, 1, block_with_table()});
  client.send({Http2Frame::kHeaders, Http2Frame::kEndHeaders | Http2Frame::kEndStream, 1,
               std::string(10'000, kReference)});
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(client.said_goodbye());
  expect_alive(server);
}

// Adds up what fields unpack to.
struct Unpacking final : Http2Session::Events {
  using StreamId = Http2Session::StreamId;
  void begun(StreamId) override {}
  void field(StreamId, std::string_view, std::string_view) override { ++head_fields; }
  void unpacked(size_t size) override { bytes += size; }
  void head_ended(StreamId, bool) override { head_bytes = bytes; }
  void content(StreamId, Bytes) override {}
  void ended(StreamId) override {}
  size_t left(StreamId) override { return 0; }
  Bytes take(StreamId, size_t) override { return {}; }
  std::span<const HeaderField> trailer(StreamId) override { return {}; }
  void answered(StreamId) override {}
  void closed(StreamId) override {}
  int head_fields = 0;
  size_t bytes = 0;
  size_t head_bytes = 0;
};

TEST(Http2, fields_count_with_what_they_unpack_to_those_of_a_trailer_too) {
  Unpacking events;
  const auto session = Http2Session::make(events, HttpLimits{});
  ASSERT_NE(session, nullptr);
  const std::string bytes =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Http2Frame{Http2Frame::kSettings, 0, 0, ""}.bytes() +
      Http2Frame{Http2Frame::kHeaders, Http2Frame::kEndHeaders, 1, block_with_table()}.bytes() +
      Http2Frame{Http2Frame::kHeaders, Http2Frame::kEndHeaders | Http2Frame::kEndStream, 1,
                 std::string(5, kReference)}
          .bytes();
  EXPECT_TRUE(session->feed(bytes_of(std::string_view(bytes))));
  EXPECT_EQ(events.head_fields, 5);
  EXPECT_GE(events.head_bytes, 3001u);
  EXPECT_EQ(events.bytes - events.head_bytes, 5 * 3001u);
}

TEST(Http2, a_flood_of_continuations_ends_the_connection) {
  EchoServer server;
  Http2Client client(server.port());
  client.send({Http2Frame::kHeaders, 0, 1, header_block({{":method", "POST"}})});
  for (int i = 0; i < 100; ++i)
    client.send({Http2Frame::kContinuation, 0, 1, header_block({{"x", "y"}})});
  EXPECT_TRUE(client.ended());
  expect_alive(server);
}

TEST(Http2, streams_that_are_begun_and_reset_end_the_connection) {
  EchoServer server;
  Http2Client client(server.port());
  std::string flood;
  for (uint32_t stream = 1; stream < 4000; stream += 2) {
    flood +=
        Http2Frame{Http2Frame::kHeaders, Http2Frame::kEndHeaders | Http2Frame::kEndStream, stream,
                   header_block({{":method", "POST"},
                                 {":scheme", "https"},
                                 {":authority", "localhost"},
                                 {":path", "/hold"}})}
            .bytes();
    flood += Http2Frame{Http2Frame::kReset, 0, stream, number_payload(kCancel)}.bytes();
  }
  client.send(flood);
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(client.said_goodbye());
  expect_alive(server);
  EXPECT_EQ(server.cancelled_count, server.held_count);
  EXPECT_LT(server.held_count, 1000);
}

TEST(Http2, a_client_that_asks_and_does_not_listen_is_not_listened_to) {
  EchoServer server({.rate_window = milliseconds(200)});
  Http2Client client(server.port());
  std::string flood;
  for (int i = 0; i < 10'000; ++i)
    flood += Http2Frame{Http2Frame::kPing, 0, 0, "12345678"}.bytes() +
             Http2Frame{Http2Frame::kSettings, 0, 0, ""}.bytes();
  for (int i = 0; i < 100; ++i)
    if (!client.send(flood)) break;
  expect_alive(server);
  EXPECT_LT(server.counters().buffered_bytes, 1u << 20);
  EXPECT_TRUE(client.ended());
}

TEST(Http2, more_streams_than_allowed_are_refused) {
  EchoServer server({.streams = 4});
  Http2Client client(server.port());
  std::vector<uint32_t> held;
  for (int i = 0; i < 4; ++i) held.push_back(client.request("/hold", ""));
  while (server.held_count < 4) std::this_thread::yield();
  // By now the client has acknowledged the limit, or should have: it is in force either way.
  const auto answer = client.answer(client.request("/echo", ""));
  EXPECT_TRUE(!answer || answer->reset == kRefusedStream);
  if (answer) {
    server.release();
    for (const uint32_t stream : held) EXPECT_EQ(client.answer(stream)->body, "held");
  }
  expect_alive(server);
}

TEST(Http2, slow_heads_and_slow_bodies_end) {
  EchoServer server({.head = milliseconds(100), .rate_window = milliseconds(100)});
  Http2Client body(server.port());
  EXPECT_EQ(body.answer(body.begin("/echo"))->status(), 408);
  EXPECT_EQ(body.answer(body.request("/echo", "still"))->body, "still");
  Http2Client head(server.port());
  head.send({Http2Frame::kHeaders, 0, 1, header_block({{":method", "POST"}})});
  EXPECT_TRUE(head.ended());
}

TEST(Http2, an_idle_connection_is_closed_politely) {
  EchoServer server({.idle = milliseconds(100)});
  Http2Client client(server.port());
  EXPECT_EQ(client.answer(client.request("/echo", "x"))->body, "x");
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(client.said_goodbye());
}

TEST(Http2, pings_do_not_keep_an_idle_connection) {
  EchoServer server({.idle = milliseconds(200)});
  Http2Client client(server.port());
  for (int i = 0; i < 1000; ++i) {
    if (!client.send({Http2Frame::kPing, 0, 0, "12345678"})) break;
    std::this_thread::sleep_for(milliseconds(10));
    if (server.counters().connections == 0) break;
  }
  EXPECT_EQ(server.counters().connections, 0u);
}

TEST(Http2, a_client_that_goes_cancels_all_that_it_asked) {
  EchoServer server;
  {
    Http2Client client(server.port());
    for (int i = 0; i < 3; ++i) client.request("/hold", "");
    while (server.held_count < 3) std::this_thread::yield();
    client.tls().reset();
  }
  while (server.cancelled_count < 3) std::this_thread::yield();
  server.release();
  expect_alive(server);
}

TEST(Http2, what_is_no_http_2_ends_the_connection) {
  EchoServer server;
  for (const std::string_view text :
       {std::string_view("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        std::string_view("PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n"),
        std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24)}) {
    TlsClient client(server.port(), TlsClient::Options{.alpn = "h2"});
    client.send(text);
    char byte = 0;
    while (client.connected() && ::recv(client.socket(), &byte, 1, 0) > 0) {
    }
  }
  Http2Client client(server.port());
  client.send({Http2Frame::kData, 0, 7, "for a stream that is not open"});
  EXPECT_TRUE(client.ended());
  expect_alive(server);
}

TEST(GrpcFields, timeouts_and_messages_are_as_grpc_writes_them) {
  EXPECT_EQ(grpc_timeout("100m"), std::optional(milliseconds(100)));
  EXPECT_EQ(grpc_timeout("99999999H"), std::optional(std::chrono::hours(24)));
  for (const std::string_view wrong : {"", "5", "m", "-5m", "123456789S", "5x"})
    EXPECT_FALSE(grpc_timeout(wrong)) << wrong;
  EXPECT_EQ(grpc_message("100 %\n"), "100 %25%0A");
  EXPECT_TRUE(grpc_content("application/grpc+proto"));
  EXPECT_FALSE(grpc_content("application/grpc-web"));
}

}  // namespace
}  // namespace casemate::gateway
