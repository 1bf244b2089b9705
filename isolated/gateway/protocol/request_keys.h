// SPDX-License-Identifier: Apache-2.0
#pragma once
// The keys of an inference request that mean something, by the place where they stand.
//
//   Owns     nothing.
//   Threads  pure function.
//   Trust    keys are a client's.
//   Fails    never: what is not known is Field::kUnknown.

#include <cstdint>
#include <string_view>

namespace casemate::gateway {

// Where in the document a value stands.
enum class Place : uint8_t {
  kDocument,
  kRequest,
  kParameters,
  kInputs,
  kInput,
  kInputParameters,
  kShape,
  kData,
  kOutputs,
  kOutput,
  kOutputParameters,
  kIgnored,
};

enum class Field : uint8_t {
  kUnknown,
  kId,
  kParameters,
  kInputs,
  kOutputs,
  kName,
  kShape,
  kDatatype,
  kData,
  kBinarySize,
  kBinary,
  kBinaryOutput,
  kTimeout,
  kPriority,
  kClassification,
  kSequence,
  kSharedMemory,
  kReserved,
};

// What `key` means at `place`.
Field field_of(Place place, std::string_view key);

// True where an object or array may stand that means nothing to us: in the value of an unknown key.
bool skippable(Place place, Field field);

}  // namespace casemate::gateway
