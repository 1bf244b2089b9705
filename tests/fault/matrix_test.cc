// SPDX-License-Identifier: Apache-2.0
// Every fault to every process of a partition in every state of its stream, its trees and its
// enclaves: a table. After each cell the survivor is who it was and answers right, the partition
// serves again, nothing of its old memory can be read, and the system holds what it held before.
// A run tries a few cells of it, drawn by a seed; `./dev test --whole` tries all.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>

#include "base/format.h"
#include "tests/fault/drawn.h"
#include "tests/fault/faults.h"
#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using fixture::Call;
using std::chrono::milliseconds;

// What the partition is at when it is hurt.
enum class At {
  kIdle,       // connected, and no call
  kCall,       // in a call
  kWriting,    // writing results, over and over
  kReading,    // its caller is reading its results
  kStarting,   // it was just killed and comes back
  kRevoked,    // it and its caller's instance are killed together, then it again
  kLoading,    // its first tree loads
  kPreparing,  // its standby loads
};

struct MatrixCell {
  At at;
  Who who;
  Fault fault;
  [[nodiscard]] std::string title() const {
    const char* names[] = {"idle",     "call",    "writing", "reading",
                           "starting", "revoked", "loading", "preparing"};
    return formatted("{}: {} of {}", names[static_cast<int>(at)], name_of(fault), name_of(who));
  }
};

constexpr Fault kViolent[] = {Fault::kKill, Fault::kCrash, Fault::kStop};

std::vector<MatrixCell> cells_of(std::initializer_list<At> states,
                                 std::initializer_list<Who> whom) {
  std::vector<MatrixCell> cells;
  for (const At at : states) {
    for (const Who who : whom) {
      for (const Fault fault : kViolent) {
        if (possible(fault)) cells.push_back({at, who, fault});
      }
    }
  }
  return cells;
}

