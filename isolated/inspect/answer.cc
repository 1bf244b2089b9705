// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/answer.h"

#include "base/format.h"

namespace casemate::inspect {

std::string sized(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 10'000) return formatted("{} B", bytes);
  if (bytes < 1'000'000) return formatted("{:.1f} kB", value / 1e3);
  if (bytes < 1'000'000'000) return formatted("{:.1f} MB", value / 1e6);
  return formatted("{:.2f} GB", value / 1e9);
}

std::string shortened(const std::string& name, size_t length_max) {
  return name.size() <= length_max ? name : name.substr(0, length_max - 3) + "...";
}

}  // namespace casemate::inspect
