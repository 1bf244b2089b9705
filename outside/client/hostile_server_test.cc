// SPDX-License-Identifier: Apache-2.0
// Servers that break the connection, the protocol or their word.
#include <gtest/gtest.h>

#include <atomic>

#include "base/format.h"
#include "outside/client/attest.h"
#include "outside/client/session.h"
#include "outside/client/testing/fixed_clock.h"
#include "outside/client/testing/test_server.h"

namespace casemate::client {
namespace {

using testing::FixedClock;
using testing::http;
using testing::HttpRequest;
using testing::Reply;
using testing::TestServer;
using Then = Reply::Then;

constexpr auto kPatience = std::chrono::seconds(5);
// For servers that never answer: a test waits this long.
constexpr auto kImpatience = std::chrono::milliseconds(200);

Options with(Duration timeout, uint32_t retries = 0) {
  static const FixedClock clock;
  return {.timeout = timeout, .retries = retries, .clock = &clock};
}

verify::Policy development() {
  verify::Policy policy;
  policy.allow_software_root = true;
  return policy;
}

Result<Session> connect(const TestServer& server, const Options& options = with(kPatience)) {
  return Session::connect(server.url(), development(), options);
}

const std::vector<Tensor> kInputs = {{"x", ElementType::kUint8, {3}, {1, 2, 3}}};

std::string refusal(const auto& result) {
  if (result) return "no refusal";
  return std::string(name_of(result.error().code)) + ": " + result.error().text;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What comes of a question that the server answers with `reply`.
std::string asked(const Reply& reply, Duration timeout = kPatience) {
  TestServer server;
  auto session = connect(server, with(timeout));
  if (!session) return refusal(session);
  server.hook([&](const HttpRequest&) { return reply; });
  return refusal(session->metadata("echo"));
}

// What comes of an inference that the server answers with this JSON and these bytes.
std::string inferred(std::string_view json, std::string_view data, size_t size) {
  TestServer server;
  auto session = connect(server);
  if (!session) return refusal(session);
  const std::string answer = http(200, std::string(json) + std::string(data),
                                  formatted("Inference-Header-Content-Length: {}\r\n", size));
  server.hook([&](const HttpRequest& request) -> std::optional<Reply> {
    if (request.method == "POST") return Reply{answer};
    return std::nullopt;
  });
  return refusal(session->infer("echo", kInputs));
}
std::string inferred(std::string_view json, std::string_view data) {
  return inferred(json, data, json.size());
}

TEST(HostileServer, answers_that_end_early_are_errors_wherever_they_end) {
  const std::string whole = http(200, R"({"name": "echo", "inputs": [], "outputs": []})");
  ASSERT_EQ(asked({whole}), "no refusal");
  for (const size_t size : {size_t{0}, size_t{5}, whole.find("\r\n\r\n") + 2, whole.size() - 1}) {
    for (const Then then : {Then::kClose, Then::kVanish}) {
      const std::string why = asked({whole.substr(0, size), then});
      EXPECT_TRUE(why.starts_with("partition failed: the ")) << size << ": " << why;
    }
  }
}

TEST(HostileServer, one_that_never_answers_times_out) {
  EXPECT_TRUE(contains(asked({"", Then::kStall}, kImpatience), "timed out: 127.0.0.1:"));
  EXPECT_TRUE(contains(asked({"HTTP/1.1 200 OK\r\nX: ", Then::kStall}, kImpatience), "timed out"));
  const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
  EXPECT_TRUE(contains(asked({half, Then::kStall}, kImpatience), "did not answer in time"));
}

TEST(HostileServer, one_that_accepts_and_says_nothing_times_out) {
  TestServer server;
  server.ignore_connections();
  EXPECT_TRUE(contains(refusal(connect(server, with(kImpatience))), "timed out"));
}

TEST(HostileServer, a_port_where_nobody_listens_is_unavailable) {
  std::string url;
  {
    const TestServer gone;
    url = gone.url();
  }
  const std::string why = refusal(Session::connect(url, development(), with(kPatience)));
  EXPECT_TRUE(contains(why, "unavailable: no connection to 127.0.0.1:")) << why;
}

TEST(HostileServer, one_that_speaks_no_tls_13_is_refused) {
  TestServer server;
  server.speak_tls12();
  EXPECT_TRUE(contains(refusal(connect(server)), "denied: 127.0.0.1"));
  EXPECT_TRUE(contains(refusal(connect(server)), "TLS 1.3 handshake"));
}

TEST(HostileServer, interim_answers_are_skipped_and_too_many_refused) {
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
  const std::string whole = http(200, R"({"name": "echo", "inputs": [], "outputs": []})");
  EXPECT_EQ(asked({interim + whole}), "no refusal");
  EXPECT_EQ(asked({interim + interim + whole}), "no refusal");
  std::string many;
  for (int i = 0; i < 5; ++i) many += interim;
  EXPECT_TRUE(contains(asked({many + whole}), "too many interim answers"));
  EXPECT_TRUE(contains(asked({"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"}), "switches"));
}

TEST(HostileServer, an_answer_without_length_ends_with_the_connection_if_that_ends_properly) {
  const std::string whole =
      "HTTP/1.1 200 OK\r\n\r\n"
      R"({"name": "echo", "inputs": [], "outputs": []})";
  EXPECT_EQ(asked({whole, Then::kClose}), "no refusal");
  EXPECT_TRUE(contains(asked({whole, Then::kVanish}), "partition failed"))
      << "whoever cuts the wire could cut the answer";
}

TEST(HostileServer, chunked_answers_are_read) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string body;
  for (const char c : std::string(R"({"name": "echo", "inputs": [], "outputs": []})"))
    body += formatted("1\r\n{}\r\n", c);
  EXPECT_EQ(asked({head + body + "0\r\n\r\n"}), "no refusal");
  EXPECT_TRUE(contains(asked({head + body, Then::kClose}), "before its answer was complete"));
  EXPECT_TRUE(contains(asked({head + "zz\r\n"}), "no HTTP"));
  EXPECT_TRUE(
      contains(asked({head + "FFFFFFFFFFFFFFFF\r\nab", Then::kClose}), "partition failed") ||
      contains(asked({head + "FFFFFFFFFFFFFFFF\r\nab", Then::kClose}), "too large"));
}

TEST(HostileServer, answers_over_the_limit_are_refused_before_memory_is_taken) {
  EXPECT_TRUE(contains(asked({"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nab"}),
                       "too large: the server's answer"));
  const std::string chunk = formatted("10000\r\n{}\r\n", std::string(0x10000, ' '));
  std::string body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) body += chunk;
  EXPECT_TRUE(contains(asked({body, Then::kStall}), "too large"));
  const std::string header = "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x');
  EXPECT_TRUE(contains(asked({header, Then::kStall}), "no HTTP"));
}

TEST(HostileServer, evidence_over_the_limit_is_refused) {
  TestServer server;
  server.hook(
      [](const HttpRequest&) { return Reply{http(200, std::string(kProofBytes + 1, 'e'))}; });
  EXPECT_TRUE(contains(refusal(connect(server)), "too large"));
}

TEST(HostileServer, framing_that_two_readers_could_read_differently_is_refused) {
  EXPECT_TRUE(contains(
      asked({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "}), "no HTTP"));
  EXPECT_TRUE(contains(asked({"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}), "no HTTP"));
  EXPECT_TRUE(contains(asked({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"}),
                       "no HTTP"));
  EXPECT_TRUE(contains(asked({http(200, "{}", "Content-Encoding: gzip\r\n")}), "compressed"));
  EXPECT_TRUE(
      contains(asked({http(200, "{}", "Inference-Header-Content-Length: -2\r\n")}), "no number"));
  EXPECT_TRUE(contains(asked({"SSH-2.0-OpenSSH\r\n\r\n"}), "no HTTP"));
}

TEST(HostileServer, bytes_behind_an_answer_do_not_become_the_next_one) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  const std::string planted = http(200, R"([{"name": "planted"}])");
  server.hook([&](const HttpRequest& request) -> std::optional<Reply> {
    if (request.method == "GET")
      return Reply{http(200, R"({"name": "echo", "inputs": [], "outputs": []})") + planted};
    return std::nullopt;
  });
  ASSERT_TRUE(session->metadata("echo"));
  const auto models = session->models();
  ASSERT_TRUE(models) << refusal(models);
  EXPECT_EQ(models->at(0).name, "digits");
  EXPECT_EQ(server.connections(), 2);
}

TEST(HostileServer, answers_that_are_no_json_or_not_the_right_one_are_refused) {
  for (const std::string_view body :
       {"", "nonsense", "[]", "{}", R"({"name": 7, "inputs": [], "outputs": []})",
        R"({"name": "a", "inputs": {}, "outputs": []})",
        R"({"name": "a", "inputs": [{}], "outputs": []})",
        R"({"name": "a", "inputs": [{"name": "x", "datatype": "FP31", "shape": []}],
            "outputs": []})",
        R"({"name": "a", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-2]}],
            "outputs": []})",
        R"({"name": "a", "inputs": [{"name": "x", "datatype": "FP32",
            "shape": [18446744073709551615]}], "outputs": []})",
        R"({"name": "a", "inputs": [{"name": "x", "datatype": "FP32",
            "shape": [1,1,1,1,1,1,1,1,1]}], "outputs": []})",
        R"({"name": "a", "name": "b", "inputs": [], "outputs": []})"}) {
    const std::string why = asked({http(200, body)});
    EXPECT_TRUE(contains(why, "partition failed: the server's answer breaks the protocol"))
        << body << ": " << why;
  }
}

