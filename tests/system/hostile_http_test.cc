// SPDX-License-Identifier: Apache-2.0
// Clients that attack the served system over TLS, while one that behaves well keeps getting right
// answers. What is sent here is a selection; isolated/gateway tests every case by itself:
//
//   no length, two lengths, shorter, longer   Framing: a_post_without_*, two_ways_*, bytes_behind*,
//                                             a_body_shorter_*
//   thousands of 1-byte chunks                Framing: thousands_of_tiny_chunks_are_fine
//   bombs, nested encodings, cut streams      Compression
//   slow heads and bodies, idle connections   Slow, Idle, Many
//   half-close, reset, SIGPIPE                Gone
//   pipelining, 64 KiB heads                  Framing: requests_may_be_pipelined_*, heads_*
//   depth, keys, duplicates, trailing, UTF-8  HostileJson
//   NaN, 1e999, -0, 2^53, 2^63, fractions     HostileJson; sums: HostileTensors.sizes_that_wrap_*
//   lengths of the JSON part and of tensors   HostileTensors, Framing.the_inference_header_*
//   dimensions, BYTES, BOOL, ports            HostileTensors
//   reserved keys, classification             HostileJson.parameters_*, HostileTensors
//   model names                               HostileNames
//   load, unload, shared memory               Absent
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <zlib.h>

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/gateway/loopback/loopback.h"
#include "tests/system/served_system.h"

namespace casemate::tests {
namespace {

using gateway::get;
using gateway::post;
using gateway::TlsClient;
using std::chrono::milliseconds;

constexpr std::string_view kInfer = "/v2/models/digits/infer";

// One mistake: the request, the status that it must get, and what its error must speak of.
struct Mistake {
  std::string request;
  int status;
  std::string part;
};

// The system, and its well-behaved client from before the first attack until after the last.
class HostileHttp : public testing::Test {
 protected:
  explicit HostileHttp(const std::string& system_file = "")
      : system_(source_folder() + "/models", system_file) {}
  void SetUp() override {
    ASSERT_FALSE(system_.url().empty()) << system_.printed();
    witness_.emplace(system_.url());
    ASSERT_TRUE(witness_->answered_again()) << witness_->stop();
  }
  void TearDown() override {
    if (!witness_) return;
    EXPECT_TRUE(witness_->answered_again()) << "nobody is served any more";
    EXPECT_EQ(witness_->stop(), "") << "after " << witness_->right() << " right answers";
    const auto status = system_.status();
    ASSERT_TRUE(status) << status.error().text;
    for (uint32_t i = 0; i < (*status)->partition_count; ++i) {
      const auto& partition = (*status)->partitions[i];
      EXPECT_EQ(partition.epoch, 1u) << partition.name.view() << " had to be started again";
      EXPECT_EQ(partition.failures, 0u) << partition.name.view();
    }
  }
  [[nodiscard]] uint16_t port() const { return system_.port(); }

  void expect_refused(const Mistake& mistake) {
    const std::string shown = mistake.request.substr(0, 150);
    TlsClient client(port());
    client.send(mistake.request);  // may fail: the refusal can come before the end
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << shown;
    EXPECT_EQ(answer->status, mistake.status) << shown << "\n" << answer->body;
    const auto json = nlohmann::json::parse(answer->body, nullptr, false);
    ASSERT_TRUE(json.is_object() && json.contains("error")) << shown << "\n" << answer->body;
    EXPECT_TRUE(json["error"].get<std::string>().contains(mistake.part)) << answer->body;
  }

