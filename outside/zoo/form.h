// SPDX-License-Identifier: Apache-2.0
#pragma once
// Form: how a model's numbers are told; see quantise.h.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    none needed.
//   Fails    cannot.

#include <cstdint>
#include <optional>
#include <string_view>

namespace casemate::zoo {

enum class Form : uint8_t { kFloat, kQdq, kDynamic };

// "float", "qdq", "dynamic".
inline std::optional<Form> form_of(std::string_view name) {
  if (name == "float") return Form::kFloat;
  if (name == "qdq") return Form::kQdq;
  if (name == "dynamic") return Form::kDynamic;
  return std::nullopt;
}

}  // namespace casemate::zoo
