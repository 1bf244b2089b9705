// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/output_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "outside/client/testing/pictures.h"

namespace casemate::zoo {
namespace {

const std::vector<uint8_t> kOld = {1, 2, 3};
const std::vector<uint8_t> kNew = {4, 5, 6, 7};

class Output : public testing::Test {
 protected:
  Status write(const std::string& path) {
    auto file = TRY(OutputFile::make(path, kNew.size()));
    TRY(file.append(Bytes(kNew).first(1)));
    TRY(file.append(Bytes(kNew).subspan(1)));
    return file.commit();
  }
  std::vector<uint8_t> content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  size_t files() {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path("")), {}));
  }

  client::testing::TestFolder folder_;
};

TEST_F(Output, a_file_appears_whole_with_the_usual_rights) {
  const std::string path = folder_.path("new");
  const mode_t before = ::umask(027);
  EXPECT_TRUE(write(path));
  ::umask(before);
  EXPECT_EQ(content(path), kNew);
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0640u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Output, who_reads_meanwhile_meets_the_old_file) {
  const std::string path = folder_.file("f", kOld);
  const std::string twin = folder_.path("twin");
  ASSERT_EQ(::link(path.c_str(), twin.c_str()), 0);
  auto file = OutputFile::make(path, kNew.size());
  ASSERT_TRUE(file && file->append(kNew));
  EXPECT_EQ(content(path), kOld);
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(content(path), kNew);
  EXPECT_EQ(content(twin), kOld) << "the old file was written into";
}

TEST_F(Output, a_file_that_is_given_up_leaves_nothing) {
  const std::string path = folder_.file("f", kOld);
  {
    auto file = OutputFile::make(path, 1000);
    ASSERT_TRUE(file && file->append(kNew));
    EXPECT_EQ(files(), 2u);
  }
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(content(path), kOld);
}

TEST_F(Output, what_a_killed_process_left_goes_with_the_next_file_and_nothing_else_does) {
  const std::string kept = folder_.file(".casemate-keep", kOld);  // none of ours is called so
  auto written = OutputFile::make(folder_.path("still written"), 1000);
  ASSERT_TRUE(written);
  const pid_t child = ::fork();
  if (child == 0) {
    auto file = OutputFile::make(folder_.path("f"), 1000);
    ::raise(SIGKILL);
    ::_exit(file ? 0 : 1);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(files(), 3u);
  ASSERT_TRUE(write(folder_.path("f")));
  EXPECT_EQ(files(), 3u) << "the killed one's is gone, f is there";
  EXPECT_TRUE(std::filesystem::exists(kept));
  ASSERT_TRUE(written->append(kNew) && written->commit());
  EXPECT_EQ(content(folder_.path("still written")), kNew);
}

TEST_F(Output, a_link_stays_and_leads_to_the_new_file) {
  const std::string path = folder_.file("f", kOld);
  const std::string link = folder_.path("link");
  ASSERT_EQ(::symlink("f", link.c_str()), 0);
  ASSERT_TRUE(write(link));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(content(path), kNew);
}

TEST_F(Output, what_is_no_regular_file_is_left_alone) {
  const std::string fifo = folder_.path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path :
       {fifo, folder_.path(""), folder_.path("."), std::string(), std::string("/dev/null")}) {
    const Status done = write(path);
    ASSERT_FALSE(done) << path;
    EXPECT_EQ(done.error().code, Code::kInvalid) << done.error().text;
  }
  EXPECT_TRUE(std::filesystem::is_fifo(fifo));
  const Status nowhere = write(folder_.path("no/such/folder"));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, Code::kPlatform);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Output, what_does_not_fit_leaves_nothing) {
  const std::string path = folder_.file("f", kOld);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 2, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status done = write(path);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kPlatform);
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(content(path), kOld);
}

TEST_F(Output, more_than_the_disk_holds_is_refused_beforehand) {
  const auto file = OutputFile::make(folder_.path("huge"), 1ull << 62);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kPlatform);
  EXPECT_EQ(files(), 0u);
}

}  // namespace
}  // namespace casemate::zoo
