// SPDX-License-Identifier: Apache-2.0
#pragma once
// PNG files for tests, written by libpng, and a folder for files that is gone afterwards.
//
//   Owns     TestFolder the folder.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    what cannot be written stops the process.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace casemate::client::testing {

// 8-bit pixels, or 16-bit ones in the machine's order when `wide`; channels: 1 grey, 2 grey and
// alpha, 3 RGB, 4 RGBA.
std::vector<uint8_t> make_png(uint32_t width, uint32_t height, uint32_t channels, Bytes pixels,
                              bool wide = false);
// Every pixel of the same grey.
std::vector<uint8_t> grey_png(uint32_t width, uint32_t height, uint8_t value);

class TestFolder final {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file and returns its path.
  std::string file(const std::string& name, Bytes data) const;

 private:
  std::string path_;
};

}  // namespace casemate::client::testing
