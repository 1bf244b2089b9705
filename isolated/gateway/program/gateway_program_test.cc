// SPDX-License-Identifier: Apache-2.0
// The gateway's program with a monitor that the test plays, and a clock that it moves.

#include "isolated/gateway/program/gateway_program.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <thread>

#include "isolated/gateway/loopback/loopback.h"

namespace casemate::gateway {
namespace {

using control::Message;
using control::Type;
using std::chrono::hours;
using std::chrono::minutes;

class MovedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return system_clock().now() + passed_.load(); }
  [[nodiscard]] int64_t unix_seconds() const override {
    return 1'800'000'000 + std::chrono::duration_cast<std::chrono::seconds>(passed_.load()).count();
  }
  void pass(Duration duration) { passed_ = passed_.load() + duration; }

 private:
  std::atomic<Duration> passed_ = Duration(0);
};

// A gateway on a thread of its own; the test is its monitor and its clients.
class Gateway final {
 public:
  Gateway() : Gateway(*control::Socket::pair()) {}
  ~Gateway() {
    (void)monitor_.send(control::make(Type::kStop));
    thread_.join();
  }

  // What the gateway wants signed; nothing when it wants nothing. Before it serves, it wants its
  // first evidence and hears nothing else.
  std::optional<Message> question(bool serving = true) {
    std::optional<Message> question;
    if (serving) (void)monitor_.send(control::make(Type::kPing));
    // Timers come behind the events of a round, and so questions behind the answer to a ping.
    for (bool answered = !serving; !answered || !question;) {
      const auto received = monitor_.receive(answered && serving ? 200 : 10'000);
      if (!received) break;
      answered = answered || received->type() == Type::kPong;
      if (received->type() == Type::kAttest) question = received->message;
    }
    return question;
  }
  bool answers_a_ping() {
    (void)monitor_.send(control::make(Type::kPing));
    const auto received = monitor_.receive(10'000);
    return received && received->type() == Type::kPong;
  }
  void answer(const Message& question, std::string_view quote, Code code = Code::kOk,
              const EnclaveToken& token = {}) {
    Message message = control::make(Type::kAttested);
    message.ticket = question.ticket;
    message.code = static_cast<uint32_t>(code);
    message.token = token;
    message.token.nonce = question.nonce;
    const auto evidence = control::attach_evidence(message, bytes_of(quote), {});
    const std::array<int, 1> fds = {evidence->number()};
    EXPECT_TRUE(monitor_.send(message, fds));
  }
  // What the certificate of a new connection holds.
  std::string certificate() {
    const TlsClient client(port_);
    X509* certificate = SSL_get1_peer_certificate(client.native());
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    X509_free(certificate);
    if (size <= 0) return "";
    std::string text(text_of(Bytes(der, static_cast<size_t>(size))));
    OPENSSL_free(der);
    return text;
  }
  [[nodiscard]] uint16_t port() const { return port_; }
  MovedClock clock;

 private:
  explicit Gateway(std::array<Fd, 2> ends) : monitor_(std::move(ends[0])) {
    auto listener = listen_on_loopback();
    port_ = listener->port;
    thread_ = std::thread([this, socket = std::make_shared<Fd>(std::move(listener->socket)),
                           end = std::make_shared<Fd>(std::move(ends[1]))] {
      GatewayProgram program("", clock);
      const Status served =
          program.serve(std::move(*socket), control::Socket(std::move(*end)), Message{});
      EXPECT_TRUE(served) << served.error().text;
    });
  }
  control::Socket monitor_;
  uint16_t port_ = 0;
  std::thread thread_;
};

TEST(GatewayProgram, serves_a_quote_as_large_as_any_root_s) {
  const std::string quote = "begin" + std::string(kQuoteBytes - 8, 'q') + "end";
  Gateway gateway;
  gateway.answer(gateway.question(false).value(), quote);
  EXPECT_NE(gateway.certificate().find(quote), std::string::npos);
  TlsClient client(gateway.port());
  EXPECT_NE(client.exchange(get("/v2/casemate/evidence"))->body.find(quote), std::string::npos);
}

TEST(GatewayProgram, listens_while_its_first_evidence_takes_time) {
  Gateway gateway;
  const auto first = gateway.question(false);
  ASSERT_TRUE(first);
  EXPECT_TRUE(gateway.answers_a_ping());
  gateway.answer(*first, "", Code::kUnavailable);
  const auto again = gateway.question(false);
  ASSERT_TRUE(again) << "and asks again at once, since nobody is served before";
  EXPECT_TRUE(gateway.answers_a_ping());
  gateway.answer(*again, "late quote");
  EXPECT_NE(gateway.certificate().find("late quote"), std::string::npos);
}

TEST(GatewayProgram, renews_its_evidence_every_day_for_new_clients_and_for_nonces) {
  Gateway gateway;
  const auto first = gateway.question(false);
  ASSERT_TRUE(first);
  gateway.answer(*first, "quote of Monday");
  EXPECT_NE(gateway.certificate().find("quote of Monday"), std::string::npos);
  gateway.clock.pass(hours(23));
  EXPECT_FALSE(gateway.question()) << "it is young enough";
  gateway.clock.pass(hours(2));
  const auto second = gateway.question();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->key_sha256, first->key_sha256) << "the key stays";
  EXPECT_EQ(second->key_sha384, first->key_sha384);
  gateway.answer(*second, "quote of Tuesday");
  EXPECT_FALSE(gateway.question());
  EXPECT_NE(gateway.certificate().find("quote of Tuesday"), std::string::npos);

  TlsClient client(gateway.port());
  EXPECT_NE(client.exchange(get("/v2/casemate/evidence"))->body.find("quote of Tuesday"),
            std::string::npos);
  ASSERT_TRUE(client.send(get("/v2/casemate/evidence?nonce=" + std::string(64, 'a'))));
  std::optional<Message> third;
  for (int i = 0; i < 20 && !third; ++i) third = gateway.question();
  ASSERT_TRUE(third);
  EXPECT_EQ(third->key_sha256, Sha256Digest{}) << "a nonce costs a token, not a quote";
  gateway.answer(*third, "");
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->body.find("quote of Tuesday"), std::string::npos);
  EXPECT_NE(answer->body.find(text_of(third->nonce)), std::string::npos);
}

