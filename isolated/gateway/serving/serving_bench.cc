// SPDX-License-Identifier: Apache-2.0
// Prints what one small inference costs the gateway, without a model: a digit's 784 floats in,
// 10 floats out, over TLS on loopback with connections that stay open. Server and client have a
// thread each; the server's processor time is the server thread's own, kernel included.
//
//   serving_bench [seconds per line]

#include <sys/eventfd.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/format.h"
#include "isolated/gateway/loopback/running_gateway.h"

namespace casemate::gateway {
namespace {

constexpr int64_t kPixels = 784;
constexpr int64_t kClasses = 10;

ModelDescription digit_description() {
  ModelDescription model;
  model.input_count = model.output_count = 1;
  model.batch_max = 64;
  model.inputs[0] = port("image", ElementType::kFloat32, {-1, kPixels});
  model.outputs[0] = port("scores", ElementType::kFloat32, {-1, kClasses});
  return model;
}

// Answers at once with the image's first pixels.
class DigitChannel final : public Channel {
 public:
  DigitChannel() : bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  [[nodiscard]] uint32_t slots() const override { return limits::kStreamSlots; }
  Status start(uint64_t ticket, std::span<const TensorView> inputs) override {
    Scores& scores = scores_[ticket % scores_.size()];
    std::copy_n(inputs[0].data.begin(), scores.size(), scores.begin());
    started_.push_back(ticket);
    const uint64_t one = 1;
    (void)!::write(bell_.number(), &one, sizeof one);
    return {};
  }
  void poll(std::vector<Completion>& completions) override {
    for (const uint64_t ticket : started_) {
      Completion& completion = completions.emplace_back();
      completion.ticket = ticket;
      completion.outputs.push_back(
          {ElementType::kFloat32, {1, kClasses}, scores_[ticket % scores_.size()]});
    }
    started_.clear();
  }
  void release(uint64_t) override {}
  [[nodiscard]] int bell() const override { return bell_.number(); }
  [[nodiscard]] bool failed() const override { return false; }

 private:
  using Scores = ByteArray<kClasses * sizeof(float)>;
  Fd bell_;
  std::vector<uint64_t> started_;
  std::array<Scores, limits::kStreamSlots> scores_{};
};

std::string binary_request() {
  const std::string json =
      formatted(R"({{"inputs":[{{"name":"image","shape":[1,{0}],"datatype":"FP32","parameters":)"
                R"({{"binary_data_size":{1}}}}}],"parameters":{{"binary_data_output":true}}}})",
                kPixels, kPixels * 4);
  return post("/v2/models/digits/infer", json + std::string(kPixels * 4, '\0'),
              formatted("Inference-Header-Content-Length: {}\r\n", json.size()));
}

std::string json_request() {
  std::string data;
  for (int i = 0; i < kPixels; ++i) data += formatted("{}0.{:03}", i == 0 ? "" : ",", i);
  return post("/v2/models/digits/infer",
              formatted(R"({{"inputs":[{{"name":"image","shape":[1,{}],"datatype":"FP32",)"
                        R"("data":[{}]}}]}})",
                        kPixels, data));
}

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Each connection has one request on its way at a time.
void measure(RunningGateway& gateway, const char* what, const std::string& request,
             size_t connections, double seconds) {
  std::vector<TlsClient> clients;
  for (size_t i = 0; i < connections; ++i) clients.emplace_back(gateway.port());
  std::vector<double> latencies;
  uint64_t requests = 0;
  double cpu = 0;
  gateway.run([&] { cpu = -thread_seconds(); });
  const double began = now_seconds();
  double ended = began;
  while (ended - began < seconds) {
    const double sent = now_seconds();
    for (TlsClient& client : clients) CHECK(client.send(request), "the gateway listens");
    for (TlsClient& client : clients) {
      const auto answer = client.receive();
      CHECK(answer && answer->status == 200, "the gateway answers");
    }
    ended = now_seconds();
    latencies.push_back((ended - sent) * 1e6);
    requests += connections;
  }
  gateway.run([&] { cpu += thread_seconds(); });
  std::ranges::sort(latencies);
  const auto count = static_cast<double>(requests);
  std::printf("%-22s %3zu connections  %8.0f requests/s  %6.2f us server CPU each", what,
              connections, count / (ended - began), cpu * 1e6 / count);
  if (connections == 1)
    std::printf("  latency p50 %.0f us, p99 %.0f us", latencies[latencies.size() / 2],
                latencies[latencies.size() * 99 / 100]);
  std::printf("\n");
}

// Connections one after the other: what a full handshake costs.
void measure_handshakes(RunningGateway& gateway, double seconds) {
  double cpu = 0;
  uint64_t count = 0;
  gateway.run([&] { cpu = -thread_seconds(); });
  const double began = now_seconds();
  while (now_seconds() - began < seconds) {
    CHECK(TlsClient(gateway.port()).connected(), "the gateway listens");
    ++count;
  }
  const double took = now_seconds() - began;
  gateway.run([&] { cpu += thread_seconds(); });
  std::printf("%-22s                  %8.0f handshakes/s %6.0f us server CPU each\n", "handshakes",
              static_cast<double>(count) / took, cpu * 1e6 / static_cast<double>(count));
}

}  // namespace
}  // namespace casemate::gateway

int main(int argc, char** argv) {
  using namespace casemate::gateway;
  const double seconds = argc > 1 ? std::atof(argv[1]) : 3;
  RunningGateway gateway;
  gateway.run([&] {
    Model* model = *gateway.serving().models().add("digits", 1);
    CHECK(model->attach(std::make_unique<DigitChannel>(), digit_description()).has_value(), "");
  });
  for (const size_t connections : {1, 32}) {
    measure(gateway, "binary 3 KB", binary_request(), connections, seconds);
    measure(gateway, "JSON 784 numbers", json_request(), connections, seconds);
    measure(gateway, "GET /v2/health/live", get("/v2/health/live"), connections, seconds);
  }
  measure_handshakes(gateway, seconds);
}