TEST(HostileServer, outputs_that_do_not_fit_their_shape_are_refused) {
  const auto output = [](std::string_view shape, int size) {
    return formatted(R"({{"outputs": [{{"name": "x", "datatype": "FP32", "shape": {},
      "parameters": {{"binary_data_size": {}}}}}]}})",
                     shape, size);
  };
  EXPECT_EQ(inferred(output("[2]", 8), "12345678"), "no refusal");
  EXPECT_TRUE(contains(inferred(output("[2]", 4), "1234"), "needs 8 bytes, there are 4"));
  EXPECT_TRUE(contains(inferred(output("[2]", 8), "1234"), "and 4 are left"));
  EXPECT_TRUE(contains(inferred(output("[2]", 8), "123456789"), "1 bytes follow the last output"));
  EXPECT_TRUE(contains(inferred(output("[-1]", 8), "12345678"), "out of range"));
  EXPECT_TRUE(contains(
      inferred(output("[1099511627776,1099511627776,1099511627776]", 8), "12345678"), "2^62"));
  EXPECT_TRUE(contains(inferred(output("[2]", -8), "12345678"), "binary data"));
  EXPECT_TRUE(contains(inferred(output("2", 8), "12345678"), "without \"shape\""));
}

TEST(HostileServer, answers_to_an_inference_that_break_the_binary_extension_are_refused) {
  constexpr std::string_view kOne =
      R"({"name": "x", "datatype": "UINT8", "shape": [1], "parameters": {"binary_data_size": 1}})";
  EXPECT_EQ(inferred(formatted(R"({{"outputs": [{}]}})", kOne), "1"), "no refusal");
  EXPECT_TRUE(contains(inferred(formatted(R"({{"outputs": [{0},{0}]}})", kOne), "12"), "twice"));
  EXPECT_TRUE(contains(inferred("{}", ""), "\"outputs\" is no list"));
  EXPECT_TRUE(contains(inferred("{}", "", 3), "larger than the body"));
  EXPECT_TRUE(contains(inferred(R"({"outputs": [{"name": "x", "datatype": "UINT8", "shape": [1],
    "data": [1]}]})",
                                ""),
                       "does not come as binary data"));
  EXPECT_TRUE(contains(inferred(R"({"outputs": [{"name": "x", "datatype": "UINT8", "shape": [1],
    "data": [1], "parameters": {"binary_data_size": 1}}]})",
                                "1"),
                       "both"));
  EXPECT_TRUE(contains(inferred(R"({"outputs": [{"name": "x", "datatype": "BYTES", "shape": [1],
    "parameters": {"binary_data_size": 5}}]})",
                                std::string("\x02\0\0\0a", 5)),
                       "cut in an element"));
  EXPECT_TRUE(contains(inferred(R"({"outputs": [{"name": "x", "datatype": "BYTES", "shape": [2],
    "parameters": {"binary_data_size": 5}}]})",
                                std::string("\x01\0\0\0a", 5)),
                       "needs 2 elements, the data hold 1"));
  EXPECT_TRUE(contains(inferred(R"({"outputs": [{"name": "x", "datatype": "BOOL", "shape": [1],
    "parameters": {"binary_data_size": 1}}]})",
                                "\x02"),
                       "neither 0 nor 1"));
}

