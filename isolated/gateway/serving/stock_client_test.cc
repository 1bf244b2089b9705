// SPDX-License-Identifier: Apache-2.0
// What stock Triton clients send (tritonclient.http over geventhttpclient, and its C++ brother),
// byte for byte where that matters, and what they rely on in the answers.

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/format.h"
#include "isolated/gateway/loopback/running_gateway.h"

namespace casemate::gateway {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kInfer = "/v2/models/double/infer";

HttpAnswer ask(RunningGateway& gateway, std::string_view request) {
  TlsClient client(gateway.port());
  return client.exchange(request).value_or(HttpAnswer{});
}
Json json_of(RunningGateway& gateway, std::string_view request) {
  const auto answer = ask(gateway, request);
  EXPECT_EQ(answer.status, 200) << answer.body;
  return Json::parse(answer.body, nullptr, false);
}

// A request with the binary input x = [1,2,3,4] and `more` behind it in the JSON part.
std::string infer(std::string_view more) {
  const float values[] = {1, 2, 3, 4};
  std::string body = formatted(R"({{"inputs":[{{"name":"x","shape":[1,4],"datatype":"FP32",)"
                               R"("parameters":{{"binary_data_size":16}}}}]{}}})",
                               more);
  const std::string length = std::to_string(body.size());
  body.append(static_cast<const char*>(static_cast<const void*>(values)), sizeof values);
  return post(kInfer, body, formatted("Inference-Header-Content-Length: {}\r\n", length));
}

// The JSON part of an answer, found as the clients find it.
Json json_part(const HttpAnswer& answer) {
  const auto length = answer.header("Inference-Header-Content-Length");
  return Json::parse(length ? answer.body.substr(0, std::stoul(*length)) : answer.body, nullptr,
                     false);
}

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

TEST(StockClient, asks_for_the_index_without_a_length) {
  RunningGateway gateway;
  TlsClient client(gateway.port());
  const auto answer = client.exchange(
      "POST /v2/repository/index HTTP/1.1\r\nUser-Agent: python/gevent-http-client-2.0.2\r\n"
      "Host: 127.0.0.1:8000\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(Json::parse(answer->body)[0]["state"], "READY");
  EXPECT_TRUE(client.exchange(get("/v2"))) << "on the same connection";
}

TEST(StockClient, must_give_an_inference_its_length) {
  RunningGateway gateway;
  TlsClient client(gateway.port());
  const auto answer = client.exchange(formatted("POST {} HTTP/1.1\r\nHost: h\r\n\r\n", kInfer));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 411);
  EXPECT_TRUE(answer->body.contains("Content-Length")) << answer->body;
  EXPECT_TRUE(client.closed()) << "what follows could be the body all the same";
}

TEST(StockClient, gets_all_outputs_in_binary_when_it_names_none) {
  RunningGateway gateway;
  const auto answer =
      ask(gateway,
          infer(R"(,"id":"seven","parameters":{"priority":1,"timeout":5000000,"sequence_id":0,)"
                R"("binary_data_output":true,"custom":"text","number":1.5})"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = json_part(answer);
  EXPECT_EQ(json["id"], "seven");
  EXPECT_EQ(json["outputs"][0]["parameters"]["binary_data_size"], 16);
  float doubled[4];
  ASSERT_GE(answer.body.size(), sizeof doubled);
  std::memcpy(doubled, answer.body.data() + answer.body.size() - sizeof doubled, sizeof doubled);
  EXPECT_EQ(doubled[3], 8);
}

TEST(StockClient, chooses_the_form_of_each_output) {
  RunningGateway gateway;
  const auto with = [&](std::string_view parameters, std::string_view all) {
    return ask(gateway, infer(formatted(R"(,"outputs":[{{"name":"y","parameters":{}}}],)"
                                        R"("parameters":{})",
                                        parameters, all)));
  };
  const auto binary = with(R"({"binary_data":true})", "{}");
  EXPECT_TRUE(binary.header("Inference-Header-Content-Length")) << binary.body;
  const auto text = with(R"({"binary_data":false})", R"({"binary_data_output":true})");
  EXPECT_FALSE(text.header("Inference-Header-Content-Length")) << "the output's own word counts";
  EXPECT_EQ(json_part(text)["outputs"][0]["data"], Json::parse("[2.0,4.0,6.0,8.0]"));
  const auto classes = with(R"({"classification":2})", "{}");
  EXPECT_EQ(json_part(classes)["outputs"][0]["data"], Json::parse(R"(["8.0:3","6.0:2"])"));
  const auto packed = with(R"({"classification":1,"binary_data":true})", "{}");
  EXPECT_EQ(json_part(packed)["outputs"][0]["datatype"], "BYTES");
  EXPECT_TRUE(packed.body.ends_with(std::string("\5\0\0\0", 4) + "8.0:3")) << packed.body;
}

TEST(StockClient, is_told_what_is_wrong_with_its_parameters) {
  RunningGateway gateway;
  for (const auto& [parameters, part] :
       {std::pair<std::string_view, std::string_view>{R"({"priority":-1})", "priority"},
        {R"({"priority":"high"})", "priority"},
        {R"({"timeout":"soon"})", "timeout"},
        {R"({"sequence_id":"a","sequence_start":true})", "sequence_id"},
        {R"({"binary_data_output":1})", "binary_data_output"}}) {
    const auto answer = ask(gateway, infer(formatted(R"(,"parameters":{})", parameters)));
    EXPECT_EQ(answer.status, 400) << parameters;
    EXPECT_TRUE(answer.body.contains(part)) << answer.body;
  }
}

TEST(StockClient, finds_every_field_of_tritons_statistics) {
  RunningGateway gateway;
  EXPECT_EQ(ask(gateway, infer("")).status, 200);
  const Json all = json_of(gateway, get("/v2/models/double/stats"));
  EXPECT_EQ(keys_of(all), std::set<std::string>{"model_stats"});
  const Json& model = all["model_stats"][0];
  EXPECT_EQ(keys_of(model),
            (std::set<std::string>{"name", "version", "last_inference", "inference_count",
                                   "execution_count", "inference_stats", "response_stats",
                                   "batch_stats", "memory_usage"}));
  EXPECT_EQ(keys_of(model["inference_stats"]),
            (std::set<std::string>{"success", "fail", "queue", "compute_input", "compute_infer",
                                   "compute_output", "cache_hit", "cache_miss"}));
  for (const auto& [name, timed] : model["inference_stats"].items())
    EXPECT_EQ(keys_of(timed), (std::set<std::string>{"count", "ns"})) << name;
  EXPECT_GT(model["last_inference"], 1'700'000'000'000) << "milliseconds";
  ASSERT_EQ(model["batch_stats"].size(), 1u);
  const Json& batch = model["batch_stats"][0];
  EXPECT_EQ(batch["batch_size"], 1);
  for (const std::string_view part : {"compute_input", "compute_infer", "compute_output"})
    EXPECT_EQ(batch[part]["count"], 1) << part;
  EXPECT_TRUE(model["response_stats"].is_object() && model["memory_usage"].is_array());
}

TEST(StockClient, gets_the_statistics_of_all_versions_unless_it_names_one) {
  RunningGateway gateway;
  gateway.run([&] {
    for (const auto& [name, version] : {std::pair("double", 2u), {"other", 1u}})
      ASSERT_TRUE(gateway.serving().models().add(name, version));
  });
  EXPECT_EQ(json_of(gateway, get("/v2/models/stats"))["model_stats"].size(), 3u);
  EXPECT_EQ(json_of(gateway, get("/v2/models/double/stats"))["model_stats"].size(), 2u);
  const Json one = json_of(gateway, get("/v2/models/double/versions/1/stats"))["model_stats"];
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0]["version"], "1");
}

TEST(StockClient, reads_the_configuration_that_follows_from_the_model) {
  RunningGateway gateway;
  const Json config = json_of(gateway, get("/v2/models/double/config"));
  EXPECT_EQ(config["name"], "double");
  EXPECT_EQ(config["max_batch_size"], 8);
  EXPECT_EQ(config["input"][0], Json::parse(R"({"name":"x","data_type":"TYPE_FP32",)"
                                            R"("format":"FORMAT_NONE","dims":[4]})"));
}

TEST(Statistics, tell_apart_a_bounded_number_of_batch_sizes) {
  Statistics statistics;
  for (uint64_t size = 1; size <= Statistics::kBatchSizes; ++size)
    EXPECT_NE(statistics.batch(size), nullptr);
  EXPECT_EQ(statistics.batch(Statistics::kBatchSizes + 1), nullptr);
  EXPECT_NE(statistics.batch(1), nullptr);
}

TEST(Absent, extensions_are_refused_with_the_reason_and_without_what_was_sent) {
  RunningGateway gateway;
  TlsClient client(gateway.port());
  const std::string shared = "shared memory is not offered";
  const std::pair<std::string, std::string> requests[] = {
      {get("/v2/systemsharedmemory/status"), shared},
      {get("/v2/systemsharedmemory/region/secret/status"), shared},
      {post("/v2/systemsharedmemory/region/secret/register", R"({"key":"/secret"})"), shared},
      {post("/v2/systemsharedmemory/unregister", ""), shared},
      {post("/v2/cudasharedmemory/region/secret/register", R"({"byte_size":-1})"), shared},
      {post("/v2/cudasharedmemory/region/secret/unregister", ""), shared},
      {get("/v2/cudasharedmemory/status"), shared},
      {get("/v2/trace/setting"), "traces are not offered"},
      {post("/v2/models/double/trace/setting", R"({"trace_file":"/secret"})"), "traces"},
      {get("/v2/logging"), "log settings are not offered"},
      {post("/v2/logging", R"({"log_file":"/secret"})"), "log settings"},
  };
  for (const auto& [request, part] : requests) {
    const auto answer = client.exchange(request);
    ASSERT_TRUE(answer) << request;
    EXPECT_EQ(answer->status, 501) << request;
    EXPECT_TRUE(answer->body.contains(part)) << answer->body;
    EXPECT_FALSE(answer->body.contains("secret")) << answer->body;
  }
  EXPECT_EQ(client.exchange(infer(""))->status, 200) << "on the same connection";
}

TEST(Absent, loading_is_refused_before_its_files_are_sent) {
  RunningGateway gateway;
  const std::string_view load = "/v2/repository/models/double/load";
  const auto announced =
      ask(gateway,
          formatted("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", load, 2ull << 30));
  EXPECT_EQ(announced.status, 501) << "two gigabytes were only announced";
  TlsClient client(gateway.port());
  for (const std::string_view body :
       {R"({"parameters":{"file:1/../../etc/passwd":"AAAA","config":"{}"}})",
        R"({"parameters":{"file:1/model.onnx":"=A=","config":"{}"}})", "{", ""}) {
    EXPECT_EQ(client.exchange(post(load, body))->status, 501);
    EXPECT_EQ(client.exchange(post("/v2/repository/models/double/unload", body))->status, 501);
  }
  EXPECT_EQ(client.exchange(infer(""))->status, 200);
}

TEST(Metrics, hold_nothing_that_a_client_sent) {
  RunningGateway gateway;
  TlsClient client(gateway.port());
  for (const std::string& request :
       {get("/v2/models/secret"), post("/v2/models/secret/infer", "{}"), get("/secret?secret"),
        infer(R"(,"id":"secret","parameters":{"secret":"secret"})"),
        infer(R"(,"outputs":[{"name":"secret"}])")})
    ASSERT_TRUE(client.exchange(request)) << request;
  const auto metrics = client.exchange(get("/metrics"));
  ASSERT_TRUE(metrics);
  EXPECT_FALSE(metrics->body.contains("secret")) << metrics->body;
}

}  // namespace
}  // namespace casemate::gateway
