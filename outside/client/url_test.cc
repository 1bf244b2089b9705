// SPDX-License-Identifier: Apache-2.0
#include "outside/client/url.h"

#include <gtest/gtest.h>

namespace casemate::client {
namespace {

std::string read(std::string_view text) {
  const auto url = parse_url(text);
  return url ? url->authority() : "refused";
}

TEST(Url, hosts_addresses_and_ports_are_read) {
  EXPECT_EQ(read("https://example.org:443"), "example.org:443");
  EXPECT_EQ(read("https://example.org"), "example.org:8443");
  EXPECT_EQ(read("https://127.0.0.1:8000/"), "127.0.0.1:8000");
  EXPECT_EQ(read("https://[::1]:8000"), "[::1]:8000");
  EXPECT_EQ(read("https://[fe80::1]"), "[fe80::1]:8443");
}

TEST(Url, plain_http_is_refused_with_the_reason) {
  const auto url = parse_url("http://example.org:8000");
  ASSERT_FALSE(url);
  EXPECT_NE(url.error().text.find("not protected"), std::string::npos);
}

TEST(Url, everything_but_a_host_and_a_port_is_refused) {
  for (const std::string_view text : {"",
                                      "example.org",
                                      "https://",
                                      "https://:80",
                                      "https://a:",
                                      "https://a:0",
                                      "https://a:65536",
                                      "https://a:8 0",
                                      "https://a:+8",
                                      "https://a:80x",
                                      "https://a/path",
                                      "https://a:80/path",
                                      "https://user@a",
                                      "https://a?q",
                                      "https://a b",
                                      "https://[::1",
                                      "https://[::1]80",
                                      "https://[g::1]",
                                      "https://[]",
                                      "ftp://a",
                                      "https://a\r\nX: y",
                                      "HTTPS//a"}) {
    EXPECT_EQ(read(text), "refused") << text;
  }
  EXPECT_EQ(read("https://" + std::string(254, 'a')), "refused");
}

}  // namespace
}  // namespace casemate::client