TEST(HostileServer, another_key_on_a_later_connection_gets_nothing) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  ASSERT_TRUE(session->infer("echo", kInputs));
  // A perfectly good server, but not the one that was verified.
  verify::testing::Signer other;
  other.sign();
  server.show(other.tls, other.evidence());
  server.hook([](const HttpRequest&) { return Reply{http(200, "[]"), Then::kClose}; });
  ASSERT_TRUE(session->models());
  const size_t before = server.requests().size();
  const std::string why = refusal(session->infer("echo", kInputs));
  EXPECT_TRUE(contains(why, "denied: 127.0.0.1")) << why;
  EXPECT_TRUE(contains(why, "another key"));
  EXPECT_EQ(server.requests().size(), before);
}

TEST(HostileServer, a_connection_that_was_closed_between_requests_is_opened_again) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  server.hook([](const HttpRequest&) { return Reply{http(200, "[]"), Then::kClose}; });
  for (int i = 0; i < 3; ++i) {
    const auto models = session->models();
    ASSERT_TRUE(models) << refusal(models);
  }
  EXPECT_GE(server.connections(), 3);
}

TEST(HostileServer, a_connection_that_closes_while_we_ask_is_opened_again_to_read_only) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  ASSERT_TRUE(session->infer("echo", kInputs));
  std::atomic<bool> closes = true;
  server.hook([&](const HttpRequest& request) -> std::optional<Reply> {
    if (closes.exchange(false)) return Reply{"", Then::kClose};
    if (request.method == "GET") return Reply{http(200, "[]")};
    return std::nullopt;
  });
  const auto models = session->models();
  EXPECT_TRUE(models) << refusal(models);
  closes = true;
  const size_t before = server.requests().size();
  EXPECT_TRUE(contains(refusal(session->infer("echo", kInputs)), "may or may not have been done"));
  EXPECT_EQ(server.requests().size(), before + 1) << "an inference is not repeated unasked";
}

