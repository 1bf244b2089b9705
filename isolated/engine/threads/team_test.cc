// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/threads/team.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "isolated/engine/threads/threads.h"

// As oneDNN calls them.
extern "C" {
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_in_parallel(void);
void GOMP_parallel(void (*function)(void*), void* data, unsigned thread_count, unsigned flags);
void GOMP_barrier(void);
}

namespace casemate::engine {
namespace {

class TeamTest : public testing::Test {
 protected:
  void SetUp() override { set_threads(3); }
  void TearDown() override { set_threads(1); }
};

using LoopTest = TeamTest;
using RegionTest = TeamTest;

TEST_F(LoopTest, takes_each_piece_once_whoever_comes) {
  for (int round = 0; round < 2000; ++round) {
    const int64_t pieces = round % 70;
    std::vector<std::atomic<int>> taken(static_cast<size_t>(pieces));
    parallel_for(pieces, [&](int64_t piece, int thread) {
      EXPECT_LT(thread, 3);
      ++taken[static_cast<size_t>(piece)];
    });
    for (const auto& times : taken) ASSERT_EQ(times, 1) << pieces;
  }
}

TEST_F(LoopTest, is_whole_whether_others_spin_or_sleep) {
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(round * 20));
    std::atomic<int> done = 0;
    parallel_for(4, [&](int64_t) { ++done; });
    EXPECT_EQ(done, 4);
  }
}

// Long enough that a thread that wakes late still finds something to do; returns whose it was.
std::set<pid_t> run_long_loop() {
  std::set<pid_t> threads;
  std::mutex lock;
  parallel_for(8, [&](int64_t) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
    while (std::chrono::steady_clock::now() < end) {
    }
    const std::scoped_lock held(lock);
    threads.insert(::gettid());
  });
  return threads;
}

TEST_F(LoopTest, has_a_thread_leave_the_core_of_its_caller) {
  cpu_set_t all;
  ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "there is but one core";
  set_threads(2);
  std::set<pid_t> threads;
  for (int i = 0; i < 1000 && threads.size() < 2; ++i) threads.merge(run_long_loop());
  threads.erase(::gettid());
  ASSERT_EQ(threads.size(), 1) << "the other never came";
  cpu_set_t one;
  CPU_ZERO(&one);
  const auto core = static_cast<size_t>(::sched_getcpu());
  CPU_SET(core, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  ASSERT_EQ(::sched_setaffinity(*threads.begin(), sizeof one, &one), 0);
  cpu_set_t now = one;
  for (int i = 0; i < 1000 && CPU_ISSET(core, &now); ++i) {
    run_long_loop();
    ASSERT_EQ(::sched_getaffinity(*threads.begin(), sizeof now, &now), 0);
  }
  ::sched_setaffinity(0, sizeof all, &all);
  EXPECT_FALSE(CPU_ISSET(core, &now));
}

TEST_F(LoopTest, in_a_loop_runs_on_one_thread) {
  std::atomic<int> inner = 0;
  parallel_for(6, [&](int64_t) {
    const auto self = std::this_thread::get_id();
    parallel_for(5, [&](int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), self);
      ++inner;
    });
  });
  EXPECT_EQ(inner, 30);
}

TEST_F(LoopTest, of_two_callers_at_once_is_done_by_both) {
  std::atomic<int> done = 0;
  const auto call = [&] {
    set_threads(3);
    for (int i = 0; i < 500; ++i) parallel_for(8, [&](int64_t) { ++done; });
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_EQ(done, 2 * 500 * 8);
}

struct Seen {
  std::atomic<int> calls = 0;
  std::atomic<int> threads[3] = {};
  std::atomic<int> nested = 0;
  int before_barrier[3] = {};
  std::atomic<int> wrong = 0;
};

TEST_F(RegionTest, runs_on_each_thread_with_its_number) {
  for (int round = 0; round < 500; ++round) {
    Seen seen;
    const auto work = [](void* data) {
      Seen& s = *static_cast<Seen*>(data);
      ++s.calls;
      ++s.threads[omp_get_thread_num()];
      if (omp_get_num_threads() != 3 || omp_in_parallel() != 1) ++s.wrong;
    };
    GOMP_parallel(work, &seen, 3, 0);
    ASSERT_EQ(seen.calls, 3);
    for (const auto& count : seen.threads) ASSERT_EQ(count, 1);
    ASSERT_EQ(seen.wrong, 0);
  }
  EXPECT_EQ(omp_in_parallel(), 0);
  EXPECT_EQ(omp_get_num_threads(), 1);
}

TEST_F(RegionTest, without_a_number_has_as_many_threads_as_were_set) {
  Seen seen;
  GOMP_parallel([](void* data) { ++static_cast<Seen*>(data)->calls; }, &seen, 0, 0);
  EXPECT_EQ(seen.calls, 3);
}

TEST_F(RegionTest, waits_at_its_barrier_for_all) {
  Seen seen;
  const auto work = [](void* data) {
    Seen& s = *static_cast<Seen*>(data);
    for (int round = 1; round <= 200; ++round) {
      s.before_barrier[omp_get_thread_num()] = round;
      GOMP_barrier();
      for (const int reached : s.before_barrier) s.wrong += reached == round ? 0 : 1;
      GOMP_barrier();
    }
  };
  GOMP_parallel(work, &seen, 3, 0);
  EXPECT_EQ(seen.wrong, 0);
}

TEST_F(RegionTest, in_a_region_has_one_thread) {
  Seen seen;
  const auto inner = [](void* data) {
    Seen& s = *static_cast<Seen*>(data);
    ++s.nested;
    if (omp_get_thread_num() != 0 || omp_get_num_threads() != 1) ++s.wrong;
    if (omp_in_parallel() != 1) ++s.wrong;
    GOMP_barrier();
    GOMP_parallel([](void* d) { ++static_cast<Seen*>(d)->calls; }, data, 3, 0);
  };
  static void (*const nested)(void*) = inner;
  const auto outer = [](void* data) { GOMP_parallel(nested, data, 3, 0); };
  GOMP_parallel(outer, &seen, 3, 0);
  EXPECT_EQ(seen.nested, 3);
  EXPECT_EQ(seen.calls, 3);
  EXPECT_EQ(seen.wrong, 0);
}

TEST_F(RegionTest, in_a_loop_has_one_thread) {
  Seen seen;
  parallel_for(9, [&](int64_t) {
    GOMP_parallel([](void* data) { ++static_cast<Seen*>(data)->calls; }, &seen, 3, 0);
  });
  EXPECT_EQ(seen.calls, 9);
}

}  // namespace
}  // namespace casemate::engine
