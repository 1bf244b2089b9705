// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/testing/vectors.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/check.h"

namespace casemate::verify::testing {
namespace {

std::filesystem::path vectors() {
  const char* source = std::getenv("CASEMATE_SOURCE");
  const auto from =
      source == nullptr ? std::filesystem::current_path() : std::filesystem::path(source);
  return from.parent_path() / "shared/data/attestation";
}

}  // namespace

bool have_vectors() { return std::filesystem::exists(vectors() / "INDEX.md"); }

std::vector<uint8_t> vector_file(std::string_view name) {
  std::ifstream file(vectors() / name, std::ios::binary);
  CHECK(file.good(), "a published vector is missing among others");
  const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return {content.begin(), content.end()};
}

std::vector<std::string> vector_names() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::recursive_directory_iterator(vectors())) {
    if (file.is_regular_file()) names.push_back(file.path().lexically_relative(vectors()).string());
  }
  return names;
}

size_t vector_step(size_t usual) { return std::getenv("CASEMATE_WHOLE") != nullptr ? 1 : usual; }

}  // namespace casemate::verify::testing
