// SPDX-License-Identifier: Apache-2.0
// A whole system whose root takes its time. Gramine's files are the ones that plain files can stand
// for: what is written to one is read by a test, and a pipe gives the quote when the test likes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "base/fd.h"
#include "base/format.h"
#include "isolated/gateway/loopback/loopback.h"
#include "outside/verify/decode.h"
#include "outside/verify/hardware_quote.h"
#include "tests/system/patience.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPlace = "/dev/attestation";

// From here on this process and what it starts have a /dev of their own, with Gramine's folder in
// it. False where that is not possible.
bool stand_in_gramine() {
  if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return false;
  std::string dev = "/tmp/casemate-dev-XXXXXX";
  if (::mkdtemp(dev.data()) == nullptr) return false;
  bool made = ::mount("tmpfs", dev.c_str(), "tmpfs", 0, nullptr) == 0;
  for (const std::string node : {"/null", "/zero", "/random", "/urandom"}) {
    std::ofstream(dev + node) << "";
    made = made &&
           ::mount(("/dev" + node).c_str(), (dev + node).c_str(), nullptr, MS_BIND, nullptr) == 0;
  }
  fs::create_directory(dev + "/shm");
  fs::create_directory(dev + "/attestation");
  made = made && ::mount(dev.c_str(), "/dev", nullptr, MS_MOVE, nullptr) == 0;
  ::rmdir(dev.c_str());
  return made;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

template <class Done>
bool eventually(Done done) {
  Patience patience(std::chrono::seconds(30));
  while (!done()) {
    if (patience.over()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class SlowRoot : public testing::Test {
 protected:
  void SetUp() override {
    if (!stand_in_gramine()) GTEST_SKIP() << "only root can have a /dev of its own";
    std::ofstream(kPlace + std::string("/attestation_type")) << "dcap\n";
    std::ofstream(data_) << "";
    ASSERT_EQ(::mkfifo(quote_.c_str(), 0600), 0);
    system_.emplace(source_folder() + "/models", "", std::vector<std::string>{"--root", "gramine"});
    ASSERT_FALSE(system_->url().empty()) << system_->printed();
  }
  [[nodiscard]] std::string socket() const {
    return formatted("{}/run/{}/operator", system_->folder(), system_->pid());
  }
  // Whoever opens the quote gets `quote`; waits for them.
  void give(const std::string& quote) const {
    const Fd pipe(::open(quote_.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(pipe.valid());
    ASSERT_EQ(::write(pipe.number(), quote.data(), quote.size()),
              static_cast<ssize_t>(quote.size()));
  }
  // What a client that verifies nothing gets.
  std::vector<uint8_t> evidence() const {
    std::vector<uint8_t> found;
    EXPECT_TRUE(eventually([&] {
      gateway::TlsClient client(system_->port());
      if (!client.connected()) return false;
      const auto answer =
          client.exchange("GET /v2/casemate/evidence HTTP/1.1\r\nHost: localhost\r\n\r\n");
      if (!answer) return false;
      const Bytes body = bytes_of(std::string_view(answer->body));
      found.assign(body.begin(), body.end());
      return true;
    }));
    return found;
  }
  const std::string data_ = kPlace + std::string("/user_report_data");
  const std::string quote_ = kPlace + std::string("/quote");
  std::optional<ServedSystem> system_;
};

TEST_F(SlowRoot, keeps_only_its_gateway_waiting_and_vouches_for_exactly_its_claims) {
  ASSERT_TRUE(eventually([&] { return content(data_).size() == 64; })) << "it has been asked";
  // The monitor does all else meanwhile.
  const auto before = system_->status();
  ASSERT_TRUE(before) << before.error().text;
  const std::string partition((*before)->partitions[1].name.view());
  ASSERT_TRUE(launch::ask(socket(), operating::Command::kKill, partition));
  EXPECT_TRUE(eventually([&] {
    const auto status = system_->status();
    return status && (*status)->partitions[1].epoch > (*before)->partitions[1].epoch &&
           (*status)->enclaves[1].state == static_cast<uint32_t>(operating::State::kRunning);
  })) << system_->printed();
  const std::string quote(5000, 'Q');
  give(quote);
  const auto got = evidence();
  const auto decoded = verify::decode_evidence(got);
  ASSERT_TRUE(decoded) << decoded.error().text;
  const auto blobs = verify::read_hardware_quote(decoded->quote);
  ASSERT_TRUE(blobs) << blobs.error().text;
  EXPECT_EQ(blobs->root, RootKind::kGramine);
  EXPECT_EQ(blobs->provider, "dcap");
  EXPECT_EQ(text_of(blobs->report), quote);
  EXPECT_EQ(content(data_), text_of(report_data_of(decoded->claims)));
}

}  // namespace
}  // namespace casemate::tests
