// SPDX-License-Identifier: Apache-2.0
// Clients that are slow, idle, many, rude or gone.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <thread>

#include "isolated/gateway/loopback/echo_server.h"

namespace casemate::gateway {
namespace {

using std::chrono::milliseconds;

// Waits for `condition`, for at most five seconds.
template <class Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

TEST(Slow, a_handshake_that_stalls_is_ended) {
  HttpLimits limits;
  limits.handshake = milliseconds(50);
  EchoServer server(limits);
  const Fd silent = connect_to(server.port());
  EXPECT_TRUE(soon([&] { return server.counters().timed_out == 1; }));
  char byte = 0;
  EXPECT_EQ(::recv(silent.number(), &byte, 1, 0), 0) << "the server closed";
}

TEST(Slow, a_head_that_stalls_is_answered_408) {
  HttpLimits limits;
  limits.head = milliseconds(50);
  EchoServer server(limits);
  TlsClient client(server.port());
  ASSERT_TRUE(client.send("GET /echo HTTP/1.1\r\nHost:"));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408);
  EXPECT_TRUE(client.closed());
}

TEST(Slow, a_head_that_drips_is_ended_all_the_same) {
  HttpLimits limits;
  limits.head = milliseconds(100);
  EchoServer server(limits);
  TlsClient client(server.port());
  const std::string head = get("/echo");
  size_t sent = 0;
  for (; sent < head.size() && server.counters().timed_out == 0; ++sent) {
    client.send({&head[sent], 1});
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_LT(sent, head.size());
}

TEST(Slow, a_body_below_the_minimum_rate_is_answered_408) {
  HttpLimits limits;
  limits.rate_window = milliseconds(100);
  limits.rate_bytes = 1000;
  EchoServer server(limits);
  TlsClient client(server.port());
  ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"));
  for (int i = 0; i < 50 && server.counters().timed_out == 0; ++i) {
    client.send("x");
    std::this_thread::sleep_for(milliseconds(10));
  }
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408);
}

TEST(Slow, a_body_above_the_minimum_rate_is_fine) {
  HttpLimits limits;
  limits.rate_window = milliseconds(100);
  limits.rate_bytes = 100;
  EchoServer server(limits);
  TlsClient client(server.port());
  ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6000\r\n\r\n"));
  for (int i = 0; i < 30; ++i) {
    client.send(std::string(200, 'x'));
    std::this_thread::sleep_for(milliseconds(15));
  }
  EXPECT_EQ(client.receive()->status, 200);
}

TEST(Slow, no_body_may_take_for_ever) {
  HttpLimits limits;
  limits.rate_window = milliseconds(50);
  limits.rate_bytes = 1;
  limits.body = milliseconds(200);
  EchoServer server(limits);
  TlsClient client(server.port());
  ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"));
  for (int i = 0; i < 100 && server.counters().timed_out == 0; ++i) {
    client.send("xxxx");
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(server.counters().timed_out, 1u) << "while bytes still arrived";
  EXPECT_EQ(client.receive()->status, 408);
}

TEST(Slow, a_reader_that_stops_reading_is_ended_and_its_memory_comes_back) {
  HttpLimits limits;
  limits.rate_window = milliseconds(100);
  EchoServer server(limits, 32 << 20);
  TlsClient client(server.port());
  ASSERT_TRUE(client.send(get("/big")));
  EXPECT_TRUE(soon([&] { return server.counters().timed_out == 1; }));
  EXPECT_TRUE(soon([&] { return server.counters().connections == 0; }));
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

TEST(Slow, what_is_encrypted_and_not_fetched_counts_against_the_memory) {
  // Each answer is encrypted in one go, so none of it is kept as plain text.
  constexpr size_t kAnswer = 80'000;
  constexpr int kAnswers = 400;  // more than two sockets hold
  std::string requests;
  for (int i = 0; i < kAnswers; ++i) requests += get("/big");
  EchoServer server({}, kAnswer);
  TlsClient client(server.port());
  ASSERT_TRUE(client.send(requests));
  EXPECT_TRUE(soon([&] { return server.counters().buffered_bytes > 0; }));
  EXPECT_LE(server.counters().buffered_bytes, 96u << 10);
  for (int i = 0; i < kAnswers; ++i) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << i;
    EXPECT_EQ(answer->body.size(), kAnswer);
  }
  EXPECT_TRUE(soon([&] { return server.counters().buffered_bytes == 0; }));

  HttpLimits limits;
  limits.buffered_bytes = 1000;
  EchoServer full(limits, kAnswer);
  TlsClient lazy(full.port());
  ASSERT_TRUE(lazy.send(requests));
  EXPECT_TRUE(soon([&] { return full.counters().connections == 0; }))
      << "there is no memory for it";
}

TEST(Slow, a_reader_that_is_only_slow_gets_everything) {
  EchoServer server({}, 8 << 20);
  TlsClient client(server.port());
  ASSERT_TRUE(client.send(get("/big")));
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_GT(server.counters().buffered_bytes, 0u) << "what the socket did not take is counted";
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, std::string(8 << 20, 'z'));
  EXPECT_EQ(client.exchange(post("/echo", "next"))->body, "next");
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

TEST(Slow, an_answer_of_many_pieces_reaches_a_reader_that_is_only_slow) {
  EchoServer server({}, 8 << 20);
  TlsClient client(server.port());
  ASSERT_TRUE(client.send(get("/pieces")));
  std::this_thread::sleep_for(milliseconds(100));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, std::string(8 << 20, 'z'));
}

TEST(Idle, connections_are_closed_politely_after_a_while) {
  HttpLimits limits;
  limits.idle = milliseconds(50);
  EchoServer server(limits);
  TlsClient client(server.port());
  EXPECT_EQ(client.exchange(post("/echo", "x"))->status, 200);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(SSL_get_shutdown(client.native()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

TEST(Idle, a_request_renews_the_patience) {
  HttpLimits limits;
  limits.idle = milliseconds(300);
  EchoServer server(limits);
  TlsClient client(server.port());
  for (int i = 0; i < 6; ++i) {
    const auto answer = client.exchange(post("/echo", "x"));
    ASSERT_TRUE(answer) << i;
    std::this_thread::sleep_for(milliseconds(100));
  }
}

TEST(Idle, empty_lines_in_pieces_do_not_renew_the_patience) {
  HttpLimits limits;
  limits.idle = milliseconds(300);
  limits.head = milliseconds(300);
  EchoServer server(limits);
  TlsClient client(server.port());
  // Fewer than are refused for their number, but over more time than there is.
  for (const char c : std::string_view("\r\n\r\n\r\n")) {
    if (server.counters().timed_out != 0) break;
    client.send({&c, 1});
    std::this_thread::sleep_for(milliseconds(120));
  }
  EXPECT_EQ(server.counters().timed_out, 1u);
  EXPECT_TRUE(client.closed());
}

TEST(Gone, a_client_that_half_closes_still_gets_its_answer) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.send(get("/hold")));
  while (server.held_count == 0) std::this_thread::yield();
  client.half_close();
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(server.cancelled_count, 0);
  server.release();
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "held");
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(soon([&] { return server.counters().connections == 0; }));
}

TEST(Gone, a_client_that_vanishes_cancels_its_request) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.send(get("/hold")));
  while (server.held_count == 0) std::this_thread::yield();
  client.vanish();
  EXPECT_TRUE(soon([&] { return server.cancelled_count == 1; }));
  server.release();
  EXPECT_EQ(server.counters().connections, 0u);
}

