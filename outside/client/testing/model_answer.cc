// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/format.h"
#include "outside/client/testing/test_server.h"

namespace casemate::client::testing {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kModels = "/v2/models/";
constexpr size_t kDigits = 10;

std::string digits_metadata() {
  return R"({"name": "digits", "versions": ["1"], "platform": "onnx_onnxv1",
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 28, 28]}],
    "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}],
    "properties": {"casemate.input.image.size": "28x28", "casemate.input.image.color": "grey",
      "casemate.input.image.scale": "0.00392156862745098", "casemate.input.image.mean": "0",
      "casemate.input.image.std": "1",
      "casemate.labels": "zero,one,two,three,four,five,six,seven,eight,nine"}})";
}

std::string echo_metadata(std::string_view name) {
  return formatted(R"({{"name": "{}", "platform": "test",
    "inputs": [{{"name": "x", "datatype": "FP32", "shape": [-1]}},
               {{"name": "y", "datatype": "INT64", "shape": [-1, 2]}}],
    "outputs": [{{"name": "x", "datatype": "FP32", "shape": [-1]}},
                {{"name": "y", "datatype": "INT64", "shape": [-1, 2]}}]}})",
                   name);
}

std::string binary_answer(const Json& json, std::string_view data) {
  const std::string head = json.dump();
  return http(200, head + std::string(data),
              formatted("Inference-Header-Content-Length: {}\r\n", head.size()));
}

// 0.91 for the digit that the mean brightness stands for.
std::string digits_answer(std::string_view pixels) {
  double sum = 0;
  const size_t count = pixels.size() / sizeof(float);
  for (size_t i = 0; i < count; ++i)
    sum += static_cast<double>(load<float>(bytes_of(pixels).subspan(i * sizeof(float))));
  std::array<float, kDigits> result;
  result.fill(0.01f);
  const double mean = count == 0 ? 0 : sum / static_cast<double>(count);
  result[static_cast<size_t>(std::clamp(std::lround(9 * mean), 0l, 9l))] = 0.91f;
  const Json json = {{"model_name", "digits"},
                     {"outputs",
                      {{{"name", "probabilities"},
                        {"datatype", "FP32"},
                        {"shape", {1, kDigits}},
                        {"parameters", {{"binary_data_size", sizeof result}}}}}}};
  return binary_answer(json, text_of(bytes_of(result)));
}

std::string infer_answer(const std::string& model, const HttpRequest& request) {
  const auto size = request.headers.find("inference-header-content-length");
  if (size == request.headers.end()) return http(400, R"({"error": "send binary tensors"})");
  const size_t head = std::stoul(size->second);
  const Json json = Json::parse(request.body.substr(0, head));
  const std::string_view data = std::string_view(request.body).substr(head);
  if (model == "digits") return digits_answer(data);
  return binary_answer({{"model_name", model}, {"outputs", json["inputs"]}}, data);
}

}  // namespace

std::string model_answer(const HttpRequest& request) {
  if (request.target == "/v2/repository/index") {
    return http(200, R"([{"name": "digits", "version": "1", "state": "READY", "reason": ""},
      {"name": "echo", "version": "1", "state": "UNAVAILABLE", "reason": "starting"}])");
  }
  if (!request.target.starts_with(kModels)) return http(404, R"({"error": "no such path"})");
  std::string name = request.target.substr(kModels.size());
  const bool infer = name.ends_with("/infer");
  if (infer) name.resize(name.size() - std::string_view("/infer").size());
  if (name == "missing") return http(404, R"({"error": "there is no model named 'missing'"})");
  if (infer) return infer_answer(name, request);
  return http(200, name == "digits" ? digits_metadata() : echo_metadata(name));
}

}  // namespace casemate::client::testing
