// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/http/tls.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "isolated/gateway/loopback/loopback.h"

namespace casemate::gateway {
namespace {

using State = TlsStream::State;

// A server's stream and a client's SSL at the two ends of a socket pair, hands shaken.
struct Pair {
  Pair() : context(*loopback_identity()) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    client_end = Fd(ends[1]);
    stream = TlsStream::accept(context, Fd(ends[0]), output);
    client_context = SSL_CTX_new(TLS_client_method());
    client = SSL_new(client_context);
    SSL_set_fd(client, client_end.number());
    SSL_set_connect_state(client);
    for (int i = 0; i < 10; ++i) {
      SSL_do_handshake(client);
      (void)stream->handshake();
    }
    ERR_clear_error();
  }
  ~Pair() {
    SSL_free(client);
    SSL_CTX_free(client_context);
  }
  TlsContext context;
  TlsOutput output;
  std::unique_ptr<TlsStream> stream;
  Fd client_end;
  SSL_CTX* client_context;
  SSL* client;
};

TEST(TlsStream, bytes_arrive_in_both_directions) {
  Pair pair;
  ASSERT_TRUE(SSL_is_init_finished(pair.client));
  EXPECT_EQ(SSL_write(pair.client, "hello", 5), 5);
  std::vector<uint8_t> buffer(100);
  const auto moved = pair.stream->read(buffer);
  EXPECT_EQ(moved.state, State::kDone);
  EXPECT_EQ(text_of(Bytes(buffer).first(moved.bytes)), "hello");
  EXPECT_FALSE(pair.stream->more());
  EXPECT_EQ(pair.stream->read(buffer).state, State::kWaitRead);
  EXPECT_EQ(pair.stream->write(bytes_of(std::string_view("world"))), State::kDone);
  EXPECT_EQ(pair.stream->flush(), State::kDone);
  EXPECT_TRUE(pair.output.bytes.empty());
  EXPECT_EQ(SSL_read(pair.client, buffer.data(), 100), 5);
}

TEST(TlsStream, a_record_that_is_not_the_callers_does_not_hide_what_follows_it) {
  Pair pair;
  std::vector<uint8_t> buffer(100);
  SSL_key_update(pair.client, SSL_KEY_UPDATE_NOT_REQUESTED);
  EXPECT_EQ(SSL_do_handshake(pair.client), 1);
  EXPECT_EQ(SSL_write(pair.client, "hello", 5), 5);
  const auto update = pair.stream->read(buffer);
  EXPECT_EQ(update.state, State::kDone);
  EXPECT_EQ(update.bytes, 0u);
  EXPECT_TRUE(pair.stream->more());
  const auto moved = pair.stream->read(buffer);
  EXPECT_EQ(text_of(Bytes(buffer).first(moved.bytes)), "hello");
  EXPECT_EQ(pair.stream->read(buffer).state, State::kWaitRead);
}

TEST(TlsStream, what_the_socket_does_not_take_waits_in_order) {
  Pair pair;
  std::string sent;
  while (true) {
    const std::string piece(60'000, static_cast<char>('a' + sent.size() / 60'000 % 26));
    ASSERT_EQ(pair.stream->write(bytes_of(std::string_view(piece))), State::kDone);
    sent += piece;
    if (pair.stream->flush() == State::kWaitWrite) break;
  }
  EXPECT_TRUE(pair.stream->unsent());
  std::string received;
  char buffer[16 << 10];
  while (received.size() < sent.size()) {
    const int got = SSL_read(pair.client, buffer, sizeof buffer);
    if (got > 0) received.append(buffer, static_cast<size_t>(got));
    ASSERT_NE(pair.stream->flush(), State::kFailed);
  }
  EXPECT_TRUE(received == sent);
  EXPECT_FALSE(pair.stream->unsent());
}

TEST(TlsStream, a_goodbye_is_told_from_a_disappearance) {
  std::vector<uint8_t> buffer(100);
  Pair polite;
  SSL_shutdown(polite.client);
  EXPECT_EQ(polite.stream->read(buffer).state, State::kClosed);
  Pair rude;
  rude.client_end.reset();
  EXPECT_EQ(rude.stream->read(buffer).state, State::kFailed);
  EXPECT_TRUE(rude.stream->end_of_input());
}

TEST(TlsStream, a_flood_of_key_updates_cannot_grow_our_memory) {
  Pair pair;
  // Each update asks for an answer, and none is ever read: once the answers pile up, the stream
  // reads no more. Without that bound this loop would not end.
  std::vector<uint8_t> buffer(16 << 10);
  State state = State::kWaitRead;
  int updates = 0;
  while (state != State::kWaitWrite) {
    ASSERT_LT(++updates, 100'000);
    SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(pair.client);
    ERR_clear_error();
    do {
      state = pair.stream->read(buffer).state;
    } while (state == State::kDone);
    ASSERT_NE(state, State::kFailed);
  }
}

}  // namespace
}  // namespace casemate::gateway
