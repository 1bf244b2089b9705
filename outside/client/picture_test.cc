// SPDX-License-Identifier: Apache-2.0
#include "outside/client/picture.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "outside/client/testing/pictures.h"

namespace casemate::client {
namespace {

using testing::grey_png;
using testing::make_png;
using Buffer = std::vector<uint8_t>;

Buffer pixels_of(const Buffer& png) {
  const auto picture = read_png(png);
  EXPECT_TRUE(picture) << picture.error().text;
  return picture ? picture->pixels : Buffer{};
}

TEST(Picture, grey_and_rgb_pixels_are_read_as_they_are) {
  EXPECT_EQ(pixels_of(make_png(2, 2, 1, Buffer{0, 1, 127, 255})), (Buffer{0, 1, 127, 255}));
  EXPECT_EQ(pixels_of(make_png(1, 2, 3, Buffer{1, 2, 3, 253, 254, 255})),
            (Buffer{1, 2, 3, 253, 254, 255}));
  EXPECT_EQ(read_png(make_png(2, 1, 1, Buffer{0, 0}))->channels, 1u);
  EXPECT_EQ(read_png(make_png(1, 1, 3, Buffer{5, 5, 5}))->channels, 3u);
}

TEST(Picture, transparency_is_laid_on_white) {
  EXPECT_EQ(pixels_of(make_png(3, 1, 2, Buffer{0, 255, 0, 0, 0, 128})), (Buffer{0, 255, 127}));
  EXPECT_EQ(pixels_of(make_png(1, 1, 4, Buffer{255, 0, 0, 51})), (Buffer{255, 204, 204}));
}

TEST(Picture, sixteen_bits_are_reduced_to_eight) {
  const std::array<uint16_t, 3> wide = {0, 0x8080, 0xFFFF};
  EXPECT_EQ(pixels_of(make_png(3, 1, 1, bytes_of(wide), true)), (Buffer{0, 0x80, 255}));
}

TEST(Picture, a_file_cut_at_any_byte_is_refused) {
  const Buffer whole = grey_png(9, 7, 99);
  // Behind the pixels' own checksum, only the end mark is missing.
  const size_t pixels_end = whole.size() - 12;
  for (size_t size = 0; size < pixels_end; ++size)
    EXPECT_FALSE(read_png(Bytes(whole).first(size))) << size;
}

TEST(Picture, bent_files_are_refused_or_read_but_never_break_anything) {
  const Buffer whole = make_png(5, 4, 3, Buffer(60, 9));
  for (size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Buffer bent = whole;
      bent[i] = static_cast<uint8_t>(bent[i] ^ 1 << bit);
      const auto picture = read_png(bent);
      if (picture) {
        EXPECT_EQ(picture->pixels.size(),
                  size_t{picture->width} * picture->height * picture->channels);
      }
    }
  }
}

TEST(Picture, a_picture_of_too_many_pixels_is_refused_before_memory_is_taken) {
  Buffer huge = grey_png(1, 1, 0);
  // Width and height of the first chunk become 65536 each; then its checksum is made right.
  for (const size_t at : {size_t{16}, size_t{20}}) {
    huge[at] = 0;
    huge[at + 1] = 1;
    huge[at + 2] = 0;
    huge[at + 3] = 0;
  }
  const auto sum = static_cast<uint32_t>(::crc32(0, huge.data() + 12, 17));
  for (size_t i = 0; i < 4; ++i) huge[29 + i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
  const auto picture = read_png(huge);
  ASSERT_FALSE(picture);
  EXPECT_EQ(picture.error().code, Code::kTooLarge);
}

TEST(Picture, other_files_are_refused) {
  EXPECT_FALSE(read_png({}));
  EXPECT_FALSE(read_png(Buffer{0xFF, 0xD8, 0xFF, 0xE0}));
}

TEST(Picture, colours_become_grey_by_their_brightness_and_back_without_loss) {
  const Picture picture{.width = 2, .height = 1, .channels = 3, .pixels = {255, 0, 0, 10, 20, 30}};
  const Picture grey = with_channels(picture, 1);
  EXPECT_EQ(grey.pixels, (Buffer{76, 18}));
  EXPECT_EQ(with_channels(grey, 3).pixels, (Buffer{76, 76, 76, 18, 18, 18}));
}

}  // namespace
}  // namespace casemate::client
