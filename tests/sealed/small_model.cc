// SPDX-License-Identifier: Apache-2.0
#include "tests/sealed/small_model.h"

#include <cstdlib>
#include <filesystem>

#include "base/check.h"

namespace casemate::tests {
namespace {

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

std::string tensor(const std::string& name, size_t bytes, char first) {
  std::string raw(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) raw[i] = static_cast<char>(first + static_cast<char>(i / 7));
  return field(5, field(8, name) + field(9, raw));
}

}  // namespace

std::string field(int number, const std::string& content) {
  return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(content.size()) + content;
}

std::string small_model() {
  const std::string node = field(1, field(1, "x") + field(2, "y") + field(4, "Relu"));
  return field(2, "a test") +
         field(7, node + tensor("large", 200'000, 'a') + tensor("small", 12, 'b') +
                      tensor("second", 70'000, 'c') + field(2, "graph"));
}

seal::Order small_order() {
  return {.name = "small", .version = 3, .policy = "{}", .chunk_bytes = 64 << 10};
}

Made seal_small(const seal::Order& order, const SigningKey& maker, Random& random) {
  const std::string model = small_model();
  const auto sealer =
      seal::Sealer::make(bytes_of(std::string_view(model)), order, maker, system_clock(), random);
  CHECK(sealer, "the model of a test can be sealed");
  Made made{.key = sealer->key(), .manifest = sealer->package()};
  const Status written = sealer->write([&](Bytes piece) -> Status {
    made.package.insert(made.package.end(), piece.begin(), piece.end());
    return {};
  });
  CHECK(written && made.package.size() == sealer->bytes(), "a package has the size that it says");
  return made;
}

Folder::Folder(const std::string& where) {
  std::string made = where + "/casemate-test-XXXXXX";
  CHECK(::mkdtemp(made.data()) != nullptr, "tests need a folder to write to");
  path_ = made;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace casemate::tests
