// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/divide.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "outside/cli/inspector.h"

namespace casemate::cli {
namespace {

using Json = nlohmann::json;
using launch::ModelFiles;
using launch::ModelSettings;

constexpr int kSeconds = 300;
// Of which the best counts.
constexpr int kRounds = 3;
constexpr const char* kProcessor = "cpu:0";

// The processor first: it runs what the others do not take.
std::vector<std::string> devices_of(const ModelSettings& model) {
  std::vector<std::string> devices = {kProcessor};
  for (const std::string& device : model.devices) {
    if (device != kProcessor) devices.push_back(device);
  }
  return devices;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

std::vector<std::string> question_of(const ModelSettings& model, const ModelFiles& files) {
  std::vector<std::string> words = {"plan", "json=1", formatted("seconds={}", kSeconds),
                                    formatted("rounds={}", kRounds),
                                    "devices=" + joined(devices_of(model))};
  if (!model.prefer.empty()) words.push_back("prefer=" + model.prefer);
  if (files.files.size() > 1) words.emplace_back("external_data=1");
  if (model.shapes.empty()) return words;
  for (const auto& [name, extent] : model.shapes.front())
    words.push_back(formatted("shape={}={}", name, extent));
  return words;
}

// "0*12,1*3": runs of nodes on one device. Empty for what is no list of devices.
std::string runs_of(const Json& answer, size_t devices) {
  if (!answer.is_object() || !answer.contains("on") || !answer["on"].is_array()) return {};
  std::string text;
  uint64_t run = 0;
  const Json& on = answer["on"];
  for (size_t i = 0; i < on.size(); ++i) {
    if (!on[i].is_number_unsigned() || on[i].get<uint64_t>() >= devices) return {};
    ++run;
    if (i + 1 < on.size() && on[i + 1] == on[i]) continue;
    text += formatted("{}{}*{}", text.empty() ? "" : ",", on[i].get<uint64_t>(), run);
    run = 0;
  }
  return text;
}

Status divide_one(ModelSettings& model, const ModelFiles& files, const std::string& programs) {
  const auto refused = [&](const Error& error) {
    return Error{error.code, formatted("{}: model '{}' cannot be cut over {}: {}", model.place,
                                       model.name, joined(devices_of(model)), error.text)};
  };
  InspectorLimits limits{.external_data = files.files.size() > 1};
  limits.patience = std::chrono::seconds(kSeconds);
  const auto answer = inspect(programs + "/casemate-inspect", files.folder + "/model.onnx",
                              question_of(model, files), limits);
  if (!answer) return refused(answer.error());
  if (answer->refusal) return refused(*answer->refusal);
  const auto devices = devices_of(model);
  const std::string runs = runs_of(Json::parse(answer->text, nullptr, false), devices.size());
  if (runs.empty())
    return refused({Code::kPartitionFailed, "what casemate-inspect said is no cut"});
  // What runs on the processor alone is no cut: it needs nobody else.
  model.cut = runs.contains(',') || !runs.starts_with("0*")
                  ? formatted("{}/{}", joined(devices), runs)
                  : std::string();
  return {};
}

}  // namespace

Status divide(launch::SystemFile& file, const std::vector<ModelFiles>& models,
              const std::string& programs) {
  for (ModelSettings& model : file.models) {
    const auto files = std::ranges::find(models, model.name, &ModelFiles::name);
    if (files == models.end() || devices_of(model).size() == 1) continue;
    // To be cut it would have to be read, and what other enclaves get of it would leave its own.
    if (files->sealed()) {
      return Error{Code::kUnsupported,
                   formatted("{}: model '{}' is sealed, and cannot be cut over {}; leave out its "
                             "devices",
                             model.place, model.name, joined(devices_of(model)))};
    }
    TRY(divide_one(model, *files, programs));
  }
  return {};
}

}  // namespace casemate::cli