TEST(HostileServer, a_refusal_before_the_body_was_read_is_heard) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  ASSERT_TRUE(session->verdict("echo"));
  server.answer_unread(Reply{http(413, R"({"error": "at most 1 KiB"})"), Then::kStall});
  const std::vector<Tensor> large = {
      {"x", ElementType::kUint8, {32 << 20}, std::vector<uint8_t>(32 << 20)}};
  EXPECT_EQ(refusal(session->infer("echo", large)),
            "too large: the server answered: at most 1 KiB");
  server.answer_unread(std::nullopt);
  EXPECT_EQ(refusal(session->infer("echo", kInputs)), "no refusal")
      << "what was half sent must not be taken for the next request";
}

TEST(HostileServer, one_that_hangs_up_during_an_upload_is_an_error_and_no_signal) {
  TestServer server;
  auto session = connect(server);
  ASSERT_TRUE(session) << refusal(session);
  ASSERT_TRUE(session->verdict("echo"));
  server.answer_unread(Reply{"", Then::kVanish});
  const std::vector<Tensor> large = {
      {"x", ElementType::kUint8, {32 << 20}, std::vector<uint8_t>(32 << 20)}};
  EXPECT_TRUE(contains(refusal(session->infer("echo", large)), "partition failed"));
}

// A server that is busy twice and then answers.
void busy_twice(TestServer& server, std::string_view headers) {
  auto count = std::make_shared<int>(0);
  server.hook([count, headers](const HttpRequest&) -> std::optional<Reply> {
    if (++*count > 2) return std::nullopt;
    return Reply{http(503, R"({"error": "busy"})", headers)};
  });
}

TEST(Retry, a_busy_server_is_asked_again_only_if_the_caller_said_so) {
  TestServer server;
  for (const uint32_t retries : {0u, 1u, 2u}) {
    server.hook(nullptr);
    auto session = connect(server, with(kPatience, retries));
    ASSERT_TRUE(session) << refusal(session);
    busy_twice(server, "Retry-After: 0\r\n");
    EXPECT_EQ(refusal(session->models()),
              retries == 2 ? "no refusal" : "unavailable: the server answered: busy");
  }
}

TEST(Retry, a_busy_server_that_names_no_time_is_not_asked_again) {
  TestServer server;
  auto session = connect(server, with(kPatience, 5));
  ASSERT_TRUE(session) << refusal(session);
  busy_twice(server, "");
  EXPECT_EQ(refusal(session->models()), "unavailable: the server answered: busy");
}

TEST(Retry, a_wait_beyond_the_time_limit_is_not_begun) {
  TestServer server;
  auto session = connect(server, with(kPatience, 5));
  ASSERT_TRUE(session) << refusal(session);
  busy_twice(server, "Retry-After: 3600\r\n");
  EXPECT_EQ(refusal(session->models()), "unavailable: the server answered: busy");
}

TEST(Connect, host_names_are_resolved_and_unknown_ones_refused) {
  TestServer server;
  const std::string url = formatted("https://localhost:{}", server.port());
  EXPECT_EQ(refusal(Session::connect(url, development(), with(kPatience))), "no refusal");
  const std::string why =
      refusal(Session::connect("https://casemate.invalid:1", development(), with(kPatience)));
  EXPECT_TRUE(contains(why, "the name casemate.invalid")) << why;
}

}  // namespace
}  // namespace casemate::client
