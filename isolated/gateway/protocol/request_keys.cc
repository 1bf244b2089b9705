// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/request_keys.h"

#include <algorithm>
#include <array>

namespace casemate::gateway {
namespace {

struct KnownKey {
  Place place;
  std::string_view text;
  Field field;
};

constexpr std::array kKnownKeys = std::to_array<KnownKey>({
    {Place::kInput, "name", Field::kName},
    {Place::kInput, "shape", Field::kShape},
    {Place::kInput, "datatype", Field::kDatatype},
    {Place::kInput, "data", Field::kData},
    {Place::kInput, "parameters", Field::kParameters},
    {Place::kInputParameters, "binary_data_size", Field::kBinarySize},
    {Place::kOutput, "name", Field::kName},
    {Place::kOutput, "parameters", Field::kParameters},
    {Place::kOutputParameters, "binary_data", Field::kBinary},
    {Place::kOutputParameters, "classification", Field::kClassification},
    {Place::kRequest, "id", Field::kId},
    {Place::kRequest, "inputs", Field::kInputs},
    {Place::kRequest, "outputs", Field::kOutputs},
    {Place::kRequest, "parameters", Field::kParameters},
    {Place::kParameters, "binary_data_output", Field::kBinaryOutput},
    {Place::kParameters, "timeout", Field::kTimeout},
    {Place::kParameters, "priority", Field::kPriority},
    {Place::kParameters, "sequence_id", Field::kSequence},
});

// What Triton understands among its own reserved keys and we can ignore: it concerns streaming.
constexpr std::string_view kIgnorableReserved = "triton_enable_empty_final_response";

}  // namespace

Field field_of(Place place, std::string_view key) {
  const auto known = std::ranges::find_if(
      kKnownKeys, [&](const KnownKey& k) { return k.place == place && k.text == key; });
  if (known != kKnownKeys.end()) return known->field;
  if (place == Place::kParameters && key.starts_with("triton_") && key != kIgnorableReserved)
    return Field::kReserved;
  const bool of_tensor = place == Place::kInputParameters || place == Place::kOutputParameters;
  if (of_tensor && key.starts_with("shared_memory_")) return Field::kSharedMemory;
  return Field::kUnknown;
}

bool skippable(Place place, Field field) {
  return place == Place::kIgnored ||
         (field == Field::kUnknown &&
          (place == Place::kRequest || place == Place::kInput || place == Place::kOutput));
}

}  // namespace casemate::gateway