std::vector<MatrixCell> operator+(std::vector<MatrixCell> a, const std::vector<MatrixCell>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class Matrix : public testing::Test {
 protected:
  explicit Matrix(const std::string& behaviour = "fine")
      : system_({{"one", "p1", behaviour}, {"two", "p2"}}, [](SystemDescription& d) {
          for (uint32_t p = 0; p < d.partition_count; ++p) {
            d.partitions[p].failures_max = 1'000'000;
            d.partitions[p].stable_ms = 1;
            d.partitions[p].backoff_ms_first = d.partitions[p].backoff_ms_max = 1;
            d.partitions[p].hang_ms = p == 1 ? 1'500 : 30'000;
            d.partitions[p].load_ms = p == 1 ? 4'000 : 30'000;
            d.partitions[p].standby = p == 1 ? 1 : 0;
          }
        }) {}

  void SetUp() override {
    ASSERT_TRUE(system_.answers("two") && system_.answers("one", 20'000));
    ASSERT_EQ(system_.ask("two", Call::kKeep, "kept").code, 0u);
    ASSERT_TRUE(loaded());
    survivor_ = find(system_, "p2", Who::kInstance);
    before_ = calm_holdings_of(system_.monitor());
    grants_ = grants_of(system_.monitor()).size();
  }

  // Until p1 has its standby: nothing moves by itself then.
  bool loaded() {
    return eventually([&] { return system_.partition("p1").standby == 2; }, milliseconds(30'000)) &&
           eventually([&] { return find(system_, "p1", Who::kSpare) > 0; }) &&
           eventually([&] { return find(system_, "p1", Who::kStandbySpare) > 0; });
  }

  // What is hurt ends, or is ended when it is needed.
  void run(const MatrixCell& cell) {
    SCOPED_TRACE(cell.title());
    const pid_t victim = bring_to(cell);
    ASSERT_GT(victim, 0) << "whom to hurt";
    if (by_itself(cell.fault)) {
      const Call call = cell.fault == Fault::kMemory ? Call::kTakeMemory : Call::kHang;
      // Who takes all memory may have been ended before the question is.
      const Code code = code_from(system_.ask("one", call, "", 0).code);
      EXPECT_TRUE(code == Code::kTimedOut ||
                  (cell.fault == Fault::kMemory && code == Code::kPartitionFailed))
          << name_of(code);
    } else if (cell.at == At::kReading) {
      read_while([&] { EXPECT_TRUE(inflict(cell.fault, victim)); });
    } else {
      EXPECT_TRUE(inflict(cell.fault, victim) || !alive(victim));
    }
    need(cell, victim);
    EXPECT_TRUE(eventually([&] { return !alive(victim); }, milliseconds(20'000)))
        << "the victim is still there";
    expect_as_before();
  }

  // The state, and the process that is to be hurt in it.
  pid_t bring_to(const MatrixCell& cell) {
    switch (cell.at) {
      case At::kCall:
        EXPECT_EQ(code_from(system_.ask("one", Call::kSpin, "300", 0).code), Code::kTimedOut);
        break;
      case At::kWriting:
        EXPECT_EQ(code_from(system_.ask("one", Call::kWrite, "", 0).code), Code::kTimedOut);
        break;
      case At::kReading:
        EXPECT_EQ(system_.ask("one", Call::kFill).code, 0u);
        break;
      case At::kRevoked:
        EXPECT_TRUE(inflict(Fault::kKill, find(system_, "driver", Who::kInstance)));
        [[fallthrough]];
      case At::kStarting:
        await_next_start();
        break;
      case At::kLoading:  // its standby takes over, and then there is none
        await_next_start();
        await_next_start();
        break;
      case At::kPreparing:
        EXPECT_TRUE(hurt(find(system_, "p1", Who::kMos), SIGKILL));
        EXPECT_TRUE(eventually(
            [&] {
              return find(system_, "p1", Who::kStandbyTemplate) > 0 &&
                     system_.partition("p1").standby == 1;
            },
            milliseconds(20'000)));
        break;
      case At::kIdle:
        break;
    }
    pid_t victim = -1;
    eventually([&] { return (victim = find(system_, "p1", cell.who)) > 0; });
    return victim;
  }

  void await_next_start() {
    const uint32_t epoch = system_.partition("p1").epoch;
    EXPECT_TRUE(hurt(find(system_, "p1", Who::kMos), SIGKILL));
    EXPECT_TRUE(eventually([&] {
      const auto now = system_.partition("p1");
      return now.epoch > epoch && now.pid > 0;
    }));
  }

  // The driver reads what "one" has written, until it is told that it is gone.
  template <class Meanwhile>
  void read_while(Meanwhile meanwhile) {
    std::jthread other([&] {
      std::this_thread::sleep_for(milliseconds(50));
      meanwhile();
    });
    const auto answer = system_.ask("one", Call::kReadOn, "3000", 10'000);
    EXPECT_NE(system_.text(answer), "torn") << "neither what was written nor nothing";
    if (system_.text(answer) == "gone") {
      EXPECT_EQ(answer.readable, 0u);
    }
  }

  // Who stands still, or is short of something, is found when he is needed.
  void need(const MatrixCell& cell, pid_t victim) {
    const bool standby = cell.who >= Who::kStandbyMos;
    if (standby || cell.at == At::kPreparing) {
      EXPECT_TRUE(hurt(find(system_, "p1", Who::kMos), SIGKILL));
    } else if (cell.fault == Fault::kDescriptors && cell.who == Who::kInstance) {
      EXPECT_EQ(system_.ask("one", Call::kLie, "5").code, 0u) << "so that it gets another stream";
    } else if (cell.who != Who::kInstance && cell.who != Who::kMos && alive(victim)) {
      hurt(find(system_, "p1", Who::kInstance), SIGKILL);
    } else if (cell.fault == Fault::kDescriptors) {
      hurt(find(system_, "p1", Who::kInstance), SIGKILL);
    } else if (cell.fault == Fault::kStop && cell.who == Who::kInstance) {
      // It may have had no work, or have done it just before.
      static_cast<void>(system_.ask("one", Call::kEcho, "", 10'000));
    }
  }

  void expect_as_before() {
    system_.connect();  // where the driver's instance was hurt, too
    ASSERT_TRUE(system_.answers("one", 30'000)) << "it comes back";
    EXPECT_EQ(system_.ask("one", Call::kEcho).readable, 0u) << "fresh memory, not the old";
    EXPECT_EQ(system_.text(system_.ask("two", Call::kRecall)), "kept");
    EXPECT_EQ(find(system_, "p2", Who::kInstance), survivor_) << "the process that it was";
    EXPECT_EQ(system_.partition("p2").epoch, 1u);
    ASSERT_TRUE(loaded()) << "and has a standby again";
    for (const char* name : {"driver", "one", "two"})
      EXPECT_EQ(system_.enclave(name).state, static_cast<uint32_t>(operating::State::kRunning));
    Holdings after;
    EXPECT_TRUE(eventually([&] {
      after = holdings_of(system_.monitor());
      return after.descriptors == before_.descriptors && after.processes == before_.processes &&
             after.groups == before_.groups && after.mounts == before_.mounts;
    })) << "descriptors "
        << before_.descriptors << " and now " << after.descriptors << ", processes "
        << before_.processes << " and " << after.processes << ", groups " << before_.groups
        << " and " << after.groups << ", mounts " << before_.mounts << " and " << after.mounts;
    EXPECT_TRUE(eventually([&] { return grants_of(system_.monitor()).size() == grants_; }))
        << "memory of streams that are gone: " << grants_of(system_.monitor()).size() << " for "
        << grants_;
    for (const auto& [number, size] : grants_of(system_.monitor())) EXPECT_GT(size, 0) << number;
  }

  void run_all(const std::vector<MatrixCell>& cells) {
    for (const MatrixCell& cell : cells) {
      run(cell);
      if (HasFailure()) return;
    }
  }

  SmallSystem system_;
  pid_t survivor_ = -1;
  Holdings before_;
  size_t grants_ = 0;
};

TEST_F(Matrix, of_faults_in_a_running_partition_costs_nobody_else_anything) {
  std::vector<MatrixCell> by_themselves = {{At::kIdle, Who::kInstance, Fault::kHang},
                                           {At::kCall, Who::kInstance, Fault::kHang}};
  // Without a group the limit is one on the process, which is told instead of ended.
  if (limited_by(system_.monitor(), {"memory.limit_in_bytes", "memory.max"})) {
    by_themselves.push_back({At::kIdle, Who::kInstance, Fault::kMemory});
    by_themselves.push_back({At::kCall, Who::kInstance, Fault::kMemory});
  } else {
    std::printf("no memory cgroup can be written here: %s of %s is left out\n",
                name_of(Fault::kMemory).c_str(), name_of(Who::kInstance).c_str());
  }
  // One of the four in every run, and six of the others.
  run_all(drawn(by_themselves, 1));
  const std::vector<MatrixCell> short_of_descriptors = {
      {At::kIdle, Who::kMos, Fault::kDescriptors},
      {At::kIdle, Who::kInstance, Fault::kDescriptors}};
  run_all(
      drawn(cells_of({At::kIdle}, {Who::kMos, Who::kTemplate, Who::kInstance, Who::kSpare,
                                   Who::kStandbyMos, Who::kStandbyTemplate, Who::kStandbySpare}) +
                cells_of({At::kCall, At::kWriting, At::kReading},
                         {Who::kMos, Who::kTemplate, Who::kInstance}) +
                short_of_descriptors +
                cells_of({At::kStarting, At::kRevoked}, {Who::kMos, Who::kTemplate}),
            6));
}

class SlowMatrix : public Matrix {
 protected:
  SlowMatrix() : Matrix("sleep") {}
};

TEST_F(SlowMatrix, of_faults_while_it_loads_costs_nobody_else_anything) {
  run_all(drawn(cells_of({At::kLoading}, {Who::kMos, Who::kTemplate}) +
                    cells_of({At::kPreparing}, {Who::kStandbyMos, Who::kStandbyTemplate}),
                1));
}

// So that the two above read something: their zeros are not because nothing is ever there.
TEST_F(Matrix, reads_what_a_living_partition_has_written) {
  ASSERT_EQ(system_.ask("one", Call::kFill).code, 0u);
  const auto answer = system_.ask("one", Call::kReadOn, "50");
  EXPECT_EQ(system_.text(answer), "whole");
  EXPECT_GT(answer.readable, 0u);
}

class Shortage : public Matrix {};

TEST_F(Shortage, of_the_monitor_s_descriptors_delays_who_has_died_and_nobody_else) {
  const pid_t victim = find(system_, "p1", Who::kMos);
  rlimit usual{};
  ASSERT_EQ(::prlimit(system_.monitor(), RLIMIT_NOFILE, nullptr, &usual), 0);
  // No lower than how much it waits for at once, or it could not even wait.
  const rlimit few{24, usual.rlim_max};
  ASSERT_GT(before_.descriptors, few.rlim_cur);
  ASSERT_EQ(::prlimit(system_.monitor(), RLIMIT_NOFILE, &few, nullptr), 0);
  ASSERT_TRUE(hurt(victim, SIGKILL));
  ASSERT_TRUE(eventually([&] { return !alive(victim); }));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(system_.text(system_.ask("two", Call::kRecall)), "kept");
    EXPECT_NE(system_.ask("one", Call::kEcho).code, 0u) << "there is no memory for its stream";
    std::this_thread::sleep_for(milliseconds(5));
  }
  ASSERT_EQ(::prlimit(system_.monitor(), RLIMIT_NOFILE, &usual, nullptr), 0);
  expect_as_before();
}

}  // namespace
}  // namespace casemate::tests
