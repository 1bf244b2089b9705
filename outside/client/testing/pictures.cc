// SPDX-License-Identifier: Apache-2.0
#include "outside/client/testing/pictures.h"

#include <png.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace casemate::client::testing {
namespace {

// The low-level writer, since the simplified one takes 16-bit pixels as linear light.
void append(png_structp png, png_bytep data, size_t size) {
  auto* file = static_cast<std::vector<uint8_t>*>(png_get_io_ptr(png));
  file->insert(file->end(), data, data + size);
}

[[noreturn]] void fail(png_structp, png_const_charp) {
  CHECK(false, "making a test picture cannot fail");
  std::abort();
}

}  // namespace

std::vector<uint8_t> make_png(uint32_t width, uint32_t height, uint32_t channels, Bytes pixels,
                              bool wide) {
  static constexpr int kTypes[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                   PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  std::vector<uint8_t> file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, fail, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &file, append, nullptr);
  png_set_IHDR(png, info, width, height, wide ? 16 : 8, kTypes[channels - 1], PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  if (wide) png_set_swap(png);
  const size_t row = size_t{width} * channels * (wide ? 2 : 1);
  for (uint32_t y = 0; y < height; ++y) png_write_row(png, pixels.subspan(y * row, row).data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

std::vector<uint8_t> grey_png(uint32_t width, uint32_t height, uint8_t value) {
  return make_png(width, height, 1, std::vector<uint8_t>(size_t{width} * height, value));
}

TestFolder::TestFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "casemate-test-XXXXXX").string();
  CHECK(::mkdtemp(name.data()) != nullptr, "tests need a folder to write to");
  path_ = name;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TestFolder::file(const std::string& name, Bytes data) const {
  std::ofstream stream(path(name), std::ios::binary);
  stream << text_of(data);
  CHECK(stream.good(), "tests need a folder to write to");
  return path(name);
}

}  // namespace casemate::client::testing
