// SPDX-License-Identifier: Apache-2.0
// Hostile HTTP framing, over real sockets with TLS.

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/format.h"
#include "isolated/gateway/loopback/echo_server.h"

namespace casemate::gateway {
namespace {

std::string chunked(std::string_view body) {
  return formatted("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{}", body);
}

std::string compress(std::string_view text, int window) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() / 2 + 1024, '\0');
  const Bytes in = bytes_of(text);
  stream.next_in = const_cast<uint8_t*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = static_cast<uint8_t*>(static_cast<void*>(out.data()));
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
std::string gzip(std::string_view text) { return compress(text, 31); }

// One request on a fresh connection: its answer's status, and whether the connection survived.
struct Outcome {
  int status = 0;
  bool survives = false;
  std::string body;
};
Outcome outcome_of(EchoServer& server, std::string_view request) {
  TlsClient client(server.port());
  Outcome outcome;
  const auto answer = client.exchange(request);
  if (!answer) return outcome;
  outcome.status = answer->status;
  outcome.body = answer->body;
  const auto again = client.exchange(post("/echo", "again"));
  outcome.survives = again && again->body == "again";
  return outcome;
}
void expect(EchoServer& server, std::string_view request, int status, bool survives) {
  const Outcome outcome = outcome_of(server, request);
  EXPECT_EQ(outcome.status, status) << request.substr(0, 200) << "\n" << outcome.body;
  EXPECT_EQ(outcome.survives, survives) << request.substr(0, 200);
}

TEST(Framing, a_body_comes_back) {
  EchoServer server;
  const Outcome outcome = outcome_of(server, post("/echo", "hello"));
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.body, "hello");
  EXPECT_TRUE(outcome.survives);
}

TEST(Framing, a_large_body_comes_back_whole) {
  EchoServer server;
  std::string body(20 << 20, 'a');
  for (size_t i = 0; i < body.size(); i += 4093) body[i] = static_cast<char>('b' + i % 20);
  TlsClient client(server.port());
  const auto answer = client.exchange(post("/echo", body));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->body == body);
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

TEST(Framing, a_post_without_a_length_has_no_body) {
  EchoServer server;
  expect(server, "POST /echo HTTP/1.1\r\nHost: h\r\n\r\n", 200, true);
}

TEST(Framing, a_post_without_a_length_ends_the_connection_when_it_is_refused) {
  EchoServer server;
  expect(server, "POST /needy HTTP/1.1\r\nHost: h\r\n\r\n", 411, false);
  expect(server, "POST /refused HTTP/1.1\r\nHost: h\r\n\r\n", 404, false);
  expect(server, "GET /refused HTTP/1.1\r\nHost: h\r\n\r\n", 404, true);
}

TEST(Framing, two_ways_to_say_the_length_are_refused) {
  EchoServer server;
  const auto with = [](std::string_view headers) {
    return formatted("POST /echo HTTP/1.1\r\nHost: h\r\n{}\r\n0\r\n\r\n", headers);
  };
  expect(server, with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, false);
  expect(server, with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, false);
  expect(server, with("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, false);
  expect(server, with("Content-Length: 5, 6\r\n"), 400, false);
  expect(server, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, false);
  expect(server, with("Transfer-Encoding: gzip\r\n"), 501, false);
  expect(server, with("Transfer-Encoding: gzip, chunked\r\n"), 501, false);
  expect(server, with("Transfer-Encoding: chunked, identity\r\n"), 501, false);
}

TEST(Framing, a_content_length_is_digits) {
  EchoServer server;
  for (const std::string_view length :
       {"-5", "+5", "0x5", "5 5", "", "5a", "18446744073709551616", "99999999999999999999999999"})
    expect(server,
           formatted("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\nhello", length),
           400, false);
  expect(server,
         "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\nhello", 413,
         false);
}

TEST(Framing, the_inference_header_has_one_length) {
  EchoServer server;
  const std::string_view once = "Inference-Header-Content-Length: 2\r\n";
  expect(server, post("/echo", "{}", once), 200, true);
  expect(server, post("/echo", "{}", std::string(once) + std::string(once)), 400, false);
}

TEST(Framing, bytes_behind_the_body_are_the_next_request) {
  EchoServer server;
  TlsClient client(server.port());
  const auto first =
      client.exchange("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhello\r\n\r\n");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->body, "he");
  const auto second = client.receive();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->status, 400);
  EXPECT_TRUE(client.closed());
}

