// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/run_place.h"
#include "base/format.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

class RunPlaces : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { fs::remove_all(folder_); }

  // What a server with that id leaves; with a socket that nobody listens on any more.
  std::string leave(int pid) {
    std::string place = formatted("{}/{}", folder_, pid);
    fs::create_directories(place + "/images/deep");
    listen_in(place).reset();
    return place;
  }

  static Fd listen_in(const std::string& place) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (place + "/operator").copy(address.sun_path, sizeof address.sun_path - 1);
    Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ::unlink(address.sun_path);
    EXPECT_EQ(
        ::bind(fd.number(), static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address),
        0);
    EXPECT_EQ(::listen(fd.number(), 1), 0);
    return fd;
  }

  std::string folder_ = "/tmp/casemate-places-XXXXXX";
};

TEST_F(RunPlaces, a_place_has_what_a_run_needs_and_goes_with_its_owner) {
  std::string images;
  {
    const auto place = RunPlace::make(folder_);
    ASSERT_TRUE(place) << place.error().text;
    images = place->images();
    EXPECT_TRUE(fs::is_directory(images));
    EXPECT_EQ(place->socket(), formatted("{}/{}/operator", folder_, ::getpid()));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(RunPlaces, what_a_killed_server_left_is_swept_by_the_next) {
  const std::string left = leave(999'999'999);
  const std::string ours = leave(::getpid());  // of an earlier process with our id
  const auto place = RunPlace::make(folder_);
  ASSERT_TRUE(place) << place.error().text;
  EXPECT_FALSE(fs::exists(left));
  EXPECT_FALSE(fs::exists(ours + "/images/deep"));
}

TEST_F(RunPlaces, what_a_server_left_that_was_killed_while_it_made_its_place_is_swept) {
  fs::create_directories(folder_ + "/999999999");
  ASSERT_TRUE(RunPlace::make(folder_));
  EXPECT_FALSE(fs::exists(folder_ + "/999999999"));
}

TEST_F(RunPlaces, a_server_waits_while_another_makes_its_place) {
  Fd turn(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(::flock(turn.number(), LOCK_EX | LOCK_NB), 0);
  std::atomic<bool> made = false;
  std::thread other([&] { made = RunPlace::make(folder_).has_value(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(made);
  turn.reset();
  other.join();
  EXPECT_TRUE(made);
}

TEST_F(RunPlaces, a_place_that_a_server_holds_is_never_swept) {
  // Its monitor has ended and its socket is dead: the server is about to tidy up by itself.
  const std::string held = leave(999'999'999);
  const Fd lock(::open(held.c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(::flock(lock.number(), LOCK_EX | LOCK_NB), 0);
  ASSERT_TRUE(RunPlace::make(folder_));
  EXPECT_TRUE(fs::exists(held + "/images/deep"));
}

TEST_F(RunPlaces, a_place_where_a_monitor_listens_is_never_swept) {
  // Its server was killed, and the monitor is still ending its partitions.
  const std::string held = leave(999'999'999);
  const Fd listener = listen_in(held);
  ASSERT_TRUE(RunPlace::make(folder_));
  ASSERT_TRUE(RunPlace::make(folder_)) << "nor when its backlog is full";
  EXPECT_TRUE(fs::exists(held + "/images/deep"));
}

TEST_F(RunPlaces, what_is_no_place_is_left_alone) {
  fs::create_directories(folder_ + "/images");
  fs::create_directories(folder_ + "/12a");
  fs::create_directory_symlink("/", folder_ + "/77");
  ASSERT_TRUE(RunPlace::make(folder_));
  EXPECT_TRUE(fs::exists(folder_ + "/images"));
  EXPECT_TRUE(fs::exists(folder_ + "/12a"));
  EXPECT_TRUE(fs::is_symlink(folder_ + "/77"));
}

TEST_F(RunPlaces, a_second_place_of_one_process_is_refused_and_harms_nothing) {
  const auto first = RunPlace::make(folder_);
  ASSERT_TRUE(first);
  EXPECT_FALSE(RunPlace::make(folder_));
  EXPECT_TRUE(fs::is_directory(first->images()));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace casemate::launch
