// SPDX-License-Identifier: Apache-2.0
#include "wire/abi/model.h"

#include <algorithm>

namespace casemate {

bool PortDescription::sound() const {
  return name.canonical() && !name.view().empty() && element_type_from(type).has_value() &&
         rank <= limits::kRank &&
         std::ranges::all_of(dims, [](int64_t d) { return d >= -1 && d <= 1ll << 40; });
}

bool ModelDescription::sound() const {
  if (magic != kMagic || version != kVersion || input_count > inputs.size() ||
      output_count > outputs.size() || output_count == 0 || metadata_count > metadata.size() ||
      batch_max > 1u << 20) {
    return false;
  }
  const auto ports_sound = [](std::span<const PortDescription> ports) {
    return std::ranges::all_of(ports, &PortDescription::sound);
  };
  const auto entry_sound = [](const MetadataEntry& e) {
    return e.key.canonical() && e.value.canonical();
  };
  return ports_sound(std::span(inputs).first(input_count)) &&
         ports_sound(std::span(outputs).first(output_count)) &&
         std::ranges::all_of(std::span(metadata).first(metadata_count), entry_sound);
}

}  // namespace casemate
