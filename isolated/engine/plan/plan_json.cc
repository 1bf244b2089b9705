// SPDX-License-Identifier: Apache-2.0
// A plan's data as JSON, and back.
#include <limits>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/limits.h"
#include "isolated/engine/plan/plan_data.h"

namespace casemate::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr const char* kKinds[] = {"none", "arena", "input", "output"};

Json json_of(const Place& place) {
  Json json = {{"in", kKinds[static_cast<size_t>(place.kind)]}};
  if (place.kind == Place::Kind::kInput || place.kind == Place::Kind::kOutput)
    json["index"] = place.index;
  if (place.kind == Place::Kind::kArena) json["offset"] = place.offset;
  if (place.kind != Place::Kind::kNone) json["bytes"] = place.bytes;
  return json;
}

Json json_of(const std::vector<Place>& places) {
  Json list = Json::array();
  for (const Place& place : places) list.push_back(json_of(place));
  return list;
}

Json json_of(const StepData& step) {
  return {{"name", step.name},
          {"operator", step.op},
          {"kernel", step.implementation},
          {"layouts", step.layouts},
          {"slow", step.slow},
          {"inputs", json_of(step.inputs)},
          {"outputs", json_of(step.outputs)},
          {"scratch", json_of(step.scratch)},
          {"flops", step.flops},
          {"bytes", step.bytes}};
}

Json json_of(const std::vector<PlanData::Tensor>& tensors) {
  Json list = Json::array();
  for (const PlanData::Tensor& tensor : tensors) {
    list.push_back(
        {{"type", name_of(tensor.type)}, {"shape", tensor.shape.dims()}, {"bytes", tensor.bytes}});
  }
  return list;
}

// Reads one object; the first member that is missing or wrong is remembered, and what is read then
// is zero.
class Reading final {
 public:
  Reading(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
    if (!json.is_object()) refuse("is no object");
  }

  template <class T>
  T number(const char* name) {
    const Json& value = member(name);
    if (std::is_unsigned_v<T> ? value.is_number_unsigned() : value.is_number_integer()) {
      const auto read = value.get<std::conditional_t<std::is_unsigned_v<T>, uint64_t, int64_t>>();
      if (std::in_range<T>(read)) return static_cast<T>(read);
    }
    refuse(formatted("has no number '{}' that fits", name));
    return 0;
  }
  std::string text(const char* name) {
    const Json& value = member(name);
    if (value.is_string()) return value.get<std::string>();
    refuse(formatted("has no text '{}'", name));
    return {};
  }
  bool truth(const char* name) {
    const Json& value = member(name);
    if (value.is_boolean()) return value.get<bool>();
    refuse(formatted("'{}' is neither true nor false", name));
    return false;
  }
  const Json& list(const char* name) {
    static const Json none = Json::array();
    const Json& value = member(name);
    if (value.is_array()) return value;
    refuse(formatted("has no list '{}'", name));
    return none;
  }
  const Json& member(const char* name) const {
    static const Json nothing;
    const auto found = json_.is_object() ? json_.find(name) : json_.end();
    return json_.is_object() && found != json_.end() ? *found : nothing;
  }

  void refuse(std::string_view why) {
    if (wrong_.empty()) wrong_ = formatted("{} {}", place_, why);
  }
  [[nodiscard]] Status done() const {
    if (wrong_.empty()) return {};
    return Error{Code::kInvalid, "this is no plan: " + wrong_};
  }

 private:
  const Json& json_;
  std::string place_;
  std::string wrong_;
};

// Whether the place is one of this plan's.
bool inside(const Place& place, const PlanData& plan) {
  switch (place.kind) {
    case Place::Kind::kArena:
      return place.offset <= plan.arena_bytes && place.bytes <= plan.arena_bytes - place.offset;
    case Place::Kind::kInput:
      return place.index < plan.inputs.size() && place.bytes == plan.inputs[place.index].bytes;
    case Place::Kind::kOutput:
      return place.index < plan.outputs.size() && place.bytes == plan.outputs[place.index].bytes;
    default:
      return true;
  }
}