TEST(Framing, a_body_shorter_than_announced_is_refused_when_the_client_stops) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello"));
  client.half_close();
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400);
}

TEST(Framing, thousands_of_tiny_chunks_are_fine) {
  EchoServer server;
  std::string body;
  for (int i = 0; i < 50'000; ++i) body += "1\r\nx\r\n";
  const Outcome outcome = outcome_of(server, chunked(body + "0\r\n\r\n"));
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.body, std::string(50'000, 'x'));
  EXPECT_TRUE(outcome.survives);
}

TEST(Framing, chunks_may_arrive_byte_by_byte) {
  EchoServer server;
  TlsClient client(server.port());
  for (const char c : chunked("5;ext=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"))
    ASSERT_TRUE(client.send({&c, 1}));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "hello0123456789");
  EXPECT_EQ(client.exchange(chunked("0\r\n\r\n"))->body, "");
}

TEST(Framing, broken_chunks_are_refused) {
  EchoServer server;
  for (const std::string_view body :
       {"x\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n",
        "FFFFFFFFFFFFFFFFFF\r\nhello", "\r\n\r\n\r\n\r\n", "5 \t;\r\nhello\r\n0\r\n\r\n"})
    expect(server, chunked(body), 400, false);
  expect(server, chunked("5;" + std::string(40'000, 'a')), 400, false);
  expect(server, chunked("0\r\nT: " + std::string(40'000, 'a')), 400, false);
}

TEST(Framing, a_chunked_body_is_bounded) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  EchoServer server(limits);
  expect(server, chunked(formatted("3E8\r\n{}\r\n0\r\n\r\n", std::string(1000, 'a'))), 200, true);
  expect(server, chunked(formatted("3E9\r\n{}\r\n0\r\n\r\n", std::string(1001, 'a'))), 413, false);
  expect(server, chunked("FFFFFFFFFFFFFFFF\r\n" + std::string(2000, 'a')), 413, false);
  expect(server, post("/echo", std::string(1001, 'a')), 413, true);
}

TEST(Framing, requests_may_be_pipelined_and_are_answered_in_order) {
  EchoServer server;
  TlsClient client(server.port());
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += post("/echo", std::to_string(i));
  ASSERT_TRUE(client.send(requests));
  for (int i = 0; i < 500; ++i) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << i;
    EXPECT_EQ(answer->body, std::to_string(i));
  }
}

TEST(Framing, requests_behind_one_that_waits_are_kept) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.send(get("/hold")));
  while (server.held_count == 0) std::this_thread::yield();
  ASSERT_TRUE(client.send(post("/echo", std::string(100'000, 'q'))));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  server.release();
  EXPECT_EQ(client.receive()->body, "held");
  EXPECT_EQ(client.receive()->body, std::string(100'000, 'q'));
}

TEST(Framing, heads_are_bounded) {
  EchoServer server;
  const auto with = [](size_t size) {
    return formatted("GET /echo HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", std::string(size, 'x'));
  };
  expect(server, with(15'000), 200, true);
  expect(server, with(64 << 10), 431, false);
  std::string many = "GET /echo HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 10'000; ++i) many += "A: b\r\n";
  expect(server, many + "\r\n", 431, false);
  expect(server, "GET /" + std::string(64 << 10, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 431, false);
}

TEST(Framing, a_head_that_trickles_in_many_pieces_stays_bounded) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.send("GET /echo HTTP/1.1\r\nHost: h\r\n"));
  std::optional<HttpAnswer> answer;
  for (int i = 0; i < 4'000 && client.send("A: bbbbbbb\r\n"); ++i) {
  }
  answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 431);
}

TEST(Framing, what_is_not_http_is_refused) {
  EchoServer server;
  for (const std::string_view text :
       {"hello\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", " GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost h\r\n\r\n", "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        "GET / HTTP/1.1\r\nBad\x01: h\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"})
    expect(server, text, 400, false);
  expect(server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, false);
  expect(server, "GET / HTTP/1.1\n\n\r\n\r\n", 505, false);
  expect(server, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 505, false);
  expect(server, "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505, false);
  expect(server, std::string_view("GET / HTTP/1.1\r\nHost: \0h\r\n\r\n", 28), 400, false);
}

TEST(Framing, an_empty_line_before_a_request_is_ignored) {
  EchoServer server;
  expect(server, "\r\n" + post("/echo", "x"), 200, true);
  expect(server, "\r\n\r\n\r\n" + post("/echo", "x"), 200, true);
}

TEST(Framing, more_than_a_few_empty_lines_are_refused) {
  EchoServer server;
  std::string lines;
  for (int i = 0; i < 8'000; ++i) lines += "\r\n";
  expect(server, lines + post("/echo", "x"), 400, false);
  // In any pieces.
  TlsClient client(server.port());
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(client.send("\r"));
    ASSERT_TRUE(client.send("\n"));
  }
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400);
  EXPECT_TRUE(client.closed());
}

TEST(Framing, other_methods_are_refused_and_told_which_there_are) {
  EchoServer server;
  TlsClient client(server.port());
  for (const std::string_view method : {"PUT", "DELETE", "BREW", "TRACE", "OPTIONS", "get"}) {
    const auto answer = client.exchange(
        formatted("{} /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", method));
    ASSERT_TRUE(answer) << method;
    EXPECT_EQ(answer->status, 405);
    EXPECT_EQ(answer->header("Allow"), "GET, POST");
  }
  ASSERT_TRUE(client.send("HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_EQ(client.receive(true)->status, 405);
  EXPECT_EQ(client.exchange(post("/echo", "still here"))->body, "still here");
}

TEST(Framing, old_clients_are_answered_and_closed_unless_they_ask) {
  EchoServer server;
  expect(server, "GET /echo HTTP/1.0\r\n\r\n", 200, false);
  expect(server, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, true);
  expect(server, "GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200, false);
}

TEST(Expectations, a_client_that_asks_may_go_on_after_100) {
  EchoServer server;
  TlsClient client(server.port());
  const auto first = client.exchange(
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 100);
  EXPECT_EQ(client.exchange("hello")->body, "hello");
}

TEST(Expectations, a_refusal_comes_instead_of_100) {
  EchoServer server;
  expect(server,
         "POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
         404, false);
  expect(server, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: cake\r\n\r\nhello",
         417, false);
}

TEST(Refusals, a_small_body_is_dropped_and_the_connection_survives) {
  EchoServer server;
  expect(server, post("/refused", std::string(100'000, 'x')), 404, true);
}

TEST(Refusals, a_large_body_ends_the_connection_but_not_before_the_answer) {
  EchoServer server;
  TlsClient client(server.port());
  // The client goes on sending while the answer comes; it must be able to read it afterwards.
  client.send(post("/refused", std::string(4 << 20, 'x')));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->header("Connection"), "close");
}

TEST(Compression, gzip_and_deflate_bodies_are_read) {
  EchoServer server;
  const std::string text(100'000, 'c');
  for (const auto& [name, body] :
       {std::pair<std::string, std::string>{"gzip", gzip(text)}, {"deflate", compress(text, 15)}}) {
    TlsClient client(server.port());
    const auto answer =
        client.exchange(post("/echo", body, formatted("Content-Encoding: {}\r\n", name)));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, text);
  }
}

TEST(Compression, bombs_stop_at_the_limit) {
  HttpLimits limits;
  limits.body_bytes = 1 << 20;
  EchoServer server(limits);
  const std::string zeros(64 << 20, '\0');
  const std::string bomb = gzip(zeros);
  EXPECT_LT(bomb.size(), 100'000u);
  expect(server, post("/echo", bomb, "Content-Encoding: gzip\r\n"), 413, false);
  expect(server, post("/echo", compress(zeros, 15), "Content-Encoding: deflate\r\n"), 413, false);
  expect(server,
         formatted("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                   bomb.size(), bomb),
         413, false);
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

TEST(Compression, what_is_not_one_whole_stream_is_refused) {
  EchoServer server;
  const std::string good = gzip("hello");
  const auto with = [](std::string_view body, std::string_view encoding = "gzip") {
    return post("/echo", body, formatted("Content-Encoding: {}\r\n", encoding));
  };
  expect(server, with(good.substr(0, good.size() - 4)), 400, true);
  expect(server, with(good + "x"), 400, false);
  expect(server, with(good + good), 400, false);
  expect(server, with("hello"), 400, false);
  expect(server, with(compress("hello", -15), "deflate"), 400, false);
  expect(server, with(gzip(good), "gzip, gzip"), 415, false);
  expect(server, with(good, "gzip\r\nContent-Encoding: gzip"), 415, false);
  expect(server, with(good, "br"), 415, false);
  expect(server, with("hello", "identity"), 200, true);
  std::string bent = good;
  bent[bent.size() - 6] = static_cast<char>(bent[bent.size() - 6] ^ 1);
  expect(server, with(bent), 400, false);
}

}  // namespace
}  // namespace casemate::gateway