  ServedSystem system_;
  std::optional<Witness> witness_;
};

std::string compress(std::string_view text, int window) {
  z_stream stream{};
  deflateInit2(&stream, 1, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
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

// An inference request with one input, described by the rest of its object.
std::string infer(std::string_view input) {
  return post(kInfer, formatted(R"({{"inputs":[{{{}}}]}})", input));
}
std::string infer_binary(std::string_view input, std::string_view tail) {
  const std::string json = formatted(R"({{"inputs":[{{{}}}]}})", input);
  return post(kInfer, json + std::string(tail),
              formatted("Inference-Header-Content-Length: {}\r\n", json.size()));
}

std::string head(std::string_view headers) {
  return formatted("POST {} HTTP/1.1\r\nHost: h\r\n{}\r\n", kInfer, headers);
}

TEST_F(HostileHttp, broken_framing_is_refused_and_explained) {
  std::string chunks = head("Transfer-Encoding: chunked\r\n");
  for (int i = 0; i < 50'000; ++i) chunks += "1\r\nx\r\n";
  const Mistake mistakes[] = {
      {head(""), 411, "Content-Length"},
      {head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400, "Length"},
      {head("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello", 400, "differ"},
      {head("Content-Length: -5\r\n"), 400, "no number"},
      {head("Content-Length: 2147483648\r\n") + "x", 413, "the limit is"},
      {head("Transfer-Encoding: chunked\r\n") + "zz\r\nhello\r\n", 400, "chunk"},
      {chunks + "0\r\n\r\n", 400, "the JSON part (50000 bytes)"},
      {head("X: " + std::string(64 << 10, 'x') + "\r\n"), 431, "longer than"},
      {"GET / HTTP/2\r\n\r\n", 505, "HTTP/1.1"},
      {"GET /v2 HTTP/1.1\r\n\r\n", 400, "Host"},
      {get(kInfer), 405, "POST"},
  };
  for (const Mistake& mistake : mistakes) expect_refused(mistake);
}

TEST_F(HostileHttp, slow_clients_hold_nobody_up) {
  std::vector<TlsClient> slow;
  for (int i = 0; i < 60; ++i) {
    slow.emplace_back(port());
    slow.back().send(i % 2 == 0 ? "POST /v2 HTT" : head("Content-Length: 1000000\r\n"));
  }
  // Twenty that never read what they asked for, and a hundred that never shake hands.
  for (int i = 0; i < 20; ++i) {
    slow.emplace_back(port());
    for (int j = 0; j < 200; ++j) slow.back().send(get("/metrics"));
  }
  std::vector<Fd> silent;
  for (int i = 0; i < 100; ++i) {
    silent.push_back(gateway::connect_to(port()));
    if (i % 2 == 0) ::send(silent.back().number(), "\x16\x03\x01\x02", 4, MSG_NOSIGNAL);
  }
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(witness_->answered_again());
    for (int i = 0; i < 60; ++i) slow[static_cast<size_t>(i)].send("x");
    std::this_thread::sleep_for(milliseconds(50));
  }
}

TEST_F(HostileHttp, resets_at_any_moment_are_nobody_elses_business) {
  const std::string picture(3136, '\0');
  const std::string sound = infer_binary(R"("name":"image","shape":[1,1,28,28],"datatype":"FP32",)"
                                         R"("parameters":{"binary_data_size":3136})",
                                         picture);
  std::string pipelined;
  for (int i = 0; i < 50; ++i) pipelined += sound;
  const std::string requests[] = {
      "",        "GET /v2", head("Content-Length: 99\r\n") + "x", head("Expect: 100-continue\r\n"),
      pipelined, sound,     sound.substr(0, sound.size() / 2)};
  for (int round = 0; round < 6; ++round) {
    for (const std::string& request : requests) {
      TlsClient client(port());
      client.send(request);
      if (round % 3 == 0) client.half_close();
      if (round % 3 == 1) {
        client.vanish();
      } else {
        client.reset();
      }
    }
    const Fd raw = gateway::connect_to(port());
    ::send(raw.number(), pipelined.data(), 1000, MSG_NOSIGNAL);  // no TLS at all
    ASSERT_TRUE(witness_->answered_again());
  }
}

TEST_F(HostileHttp, a_thousand_idle_connections_cost_others_nothing) {
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  const size_t count = std::min<size_t>(1'100, descriptors.rlim_cur - 100);
  std::vector<TlsClient> idle;
  while (idle.size() < count) {
    idle.emplace_back(port());
    ASSERT_TRUE(idle.back().connected()) << idle.size();
  }
  ASSERT_TRUE(witness_->answered_again());
  TlsClient newcomer(port());
  EXPECT_TRUE(newcomer.exchange(get("/v2/health/live"))) << "there is room for more";
  for (size_t i = 0; i < count; i += 100)
    EXPECT_TRUE(idle[i].exchange(get("/v2/health/live"))) << i;
}

TEST_F(HostileHttp, bombs_stop_at_the_limit) {
  const std::string zeros(80 << 20, '\0');  // the limit for a body is 64 MiB
  const std::string gzip = compress(zeros, 31);
  const auto chunk = formatted("{:x}\r\n{}\r\n0\r\n\r\n", gzip.size(), gzip);
  const std::string small = compress("{}", 31);
  std::string keys = "{";
  for (int i = 0; i < 1'000'000; ++i) keys += formatted("\"{}\":0,", i);
  const Mistake mistakes[] = {
      {post(kInfer, gzip, "Content-Encoding: gzip\r\n"), 413, "when decompressed"},
      {post(kInfer, compress(zeros, 15), "Content-Encoding: deflate\r\n"), 413, "decompressed"},
      {head("Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n") + chunk, 413, "larger"},
      {post(kInfer, compress(small, 31), "Content-Encoding: gzip, gzip\r\n"), 415, "once"},
      {post(kInfer, small.substr(0, small.size() - 4), "Content-Encoding: gzip\r\n"), 400, "ends"},
      {post(kInfer, R"({"a":)" + std::string(1'000'000, '[')), 413, "nested deeper"},
      {post(kInfer, keys + R"("id":"x"})"), 413, "JSON part"},
      {post("/v2/repository/models/digits/load", zeros), 501, "fixed when the gateway starts"},
  };
  for (const Mistake& mistake : mistakes) expect_refused(mistake);
}

TEST_F(HostileHttp, wrong_tensors_are_refused_and_explained) {
  const std::string image = R"("name":"image","datatype":"FP32",)";
  const auto sized = [&](std::string_view shape, std::string_view size) {
    return formatted(R"({}"shape":{},"parameters":{{"binary_data_size":{}}})", image, shape, size);
  };
  const std::string_view one = "[1,1,28,28]";
  const std::string picture(3136, '\0');
  const std::string length = "Inference-Header-Content-Length: ";
  const Mistake mistakes[] = {
      {infer(image + R"("shape":[1,1,28,28],"data":[1,2])"), 400, "data has 2 elements"},
      {infer(image + R"("shape":[-1,1,28,28],"data":[])"), 400, "negative extent -1"},
      {infer(image + R"("shape":[0,1,28,28],"data":[])"), 400, "must be from 1 to"},
      {infer(image + R"("shape":[4294967296,4294967296],"data":[])"), 400, "'image'"},
      {infer(image + R"("shape":[1,1,28,28],"data":[NaN])"), 400, "wrong at byte"},
      {infer(image + R"("shape":[1,1,28,28],"data":[1e999])"), 400, "wrong at byte"},
      {infer(R"("name":"image","datatype":"INT64","shape":[1],"data":[1.5])"), 400, "whole"},
      {infer(R"("name":"image","datatype":"BYTES","shape":[1],"data":["x"])"), 400, "FP32"},
      {infer(R"("name":"picture","datatype":"FP32","shape":[1],"data":[1])"), 400, "has: image"},
      {infer(""), 400, "no name"},
      {infer_binary(sized(one, "3136"), picture.substr(1)), 400, "only 3135 bytes"},
      {infer_binary(sized(one, "3135"), picture), 400, "takes 3136"},
      {infer_binary(sized(one, "-1"), picture), 400, "binary_data_size"},
      {infer_binary(sized(one, "3136"), picture + "x"), 400, "belong to no input"},
      {infer_binary(sized("[10000,1,28,28]", "31360000"), std::string(31'360'000, '\0')), 413, ""},
      {post(kInfer, picture, length + "0x10\r\n"), 400, "in digits"},
      {post(kInfer, picture, length + "99999\r\n"), 400, "only 3136 bytes"},
      {post(kInfer, picture.substr(1), length + "0\r\n"), 400, "takes 3136"},
      {post(kInfer, "{\"id\":\"\xFF\"}"), 400, "UTF-8"},
      {post(kInfer, R"({"id":"\ud800"})"), 400, "surrogate"},
      {post(kInfer, R"({"id":"a","id":"b"})"), 400, "appears twice"},
  };
  for (const Mistake& mistake : mistakes) expect_refused(mistake);
}

TEST_F(HostileHttp, hostile_names_are_refused_and_explained) {
  const std::string models = "/v2/models/";
  const Mistake mistakes[] = {
      {post(models + "../infer", "{}"), 400, "no model name"},
      {post(models + "%2e%2e%2f/infer", "{}"), 400, "no model name"},
      {post(models + "a/../../b/infer", "{}"), 404, "routes"},
      {post(models + "%20digits/infer", "{}"), 400, "no model name"},
      {post(models + "digits%20/infer", "{}"), 400, "no model name"},
      {post(models + "digits%00/infer", "{}"), 400, "no model name"},
      {post(models + "/infer", "{}"), 400, "no model name"},
      {post(models + std::string(10'000, 'a') + "/infer", "{}"), 400, "no model name"},
      {post(models + std::string(64 << 10, 'a') + "/infer", "{}"), 431, "longer than"},
      {post(models + "digits/versions/%2e%2e/infer", "{}"), 404, "no version"},
      {get("/v2/casemate/evidence?model=..&nonce=" + std::string(64, 'a')), 400, "no model name"},
      {get("/v2/casemate/evidence?nonce=" + std::string(63, 'a')), 400, "hexadecimal"},
      {post("/v2/repository/index", "[[["), 400, "JSON object"},
      {post("/v2/repository/models/digits/load",
            R"({"parameters":{"config":"{}","file:1/../../x":"????"}})"),
       501, "fixed when the gateway starts"},
      {post("/v2/repository/models/digits/unload", "{}"), 501, "fixed when the gateway starts"},
  };
  for (const Mistake& mistake : mistakes) expect_refused(mistake);
}

// A gateway with little memory, so that what clients may hold together is soon reached.
class SmallGateway : public HostileHttp {
 protected:
  SmallGateway() : HostileHttp("[gateway]\nmemory_mib = 128\nrequest_mib = 32\n") {}
};

TEST_F(SmallGateway, bodies_that_many_clients_hold_do_not_pass_its_memory) {
  // Each unpacks to 30 MiB and lacks its last bytes, so that nobody is answered.
  const std::string packed = compress(std::string(30 << 20, '\1'), 31);
  const std::string request = post(kInfer, packed, "Content-Encoding: gzip\r\n");
  std::vector<TlsClient> holding;
  for (int i = 0; i < 12; ++i) {
    holding.emplace_back(port());
    holding.back().send(std::string_view(request).substr(0, request.size() - 8));
    ASSERT_TRUE(witness_->answered_again()) << i;
  }
  int turned_away = 0;
  for (TlsClient& client : holding) {
    client.send(std::string_view(request).substr(request.size() - 8));
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    if (answer->status == 503 && answer->header("Retry-After") == "1") ++turned_away;
    EXPECT_TRUE(answer->status == 503 || answer->status == 413) << answer->body;
  }
  EXPECT_GT(turned_away, 0);
}

}  // namespace
}  // namespace casemate::tests