Result<Place> place_from(const Json& json, const PlanData& plan, const std::string& where) {
  Reading reading(json, where);
  Place place;
  const std::string kind = reading.text("in");
  const auto* const found = std::ranges::find(kKinds, kind);
  if (found == std::end(kKinds)) {
    reading.refuse(formatted("lies in '{}', which is neither arena nor input nor output", kind));
    TRY(reading.done());
  }
  place.kind = static_cast<Place::Kind>(found - std::begin(kKinds));
  if (place.kind == Place::Kind::kInput || place.kind == Place::Kind::kOutput)
    place.index = reading.number<uint32_t>("index");
  if (place.kind == Place::Kind::kArena) place.offset = reading.number<uint64_t>("offset");
  if (place.kind != Place::Kind::kNone) place.bytes = reading.number<uint64_t>("bytes");
  if (!inside(place, plan)) reading.refuse("lies outside of what the plan has");
  TRY(reading.done());
  return place;
}

Result<std::vector<Place>> places_from(const Json& list, const PlanData& plan,
                                       const std::string& where) {
  std::vector<Place> places;
  for (const Json& json : list)
    places.push_back(TRY(place_from(json, plan, formatted("{} {}", where, places.size()))));
  return places;
}

Result<StepData> step_from(const Json& json, const PlanData& plan) {
  const std::string where = formatted("step {}", plan.steps.size());
  Reading reading(json, where);
  StepData step;
  step.name = reading.text("name");
  step.op = reading.text("operator");
  step.implementation = reading.text("kernel");
  step.layouts = reading.text("layouts");
  step.slow = reading.truth("slow");
  step.flops = reading.number<uint64_t>("flops");
  step.bytes = reading.number<uint64_t>("bytes");
  TRY(reading.done());
  step.inputs = TRY(places_from(reading.list("inputs"), plan, where + ": input"));
  step.outputs = TRY(places_from(reading.list("outputs"), plan, where + ": output"));
  step.scratch = TRY(place_from(reading.member("scratch"), plan, where + ": scratch"));
  const auto callers = [](const Place& place) { return place.kind == Place::Kind::kInput; };
  if (std::ranges::any_of(step.outputs, callers)) reading.refuse("writes to an input");
  if (step.scratch.kind == Place::Kind::kInput || step.scratch.kind == Place::Kind::kOutput)
    reading.refuse("has its scratch memory outside of the arena");
  TRY(reading.done());
  return step;
}

Result<PlanData::Tensor> tensor_from(const Json& json, const std::string& where) {
  Reading reading(json, where);
  PlanData::Tensor tensor;
  const auto type = element_type_named(reading.text("type"));
  if (!type) reading.refuse("has a type that there is not");
  std::vector<int64_t> dims;
  for (const Json& extent : reading.list("shape")) {
    if (!extent.is_number_integer() || extent.get<int64_t>() < 0 || dims.size() == limits::kRank) {
      reading.refuse("has a shape that cannot be");
      break;
    }
    dims.push_back(extent.get<int64_t>());
  }
  tensor.bytes = reading.number<uint64_t>("bytes");
  TRY(reading.done());
  tensor.type = *type;
  tensor.shape = Shape(dims);
  return tensor;
}

}  // namespace

std::string PlanData::json() const {
  Json json = {{"format", kFormat},
               {"arena_bytes", arena_bytes},
               {"inputs", json_of(inputs)},
               {"outputs", json_of(outputs)},
               {"steps", Json::array()}};
  for (const StepData& step : steps) json["steps"].push_back(json_of(step));
  return json.dump(1, ' ', true, Json::error_handler_t::replace);
}

Result<PlanData> plan_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return Error{Code::kInvalid, "this is no plan: it is no JSON"};
  Reading reading(json, "the plan");
  if (reading.number<int>("format") != kFormat)
    reading.refuse(formatted("is of another format than {}", kFormat));
  PlanData plan;
  plan.arena_bytes = reading.number<uint64_t>("arena_bytes");
  TRY(reading.done());
  for (const Json& tensor : reading.list("inputs"))
    plan.inputs.push_back(TRY(tensor_from(tensor, formatted("input {}", plan.inputs.size()))));
  for (const Json& tensor : reading.list("outputs"))
    plan.outputs.push_back(TRY(tensor_from(tensor, formatted("output {}", plan.outputs.size()))));
  for (const Json& step : reading.list("steps")) plan.steps.push_back(TRY(step_from(step, plan)));
  TRY(reading.done());
  return plan;
}

}  // namespace casemate::engine
