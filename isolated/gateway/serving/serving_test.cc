// SPDX-License-Identifier: Apache-2.0
// The KServe v2 application over TLS, as stock clients use it and as hostile ones do.

#include "isolated/gateway/serving/serving.h"
#include "base/format.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "isolated/gateway/loopback/running_gateway.h"

namespace casemate::gateway {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr std::string_view kInfer = "/v2/models/double/infer";
constexpr std::string_view kJsonRequest =
    R"({"id":"7","inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4.5]}]})";

HttpAnswer ask(RunningGateway& gateway, std::string_view request) {
  TlsClient client(gateway.port());
  return client.exchange(request).value_or(HttpAnswer{});
}
int status(RunningGateway& gateway, std::string_view request) {
  return ask(gateway, request).status;
}
std::string error_of(const HttpAnswer& answer) {
  return Json::parse(answer.body).at("error").get<std::string>();
}

std::string binary_request(std::span<const float> values, std::string_view more = "") {
  const std::string json =
      formatted(R"({{"inputs":[{{"name":"x","shape":[1,{}],"datatype":"FP32","parameters":)"
                R"({{"binary_data_size":{}}}}}],"parameters":{{"binary_data_output":true}}{}}})",
                values.size(), values.size_bytes(), more);
  std::string body = json;
  body.append(static_cast<const char*>(static_cast<const void*>(values.data())),
              values.size_bytes());
  return post(kInfer, body, formatted("Inference-Header-Content-Length: {}\r\n", json.size()));
}

template <class Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

TEST(Serving, answers_an_inference_in_json) {
  RunningGateway gateway;
  const auto answer = ask(gateway, post(kInfer, kJsonRequest));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            R"({"model_name":"double","model_version":"1","id":"7","outputs":[)"
            R"({"name":"y","datatype":"FP32","shape":[1,4],"data":[2.0,4.0,6.0,9.0]}]})");
  EXPECT_EQ(answer.header("Inference-Header-Content-Length"), std::nullopt);
}

TEST(Serving, answers_an_inference_in_binary) {
  RunningGateway gateway;
  const float values[] = {1, -2, 0.5f, 1e10f};
  const auto answer = ask(gateway, binary_request(values));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const size_t json_size = std::stoul(*answer.header("Inference-Header-Content-Length"));
  const Json json = Json::parse(answer.body.substr(0, json_size));
  EXPECT_EQ(json["outputs"][0]["parameters"]["binary_data_size"], 16);
  float results[4];
  ASSERT_EQ(answer.body.size(), json_size + sizeof results);
  std::memcpy(results, answer.body.data() + json_size, sizeof results);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(results[i], 2 * values[i]);
}

