// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/testing/vectors.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/check.h"

namespace casemate::verify::intel::testing {

std::string vectors_folder() {
  const char* source = std::getenv("CASEMATE_SOURCE");
  const auto folder = std::filesystem::path(source == nullptr ? "." : source) / ".." / "shared" /
                      "data" / "attestation";
  std::error_code wrong;
  return std::filesystem::is_directory(folder / "tdx", wrong) ? folder.string() : std::string();
}

std::vector<uint8_t> vector_file(std::string_view name) {
  std::ifstream stream(vectors_folder() + "/" + std::string(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

Collateral vector_collateral(std::initializer_list<std::string_view> names) {
  Collateral collateral;
  for (const std::string_view name : names) {
    const auto added = collateral.add(std::string(name), vector_file(name));
    CHECK(added.has_value(), "the vectors are sound");
  }
  return collateral;
}

}  // namespace casemate::verify::intel::testing