TEST(Gone, a_client_that_sends_on_and_vanishes_cancels_its_request) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.send(get("/hold")));
  while (server.held_count == 0) std::this_thread::yield();
  ASSERT_TRUE(client.send(post("/echo", "more")));
  client.vanish();
  EXPECT_TRUE(soon([&] { return server.cancelled_count == 1; }));
}

TEST(Gone, resets_at_any_moment_leave_nothing_behind) {
  EchoServer server({}, 4 << 20);
  const std::string requests[] = {"",
                                  "GET /ec",
                                  get("/hold"),
                                  get("/big"),
                                  "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\nx",
                                  get("/hold") + get("/big") + get("/echo")};
  for (const std::string& request : requests) {
    TlsClient client(server.port());
    client.send(request);
    std::this_thread::sleep_for(milliseconds(5));
    client.reset();
  }
  const Fd raw = connect_to(server.port());
  EXPECT_EQ(::send(raw.number(), "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
  EXPECT_TRUE(soon([&] { return server.counters().connections <= 1; }));
  server.release();
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

TEST(Many, beyond_the_limit_the_longest_idle_makes_room) {
  HttpLimits limits;
  limits.connections = 3;
  EchoServer server(limits);
  std::vector<TlsClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server.port());
    ASSERT_TRUE(clients.back().exchange(post("/echo", "x")));
  }
  TlsClient newcomer(server.port());
  EXPECT_EQ(newcomer.exchange(post("/echo", "me"))->body, "me");
  EXPECT_TRUE(clients[0].closed());
  EXPECT_EQ(clients[1].exchange(post("/echo", "x"))->status, 200);
}

TEST(Many, when_everybody_is_busy_the_newcomer_is_turned_away) {
  HttpLimits limits;
  limits.connections = 2;
  EchoServer server(limits);
  std::vector<TlsClient> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(server.port());
    ASSERT_TRUE(clients.back().send(get("/hold")));
  }
  while (server.held_count < 2) std::this_thread::yield();
  TlsClient newcomer(server.port());
  EXPECT_FALSE(newcomer.connected());
  EXPECT_EQ(server.counters().turned_away, 1u);
  server.release();
  EXPECT_EQ(clients[0].receive()->body, "held");
}