TEST(Serving, reads_a_compressed_binary_request) {
  RunningGateway gateway;
  const float values[] = {1, 2, 3, 4};
  const std::string plain = binary_request(values);
  const std::string body = plain.substr(plain.find("\r\n\r\n") + 4);
  std::string packed(1000, '\0');
  uLongf size = packed.size();
  const Bytes bytes = bytes_of(std::string_view(body));
  ASSERT_EQ(::compress(static_cast<Bytef*>(static_cast<void*>(packed.data())), &size, bytes.data(),
                       bytes.size()),
            Z_OK);
  packed.resize(size);
  // The header's length is that of the decompressed JSON.
  const auto answer =
      ask(gateway,
          post(kInfer, packed,
               formatted("Content-Encoding: deflate\r\nInference-Header-Content-Length: {}\r\n",
                         body.size() - sizeof values)));
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST(Serving, answers_a_raw_request_in_binary) {
  RunningGateway gateway;
  const auto answer =
      ask(gateway, post(kInfer, std::string(16, '\0'), "Inference-Header-Content-Length: 0\r\n"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_TRUE(answer.header("Inference-Header-Content-Length"));
}

TEST(Serving, the_version_may_be_named) {
  RunningGateway gateway;
  EXPECT_EQ(status(gateway, post("/v2/models/double/versions/1/infer", kJsonRequest)), 200);
  EXPECT_EQ(status(gateway, post("/v2/models/double/versions/2/infer", kJsonRequest)), 404);
  for (const std::string_view version : {"0x1", "-1", "1a", "99999999999", "%31%00", ".."})
    EXPECT_EQ(status(gateway, get(formatted("/v2/models/double/versions/{}", version))), 404);
  EXPECT_EQ(status(gateway, get("/v2/models/double/versions/%31")), 200);
}

TEST(Serving, serves_the_highest_version_unless_told_otherwise) {
  RunningGateway gateway;
  gateway.run([&] {
    Model* second = *gateway.serving().models().add("double", 12);
    ASSERT_TRUE(second->attach(std::make_unique<FakeChannel>(), doubling_description(4, 0)));
  });
  const auto answer = ask(gateway, post(kInfer, kJsonRequest));
  EXPECT_EQ(Json::parse(answer.body)["model_version"], "12");
  const Json metadata = Json::parse(ask(gateway, get("/v2/models/double")).body);
  EXPECT_EQ(metadata["versions"], Json::parse(R"(["1","12"])"));
}

TEST(Serving, health_and_metadata_are_where_clients_look) {
  RunningGateway gateway;
  for (const std::string_view path :
       {"/v2", "/v2/", "/v2/health/live", "/v2/health/ready", "/v2/models/double",
        "/v2/models/double/ready", "/v2/models/double/versions/1",
        "/v2/models/double/versions/1/ready", "/v2/models/double/config", "/v2/models/double/stats",
        "/v2/models/stats", "/v2/models/double/versions/1/stats"}) {
    const auto answer = ask(gateway, get(path));
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_TRUE(Json::accept(answer.body)) << path << answer.body;
  }
  const Json server = Json::parse(ask(gateway, get("/v2")).body);
  EXPECT_EQ(server["name"], "casemate");
  EXPECT_TRUE(std::ranges::contains(server["extensions"], "binary_tensor_data"));
  const Json metadata = Json::parse(ask(gateway, get("/v2/models/double")).body);
  EXPECT_EQ(metadata["inputs"][0]["shape"], Json::parse("[-1,4]"));
  EXPECT_EQ(metadata["properties"]["task"], "doubling");
}

TEST(Serving, the_repository_index_tells_state_and_reason) {
  RunningGateway gateway;
  const Json index = Json::parse(ask(gateway, post("/v2/repository/index", "")).body);
  EXPECT_EQ(index, Json::parse(R"([{"name":"double","version":"1","state":"READY","reason":""}])"));
  gateway.run([&] { gateway.model().give_up("the device is lost"); });
  const Json after = Json::parse(ask(gateway, post("/v2/repository/index", "{}")).body);
  EXPECT_EQ(after[0]["state"], "UNAVAILABLE");
  EXPECT_EQ(after[0]["reason"], "the device is lost");
  EXPECT_EQ(ask(gateway, post("/v2/repository/index", R"({"ready":true})")).body, "[]");
  EXPECT_EQ(status(gateway, post("/v2/repository/index", "[]")), 400);
}

TEST(Serving, load_and_unload_are_refused_with_the_reason) {
  RunningGateway gateway;
  for (const std::string_view verb : {"load", "unload"}) {
    const auto answer = ask(gateway, post(formatted("/v2/repository/models/double/{}", verb), ""));
    EXPECT_EQ(answer.status, 501);
    EXPECT_NE(error_of(answer).find("fixed when the gateway starts"), std::string::npos);
  }
}

TEST(Serving, wrong_methods_are_405_with_the_right_one) {
  RunningGateway gateway;
  const auto got = ask(gateway, get(kInfer));
  EXPECT_EQ(got.status, 405);
  EXPECT_EQ(got.header("Allow"), "POST");
  const auto posted = ask(gateway, post("/v2/health/live", ""));
  EXPECT_EQ(posted.status, 405);
  EXPECT_EQ(posted.header("Allow"), "GET, HEAD");
}

TEST(Serving, head_is_answered_as_get_is_but_for_the_body) {
  RunningGateway gateway;
  TlsClient client(gateway.port());
  for (const std::string_view path : {"/v2", "/v2/health/live", "/v2/health/ready",
                                      "/v2/models/double/ready", "/v2/models/nobody"}) {
    const auto got = client.exchange(get(path));
    ASSERT_TRUE(got);
    ASSERT_TRUE(client.send(formatted("HEAD {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path)));
    const auto head = client.receive(true);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status, got->status) << path;
    EXPECT_EQ(head->header("Content-Length"), std::to_string(got->body.size()));
    EXPECT_EQ(head->header("Content-Type"), got->header("Content-Type"));
  }
  ASSERT_TRUE(client.send(formatted("HEAD {} HTTP/1.1\r\nHost: localhost\r\n\r\n", kInfer)));
  const auto refused = client.receive(true);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 405);
  EXPECT_EQ(refused->header("Allow"), "POST");
  EXPECT_EQ(client.exchange(get("/v2/health/live"))->body, "{\"live\":true}");
}

TEST(HostileNames, are_decoded_once_and_then_checked) {
  RunningGateway gateway;
  for (const std::string_view name :
       {"..", "%2e%2e%2f", "%2e%2e", "a%2fb", "%20double", "double%20", "%00", "double%00", "%ff",
        "%252e", "a:b", ".hidden", "%22%3e%3cscript"}) {
    const auto answer = ask(gateway, get(formatted("/v2/models/{}/ready", name)));
    EXPECT_EQ(answer.status, 400) << name;
    EXPECT_FALSE(error_of(answer).empty());
  }
  EXPECT_EQ(status(gateway, get("/v2/models/a/../../b")), 404);
  EXPECT_EQ(status(gateway, get("/v2/models//ready")), 400);
  EXPECT_EQ(status(gateway, get("/v2/models/%d")), 400);
  EXPECT_EQ(status(gateway, get("/v2/models/%")), 400);
  EXPECT_EQ(status(gateway, get("/v2/models/nobody/ready")), 404);
  EXPECT_EQ(status(gateway, get("/v2/models/" + std::string(10'000, 'a'))), 400);
  EXPECT_EQ(status(gateway, get("/v2/models/" + std::string(64 << 10, 'a'))), 431);
  EXPECT_EQ(status(gateway, get("/v2/models/%64ouble/ready")), 200);
  EXPECT_EQ(status(gateway, get("https://localhost:8000/v2/models/double/ready?x=y")), 200);
  EXPECT_EQ(status(gateway, get("/v1/models/double")), 404);
  EXPECT_EQ(status(gateway, get("/v2/model/double")), 404);
}

TEST(HostileRequests, are_a_4xx_that_names_the_field_and_model_and_connection_survive) {
  RunningGateway gateway;
  TlsClient client(gateway.port());
  const std::pair<std::string_view, std::string_view> mistakes[] = {
      {R"({"inputs":[{"name":"z","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]})", "'z'"},
      {R"({"inputs":[{"name":"x","shape":[-1,4],"datatype":"FP32","data":[1,2,3,4]}]})", "-1"},
      {R"({"inputs":[{"name":"x","shape":[9,4],"datatype":"FP32","data":[]}]})", "[9,4]"},
      {R"({"inputs":[{"name":"x","shape":[1,4],"datatype":"INT8","data":[1,2,3,4]}]})", "INT8"},
      {"not json", "byte"},
      {"", "byte"},
  };
  for (const auto& [body, part] : mistakes) {
    const auto answer = client.exchange(post(kInfer, body));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 400);
    EXPECT_NE(error_of(*answer).find(part), std::string::npos) << answer->body;
  }
  EXPECT_EQ(client.exchange(post(kInfer, kJsonRequest))->status, 200);
}

TEST(HostileRequests, a_binary_body_with_the_json_content_type_is_still_read) {
  RunningGateway gateway;
  const float values[] = {1, 2, 3, 4};
  std::string request = binary_request(values);
  request.insert(request.find("\r\n") + 2, "Content-Type: application/json\r\n");
  EXPECT_EQ(status(gateway, request), 200);
}

TEST(HostileRequests, tensors_that_unfold_from_json_count_against_the_memory) {
  RunningGateway gateway({.http = {.buffered_bytes = 70'000}, .width = 20'000});
  std::string body = R"({"inputs":[{"name":"x","shape":[1,20000],"datatype":"FP32","data":[1)";
  for (int i = 1; i < 20'000; ++i) body += ",1";  // 40 KB that become 80 KB
  EXPECT_EQ(status(gateway, post(kInfer, body + "]}]}")), 503);
  ServerCounters counters;
  gateway.run([&] { counters = gateway.server().counters(); });
  EXPECT_EQ(counters.buffered_bytes, 0u);
}

TEST(HostileRequests, too_much_json_is_refused_by_size) {
  RunningGateway gateway({.serving = {.json_bytes = 100}});
  EXPECT_EQ(status(gateway, post(kInfer, std::string(101, ' '))), 413);
}

TEST(Evidence, comes_for_the_nonce_the_connection_and_the_model_that_asked) {
  RunningGateway gateway;
  TlsClient client(gateway.port());
  Nonce nonce{};
  nonce.fill(0xAA);
  const auto answer =
      client.exchange(get("/v2/casemate/evidence?model=double&nonce=" + to_hex(nonce)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->header("Content-Type"), "application/cbor");
  EXPECT_EQ(answer->body, "double 1" + std::string(text_of(proof_nonce(nonce, client.binding()))));
  EXPECT_EQ(ask(gateway, get("/v2/casemate/evidence")).body, "");
  EXPECT_EQ(status(gateway, get("/v2/casemate/evidence")), 200);
}

TEST(Evidence, is_asked_for_by_a_bounded_number_at_once) {
  RunningGateway gateway({.serving = {.evidence_pending = 0}});
  const auto answer = ask(gateway, get("/v2/casemate/evidence"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
}

TEST(Evidence, questions_that_make_no_sense_are_refused) {
  RunningGateway gateway;
  for (const std::string_view query :
       {"nonce=", "nonce=12", "nonce=zz", "nonce", "model=..", "nonce=%", "model=%zz"})
    EXPECT_EQ(status(gateway, get(formatted("/v2/casemate/evidence?{}", query))), 400) << query;
  EXPECT_EQ(status(gateway, get("/v2/casemate/evidence?model=nobody")), 404);
  EXPECT_EQ(status(gateway, get("/v2/casemate/evidence?model=double&version=2")), 404);
  const auto nameless = ask(gateway, get("/v2/casemate/evidence?version=1"));
  EXPECT_EQ(nameless.status, 400);
  EXPECT_TRUE(error_of(nameless).contains("parameter model")) << nameless.body;
}

TEST(Failures, a_model_that_restarts_is_unready_alone_and_its_requests_survive) {
  RunningGateway gateway({.channel = {.hold = true}});
  gateway.run([&] {
    Model* other = *gateway.serving().models().add("other", 1);
    ASSERT_TRUE(other->attach(std::make_unique<FakeChannel>(), doubling_description(4, 0)));
  });
  TlsClient client(gateway.port());
  ASSERT_TRUE(client.send(post(kInfer, kJsonRequest)));
  ASSERT_TRUE(soon([&] { return gateway.channel().started() == 1; }));
  gateway.channel().fail_now();
  ASSERT_TRUE(soon([&] { return status(gateway, get("/v2/models/double/ready")) == 503; }));
  EXPECT_EQ(status(gateway, get("/v2/models/other/ready")), 200);
  EXPECT_EQ(status(gateway, get("/v2/health/ready")), 200);
  EXPECT_EQ(status(gateway, get("/v2/models/double")), 200) << "its metadata are known";
  gateway.attach();
  gateway.channel().complete_held();
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_NE(answer->body.find("[2.0,4.0,6.0,9.0]"), std::string::npos);
}

TEST(Failures, a_model_that_was_given_up_answers_503_with_the_reason) {
  RunningGateway gateway;
  gateway.run([&] { gateway.model().give_up("restarted too often"); });
  const auto answer = ask(gateway, post(kInfer, kJsonRequest));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_NE(error_of(answer).find("restarted too often"), std::string::npos);
  EXPECT_EQ(status(gateway, get("/v2/models/double/ready")), 503);
}

TEST(Failures, before_the_first_channel_nothing_is_ready) {
  RunningGateway gateway({.attach = false});
  EXPECT_EQ(status(gateway, get("/v2/health/live")), 200);
  EXPECT_EQ(status(gateway, get("/v2/health/ready")), 503);
  EXPECT_EQ(status(gateway, get("/v2/models/double/ready")), 503);
  EXPECT_EQ(status(gateway, get("/v2/models/double")), 503);
  EXPECT_EQ(status(gateway, post(kInfer, kJsonRequest)), 503);
}

TEST(Failures, a_model_that_refuses_is_an_error_of_that_request) {
  RunningGateway gateway({.channel = {.answer = Code::kPlatform}});
  EXPECT_EQ(status(gateway, post(kInfer, kJsonRequest)), 500);
  EXPECT_EQ(status(gateway, get("/v2/models/double/ready")), 200);
}

TEST(Queue, is_bounded_and_the_surplus_is_told_to_come_back) {
  RunningGateway gateway({.channel = {.slots = 1, .hold = true}});
  std::vector<TlsClient> clients;
  for (uint32_t i = 0; i < limits::kModelQueue + 1; ++i) {
    clients.emplace_back(gateway.port());
    ASSERT_TRUE(clients.back().send(post(kInfer, kJsonRequest)));
  }
  const auto queued = [&] {
    size_t count = 0;
    gateway.run([&] { count = gateway.model().queued(); });
    return count;
  };
  ASSERT_TRUE(soon([&] { return queued() == limits::kModelQueue; }));
  const auto surplus = ask(gateway, post(kInfer, kJsonRequest));
  EXPECT_EQ(surplus.status, 503);
  EXPECT_EQ(surplus.header("Retry-After"), "1");
  gateway.channel().complete_held();
  for (TlsClient& client : clients) EXPECT_EQ(client.receive()->status, 200);
}

TEST(Queue, a_request_may_say_how_long_it_waits_and_nobody_is_told_to_send_it_again) {
  RunningGateway gateway({.channel = {.hold = true}});
  const auto answer =
      ask(gateway, post(kInfer, R"({"parameters":{"timeout":20000},"inputs":[{"name":"x",)"
                                R"("shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]})"));
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.header("Retry-After"), std::nullopt) << "it may run still";
  EXPECT_NE(error_of(answer).find("timed out"), std::string::npos);
}

TEST(Queue, nobody_waits_longer_than_the_server_allows) {
  RunningGateway gateway({.serving = {.timeout = milliseconds(100)}, .channel = {.hold = true}});
  const auto answer =
      ask(gateway, post(kInfer, R"({"parameters":{"timeout":600000000},"inputs":[{"name":"x",)"
                                R"("shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]})"));
  EXPECT_EQ(answer.status, 504);
}

TEST(Queue, a_client_that_goes_is_cancelled_and_counted) {
  RunningGateway gateway({.channel = {.slots = 1, .hold = true}});
  TlsClient first(gateway.port());
  ASSERT_TRUE(first.send(post(kInfer, kJsonRequest)));
  ASSERT_TRUE(soon([&] { return gateway.channel().started() == 1; }));
  TlsClient second(gateway.port());
  ASSERT_TRUE(second.send(post(kInfer, kJsonRequest)));
  second.vanish();
  EXPECT_TRUE(soon([&] {
    return ask(gateway, get("/metrics"))
               .body.find(
                   "nv_inference_request_failure{model=\"double\",version=\"1\",reason="
                   "\"CANCELED\"} 1") != std::string::npos;
  }));
  gateway.channel().complete_held();
  EXPECT_EQ(first.receive()->status, 200);
}

TEST(Metrics, count_what_happened_under_tritons_names) {
  RunningGateway gateway;
  const std::string_view two =
      R"({"inputs":[{"name":"x","shape":[2,4],"datatype":"FP32","data":[1,2,3,4,5,6,7,8]}]})";
  TlsClient client(gateway.port());
  EXPECT_EQ(client.exchange(post(kInfer, two))->status, 200);
  EXPECT_EQ(client.exchange(post(kInfer, "{}"))->status, 400);
  const auto answer = client.exchange(get("/metrics"));
  for (const std::string_view line :
       {"nv_inference_request_success{model=\"double\",version=\"1\"} 1\n",
        "nv_inference_count{model=\"double\",version=\"1\"} 2\n",
        "nv_inference_exec_count{model=\"double\",version=\"1\"} 1\n",
        "nv_inference_request_failure{model=\"double\",version=\"1\",reason=\"OTHER\"} 1\n",
        "casemate_model_ready{model=\"double\",version=\"1\"} 1\n", "casemate_connections 1\n"})
    EXPECT_NE(answer->body.find(line), std::string::npos) << line << answer->body;
  const Json stats = Json::parse(client.exchange(get("/v2/models/double/stats"))->body);
  EXPECT_EQ(stats["model_stats"][0]["inference_count"], 2);
  EXPECT_EQ(stats["model_stats"][0]["inference_stats"]["success"]["count"], 1);
}

TEST(Serving, large_tensors_pass_in_both_directions) {
  RunningGateway gateway({.width = 1 << 20});
  std::vector<float> values(1 << 20);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1000);
  const auto answer = ask(gateway, binary_request(values));
  ASSERT_EQ(answer.status, 200);
  std::vector<float> results(values.size());
  const size_t bytes = results.size() * sizeof(float);
  ASSERT_GT(answer.body.size(), bytes);
  std::memcpy(results.data(), answer.body.data() + answer.body.size() - bytes, bytes);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(results[i], 2 * values[i]) << i;
}

TEST(Serving, many_clients_at_once_each_get_their_own_answer) {
  RunningGateway gateway;
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      TlsClient client(gateway.port());
      for (int i = 0; i < 200; ++i) {
        const float values[] = {static_cast<float>(t), static_cast<float>(i), 0, 0};
        const auto answer = client.exchange(binary_request(values));
        float results[4] = {};
        if (answer && answer->body.size() > sizeof results)
          std::memcpy(results, answer->body.data() + answer->body.size() - sizeof results,
                      sizeof results);
        if (!answer || results[0] != 2 * values[0] || results[1] != 2 * values[1]) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Serving, clients_notice_nothing_of_partitions_that_fail_all_the_time) {
  RunningGateway gateway;
  std::atomic<bool> stop = false;
  std::atomic<int> answers = 0, errors = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      TlsClient client(gateway.port());
      while (!stop) {
        const auto answer = client.exchange(post(kInfer, kJsonRequest));
        if (!answer || answer->status != 200) ++errors;
        ++answers;
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    std::this_thread::sleep_for(milliseconds(5));
    gateway.run([&] { gateway.model().fail(gateway.channel()); });
    gateway.attach();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(answers, 50);
  EXPECT_EQ(errors, 0);
}

}  // namespace
}  // namespace casemate::gateway
