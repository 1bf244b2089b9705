// SPDX-License-Identifier: Apache-2.0
#include "outside/client/picture.h"

#include <png.h>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"

namespace casemate::client {
namespace {

constexpr uint32_t kRgba = 4;
constexpr uint32_t kOpaque = 255;

// libpng's simplified interface: it keeps its setjmp to itself and reports errors in the image.
class Decoder final {
 public:
  Decoder() { image_.version = PNG_IMAGE_VERSION; }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { png_image_free(&image_); }

  [[nodiscard]] png_image& image() { return image_; }
  [[nodiscard]] Error error() const {
    return {Code::kInvalid, formatted("the PNG cannot be read: {}", printable(image_.message))};
  }

 private:
  png_image image_{};
};

// A colour on white paper.
uint8_t on_white(uint32_t value, uint32_t alpha) {
  return static_cast<uint8_t>((value * alpha + kOpaque * (kOpaque - alpha) + kOpaque / 2) /
                              kOpaque);
}

Picture composited(Bytes rgba, uint32_t width, uint32_t height, bool color) {
  Picture picture{.width = width, .height = height, .channels = color ? 3u : 1u, .pixels = {}};
  picture.pixels.reserve(rgba.size() / kRgba * picture.channels);
  for (size_t at = 0; at < rgba.size(); at += kRgba) {
    // A grey file has three equal channels here.
    for (uint32_t c = 0; c < picture.channels; ++c)
      picture.pixels.push_back(on_white(rgba[at + c], rgba[at + 3]));
  }
  return picture;
}

}  // namespace

Result<Picture> read_png(Bytes file) {
  Decoder decoder;
  png_image& image = decoder.image();
  if (png_image_begin_read_from_memory(&image, file.data(), file.size()) == 0)
    return decoder.error();
  const uint64_t pixels = uint64_t{image.width} * image.height;
  if (pixels == 0 || pixels > Picture::kPixelsMax) {
    return Error{Code::kTooLarge,
                 formatted("the picture has {} x {} pixels; at most {} are read: make it smaller",
                           image.width, image.height, Picture::kPixelsMax)};
  }
  const bool color = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = PNG_FORMAT_RGBA;
  // 16-bit files are taken to be in the same gamma as 8-bit ones, as other readers do.
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  std::vector<uint8_t> rgba(pixels * kRgba);
  if (png_image_finish_read(&image, nullptr, rgba.data(), 0, nullptr) == 0) return decoder.error();
  return composited(rgba, image.width, image.height, color);
}

Picture with_channels(const Picture& picture, uint32_t channels) {
  CHECK(channels == 1 || channels == 3, "a picture is grey or RGB");
  if (picture.channels == channels) return picture;
  Picture result{
      .width = picture.width, .height = picture.height, .channels = channels, .pixels = {}};
  result.pixels.reserve(size_t{picture.width} * picture.height * channels);
  for (size_t at = 0; at < picture.pixels.size(); at += picture.channels) {
    const uint8_t* pixel = picture.pixels.data() + at;
    if (channels == 3) {
      result.pixels.insert(result.pixels.end(), 3, pixel[0]);
    } else {
      const uint32_t grey = (299u * pixel[0] + 587u * pixel[1] + 114u * pixel[2] + 500) / 1000;
      result.pixels.push_back(static_cast<uint8_t>(grey));
    }
  }
  return result;
}

}  // namespace casemate::client
