// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/model_table.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "base/log.h"

namespace casemate::gateway {
namespace {

bool name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

Status check_model_name(std::string_view name) {
  if (!name.empty() && name.size() < limits::kName && name.front() != '.' &&
      std::ranges::all_of(name, name_character))
    return {};
  return Error{Code::kInvalid,
               formatted("'{}' is no model name: those are 1 to {} letters, digits, '.', '_' or "
                         "'-', and do not begin with '.'",
                         printable(name, 64), limits::kName - 1)};
}

ModelTable::ModelTable(Loop& loop, Answering& answering)
    : loop_(loop), answering_(answering), expiry_(loop, [this] { expire(); }) {}

Result<Model*> ModelTable::add(std::string_view name, uint32_t version) {
  TRY(check_model_name(name));
  auto& place = models_[std::string(name)][version];
  if (place != nullptr)
    return Error{Code::kInvalid,
                 formatted("model '{}' version {} is served already", name, version)};
  place = std::make_unique<Model>(loop_, answering_, std::string(name), version);
  return place.get();
}

void ModelTable::remove(Model& model, std::string reason) {
  model.give_up(std::move(reason));
  const auto versions = models_.find(model.name());
  versions->second.erase(model.version_number());
  if (versions->second.empty()) models_.erase(versions);
}

Result<Model*> ModelTable::find(std::string_view name, std::string_view version) const {
  TRY(check_model_name(name));
  const auto versions = models_.find(name);
  if (versions == models_.end())
    return Error{Code::kNotFound, formatted("there is no model '{}'; POST /v2/repository/index "
                                            "lists those there are",
                                            name)};
  if (version.empty()) return versions->second.rbegin()->second.get();
  uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  const bool sound = error == std::errc() && end == version.data() + version.size();
  const auto found = sound ? versions->second.find(number) : versions->second.end();
  if (found == versions->second.end())
    return Error{Code::kNotFound,
                 formatted("model '{}' has no version '{}'", name, printable(version, 20))};
  return found->second.get();
}

std::vector<Model*> ModelTable::models() const {
  std::vector<Model*> all;
  for (const auto& [name, versions] : models_)
    for (const auto& [version, model] : versions) all.push_back(model.get());
  return all;
}

std::vector<std::string> ModelTable::versions(std::string_view name) const {
  std::vector<std::string> texts;
  const auto versions = models_.find(name);
  if (versions == models_.end()) return texts;
  for (const auto& [version, model] : versions->second) texts.push_back(model->version());
  return texts;
}

Status ModelTable::submit(Model& model, std::unique_ptr<Inference> inference) {
  const Instant deadline = inference->deadline;
  TRY(model.submit(std::move(inference)));
  if (deadline < expiry_.due()) expiry_.set(deadline);
  return {};
}

void ModelTable::cancel(CallId call) {
  for (const auto& [name, versions] : models_)
    for (const auto& [version, model] : versions)
      if (model->cancel(call)) return;
}

void ModelTable::expire() {
  Instant next = Instant::max();
  for (Model* model : models()) next = std::min(next, model->expire(loop_.now()));
  if (next < expiry_.due()) expiry_.set(next);
}

}  // namespace casemate::gateway
