// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/option.h"

#include <gtest/gtest.h>

namespace casemate::driver {
namespace {

TEST(DeviceOption, is_a_number_behind_its_name) {
  for (const auto& [options, number] : {std::pair{"device=0", 0u}, std::pair{"device=7", 7u},
                                        std::pair{"device=4294967295", UINT32_MAX}}) {
    const auto read = device_number(options);
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(*read, number);
  }
}

TEST(DeviceOption, with_anything_else_in_it_is_refused) {
  for (const char* options :
       {"", "device", "device=", "device=x", "device=-1", "device=+1", "device= 1", "device=1 ",
        "device=0x1", "device=1,2", "device=4294967296", " device=1", "Device=1", "devices=1", "1",
        "device=device=1"}) {
    const auto read = device_number(options);
    ASSERT_FALSE(read) << options;
    EXPECT_EQ(read.error().code, Code::kInvalid);
    EXPECT_TRUE(read.error().text.contains(std::string("'") + options + "'")) << read.error().text;
  }
}

}  // namespace
}  // namespace casemate::driver
