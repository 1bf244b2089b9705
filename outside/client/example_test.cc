// SPDX-License-Identifier: Apache-2.0
// The example, as a process of its own, against a server on loopback.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/clock.h"
#include "base/format.h"
#include "outside/client/file.h"
#include "outside/client/testing/pictures.h"
#include "outside/client/testing/test_server.h"

namespace casemate::client {
namespace {

using testing::TestFolder;
using testing::TestServer;

// Exit code and everything that was printed.
std::pair<int, std::string> classify(const TestServer& server, const TestFolder& folder,
                                     std::string_view policy) {
  // The build folder is two above this program's own.
  const auto build = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../..";
  const std::string out = folder.path("out");
  const std::string command =
      formatted("{}/examples/classify {} digits {} {} >{} 2>&1", build.string(), server.url(),
                folder.file("white.png", testing::grey_png(30, 20, 255)),
                folder.file("policy.json", bytes_of(policy)), out);
  const int status = std::system(command.c_str());
  const auto printed = read_file(out, 1 << 20);
  return {WEXITSTATUS(status), printed ? std::string(text_of(*printed)) : ""};
}

TEST(Example, classify_names_the_picture_on_a_verified_server) {
  const TestServer server(system_clock().unix_seconds());
  const TestFolder folder;
  const auto [code, printed] = classify(server, folder, R"({"allow_software_root": true})");
  EXPECT_EQ(code, 0);
  EXPECT_TRUE(printed.starts_with("DEVELOPMENT ROOT: ")) << printed;
  EXPECT_TRUE(printed.ends_with("\nverified-development: digits\nnine 0.91\n")) << printed;
}

TEST(Example, classify_sends_nothing_to_a_server_that_the_policy_refuses) {
  TestServer server(system_clock().unix_seconds());
  const TestFolder folder;
  const auto [code, printed] = classify(server, folder, "{}");
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(printed.starts_with("classify: refused: root.kind")) << printed;
  EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace casemate::client