TEST(GatewayProgram, hands_on_what_a_device_says_behind_the_tokens_that_name_it) {
  Gateway gateway;
  gateway.answer(gateway.question(false).value(), "quote");
  const std::string_view said = "what a device says";
  EnclaveToken token;
  token.device_evidence = sha384(bytes_of(said));
  // As the monitor sends it, and as one that has lost it on the way.
  for (const std::string_view attached : {said, std::string_view()}) {
    TlsClient client(gateway.port());
    ASSERT_TRUE(client.send(get("/v2/casemate/evidence?nonce=" + std::string(64, 'a'))));
    std::optional<Message> question;
    for (int k = 0; k < 20 && !question; ++k) question = gateway.question();
    ASSERT_TRUE(question);
    gateway.answer(*question, attached, Code::kOk, token);
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status == 200, !attached.empty()) << answer->body;
    if (attached.empty()) continue;
    token.nonce = question->nonce;
    const Bytes devices[] = {bytes_of(said)};
    const auto expected =
        encode_evidence(bytes_of(std::string_view("quote")), {}, std::span(&token, 1), devices);
    EXPECT_EQ(answer->body, text_of(expected));
  }
}

TEST(GatewayProgram, signs_for_the_connection_that_asked_and_never_what_a_client_sent) {
  Gateway gateway;
  gateway.answer(gateway.question(false).value(), "quote");
  Nonce sent{};
  sent.fill(0xAA);
  std::vector<Nonce> asked;
  for (int i = 0; i < 2; ++i) {
    TlsClient client(gateway.port());
    ASSERT_TRUE(client.send(get("/v2/casemate/evidence?nonce=" + to_hex(sent))));
    std::optional<Message> question;
    for (int k = 0; k < 20 && !question; ++k) question = gateway.question();
    ASSERT_TRUE(question);
    EXPECT_EQ(question->nonce, proof_nonce(sent, client.binding()));
    asked.push_back(question->nonce);
    gateway.answer(*question, "");
    ASSERT_TRUE(client.receive());
  }
  EXPECT_NE(asked[0], asked[1]) << "one nonce on two connections";
}

TEST(GatewayProgram, asks_again_after_a_minute_when_evidence_is_refused_and_serves_meanwhile) {
  Gateway gateway;
  gateway.answer(gateway.question(false).value(), "old quote");
  EXPECT_FALSE(gateway.question());
  gateway.clock.pass(hours(24));
  gateway.answer(gateway.question().value(), "", Code::kUnavailable);
  EXPECT_FALSE(gateway.question()) << "not at once";
  EXPECT_NE(gateway.certificate().find("old quote"), std::string::npos);
  gateway.clock.pass(minutes(1));
  ASSERT_TRUE(gateway.question());
  gateway.clock.pass(minutes(1));  // that one was never answered
  const auto again = gateway.question();
  ASSERT_TRUE(again);
  gateway.answer(*again, "new quote");
  EXPECT_FALSE(gateway.question());
  EXPECT_NE(gateway.certificate().find("new quote"), std::string::npos);
  gateway.clock.pass(minutes(1));
  EXPECT_FALSE(gateway.question()) << "and then is content";
}

}  // namespace
}  // namespace casemate::gateway