TEST(Many, bodies_are_bounded_together) {
  HttpLimits limits;
  limits.buffered_bytes = 200'000;
  EchoServer server(limits);
  TlsClient first(server.port());
  ASSERT_TRUE(first.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 150000\r\n\r\n" +
                         std::string(140'000, 'a')));
  EXPECT_TRUE(soon([&] { return server.counters().buffered_bytes >= 140'000; }));
  TlsClient second(server.port());
  const auto refused = second.exchange(post("/echo", std::string(60'000, 'b')));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->header("Retry-After"), "1");
  EXPECT_EQ(first.exchange(std::string(10'000, 'a'))->body.size(), 150'000u);
  EXPECT_EQ(second.exchange(post("/echo", std::string(60'000, 'b')))->status, 200);
}

TEST(Many, large_bodies_that_never_end_leave_room_for_small_requests) {
  HttpLimits limits;
  limits.buffered_bytes = 1 << 20;
  EchoServer server(limits);
  TlsClient hoarder(server.port());
  ASSERT_TRUE(hoarder.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n" +
                           std::string(899'999, 'a')));
  EXPECT_TRUE(soon([&] { return server.counters().buffered_bytes >= 899'999; }));
  TlsClient client(server.port());
  EXPECT_EQ(client.exchange(post("/echo", std::string(100'000, 'b')))->status, 503) << "large";
  EXPECT_EQ(client.exchange(post("/echo", std::string(60'000, 'b')))->status, 200) << "small";
  EXPECT_EQ(hoarder.exchange("a")->body.size(), 900'000u);
}

TEST(Many, announcing_a_large_body_costs_nothing_yet) {
  EchoServer server;
  std::vector<TlsClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(server.port());
    ASSERT_TRUE(clients.back().send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 200000000\r\n\r\nx"));
  }
  EXPECT_TRUE(soon([&] { return server.counters().requests == 20; }));
  EXPECT_LE(server.counters().buffered_bytes, 20u * (64 << 10));
}

TEST(Many, running_out_of_descriptors_neither_spins_nor_stops_the_server) {
  EchoServer server;
  TlsClient before(server.port());
  ASSERT_TRUE(before.send(get("/hold")));
  while (server.held_count == 0) std::this_thread::yield();
  std::vector<Fd> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(connect_to(server.port()));
  EXPECT_TRUE(soon([&] { return server.counters().accepted == 21; }));
  // From here no descriptor can be made: the next client stays in the queue of the socket.
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  const Fd probe(::dup(0));
  Fd socket(::socket(AF_INET, SOCK_STREAM, 0));
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(socket.number()) + 1;
  ::setrlimit(RLIMIT_NOFILE, &low);
  socket.reset();
  Fd late = connect_to(server.port());
  timespec cpu_before{};
  timespec cpu_after{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_before);
  std::this_thread::sleep_for(milliseconds(300));
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_after);
  const double busy = static_cast<double>(cpu_after.tv_sec - cpu_before.tv_sec) +
                      static_cast<double>(cpu_after.tv_nsec - cpu_before.tv_nsec) * 1e-9;
  EXPECT_LT(busy, 0.1);
  EXPECT_EQ(server.counters().accepted, 21u);
  ::setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_TRUE(soon([&] { return server.counters().accepted == 22; }));
  server.release();
  EXPECT_EQ(before.receive()->body, "held");
}

TEST(Many, what_is_sent_behind_a_waiting_request_stays_with_its_sender) {
  EchoServer server;
  TlsClient client(server.port(), {.patience = milliseconds(500)});
  ASSERT_TRUE(client.send(get("/hold")));
  while (server.held_count == 0) std::this_thread::yield();
  // Sockets take a few megabytes; the rest must wait with the client.
  EXPECT_FALSE(client.send(std::string(64 << 20, 'q')));
}

TEST(Fairness, a_small_request_is_not_kept_waiting_by_a_large_body) {
  EchoServer server;
  std::atomic<bool> stop = false;
  std::thread heavy([&] {
    const std::string body(32 << 20, 'h');
    TlsClient client(server.port());
    while (!stop && client.exchange(post("/echo", body))) {
    }
  });
  std::this_thread::sleep_for(milliseconds(50));
  TlsClient client(server.port());
  std::vector<double> times;
  for (int i = 0; i < 200; ++i) {
    const auto began = std::chrono::steady_clock::now();
    ASSERT_TRUE(client.exchange(post("/echo", "x")));
    times.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  stop = true;
  heavy.join();
  std::ranges::sort(times);
  EXPECT_LT(times[times.size() / 2], 0.05) << "the median client waits a turn, not a body";
}

TEST(Fairness, an_answer_whose_turn_ends_midway_leaves_nothing_in_the_way_of_others) {
  EchoServer server({.turn_bytes = 1}, 16 << 20);
  std::atomic<bool> whole = true;
  std::thread heavy([&] {
    // A small buffer, so that the server has to go on sending again and again.
    TlsClient client(server.port(), {.receive_buffer = 64 << 10});
    for (int i = 0; i < 3; ++i) {
      const auto answer = client.exchange(get("/big"));
      whole = whole && answer && answer->body.size() == 16u << 20;
    }
  });
  TlsClient client(server.port());
  bool served = true;
  for (int i = 0; i < 2000 && served; ++i) {
    const auto answer = client.exchange(post("/echo", "x"));
    served = answer && answer->body == "x";
  }
  heavy.join();
  EXPECT_TRUE(whole) << "what is the heavy client's reaches it and nobody else";
  EXPECT_TRUE(served);
}

// TLS.

TEST(Tls, is_1_3_and_nothing_else) {
  EchoServer server;
  EXPECT_FALSE(TlsClient(server.port(), {.version_max = TLS1_2_VERSION}).connected());
  TlsClient client(server.port());
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(SSL_version(client.native()), TLS1_3_VERSION);
  EXPECT_TRUE(soon([&] { return server.counters().handshakes_failed == 1; }));
}

TEST(Tls, agrees_on_hybrid_keys_and_on_no_others_unless_it_may) {
  EchoServer server;
  EchoServer lenient({}, 0, KeyExchange::kHybridOrClassical);
  for (EchoServer* each : {&server, &lenient}) {
    TlsClient client(each->port());
    ASSERT_TRUE(client.connected());
    EXPECT_STREQ(SSL_get0_group_name(client.native()), "X25519MLKEM768")
        << "what a stock client offers by itself will do";
    TlsClient reluctant(each->port(), {.groups = "X25519:X25519MLKEM768"});
    ASSERT_TRUE(reluctant.connected());
    EXPECT_STREQ(SSL_get0_group_name(reluctant.native()), "X25519MLKEM768")
        << "whatever the client likes better";
  }
  for (const std::string group : {"X25519", "P-256", "P-384"}) {
    EXPECT_FALSE(TlsClient(server.port(), {.groups = group}).connected()) << group;
    EXPECT_TRUE(TlsClient(lenient.port(), {.groups = group}).connected()) << group;
  }
  EXPECT_FALSE(TlsClient(lenient.port(), {.groups = "P-521"}).connected());
}

TEST(Tls, speaks_two_versions_of_http_and_nothing_else) {
  EchoServer server;
  EXPECT_TRUE(TlsClient(server.port(), {.alpn = "http/1.1"}).connected());
  EXPECT_TRUE(TlsClient(server.port(), {.alpn = "h2"}).connected());
  EXPECT_FALSE(TlsClient(server.port(), {.alpn = "h3"}).connected());
}

TEST(Tls, gives_no_session_to_resume) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.exchange(post("/echo", "x")));
  EXPECT_EQ(SSL_SESSION_is_resumable(SSL_get_session(client.native())), 0);
}

TEST(Tls, a_client_without_tls_is_told_so) {
  EchoServer server;
  const Fd plain = connect_to(server.port());
  const std::string request = get("/v2");
  ASSERT_GT(::send(plain.number(), request.data(), request.size(), MSG_NOSIGNAL), 0);
  std::string received;
  char buffer[1024];
  ssize_t got = 0;
  while ((got = ::recv(plain.number(), buffer, sizeof buffer, 0)) > 0)
    received.append(buffer, static_cast<size_t>(got));
  EXPECT_TRUE(received.starts_with("HTTP/1.1 400")) << received;
  EXPECT_NE(received.find("https://"), std::string::npos);
}

TEST(Tls, garbage_and_flipped_bits_end_only_their_connection) {
  EchoServer server;
  TlsClient witness(server.port());
  for (int seed = 0; seed < 50; ++seed) {
    const Fd raw = connect_to(server.port());
    std::string garbage(300, '\0');
    uint32_t state = static_cast<uint32_t>(seed) * 2654435761u + 1;
    for (char& c : garbage) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    if (seed % 2 == 0) garbage.replace(0, 5, std::string("\x16\x03\x01\x01\x27", 5));
    ::send(raw.number(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
  }
  TlsClient broken(server.port());
  ::send(broken.socket(), "\x17\x03\x03\x00\x10qqqqqqqqqqqqqqqq", 21, MSG_NOSIGNAL);
  EXPECT_TRUE(broken.closed());
  EXPECT_EQ(witness.exchange(post("/echo", "fine"))->body, "fine");
}

TEST(Tls, a_request_right_behind_a_key_update_is_answered) {
  EchoServer server;
  TlsClient client(server.port());
  for (int i = 0; i < 20; ++i) {
    // Both leave in one packet.
    const int on = 1;
    const int off = 0;
    ::setsockopt(client.socket(), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    ASSERT_EQ(SSL_key_update(client.native(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(client.native()), 1);
    ASSERT_TRUE(client.send(post("/echo", "x")));
    ::setsockopt(client.socket(), IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << i;
    EXPECT_EQ(answer->body, "x");
  }
}

TEST(Tls, a_new_certificate_serves_new_connections_only) {
  EchoServer server;
  TlsClient old(server.port());
  server.run([&] { server.server().present(*loopback_identity()); });
  TlsClient fresh(server.port());
  const auto key_of = [](const TlsClient& client) {
    X509* certificate = SSL_get1_peer_certificate(client.native());
    std::string key(64, '\0');
    unsigned size = 0;
    X509_pubkey_digest(certificate, EVP_sha256(),
                       static_cast<unsigned char*>(static_cast<void*>(key.data())), &size);
    X509_free(certificate);
    return key;
  };
  EXPECT_NE(key_of(old), key_of(fresh));
  EXPECT_EQ(old.exchange(post("/echo", "x"))->body, "x");
}

}  // namespace
}  // namespace casemate::gateway
