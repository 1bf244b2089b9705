// SPDX-License-Identifier: Apache-2.0
// A partition whose runtime is the enemy, in one running system: it serves its enclave's calls
// itself, and in the middle of them lies in every field of every message and of every record,
// races, floods and uses what it was given and no longer owns. The table says which of it costs
// the partition a start, and with what reason; all else costs its stream at most.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <filesystem>

#include "base/format.h"
#include "tests/fault/drawn.h"
#include "tests/fault/processes.h"
#include "tests/fixture/lie.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

using control::Message;
using control::Type;
using fixture::Call;
using fixture::Lie;
using operating::State;

constexpr const char* kStranger = "its runtime spoke of an enclave that is not its own";
constexpr const char* kPresumption = "its runtime sent a message that only the monitor may send";
constexpr const char* kSize = "a control message has the wrong size";
constexpr const char* kDeaf = "the control socket is full: its reader has stopped";

constexpr auto kDied = static_cast<uint32_t>(Type::kDied);

// What a lie must cost.
enum class Cost { kNothing, kStream, kPartition };

struct Row {
  std::string title;
  Lie lie;
  Cost cost = Cost::kNothing;
  const char* reason = "";  // of the monitor, where it costs the partition
};

struct Field {
  const char* name;
  uint32_t offset;
  uint32_t size;
};

#define CASEMATE_FIELD(type, member) \
  Field { #member, offsetof(type, member), sizeof(type::member) }

constexpr Field kPlain[] = {
    CASEMATE_FIELD(Message, epoch),         CASEMATE_FIELD(Message, code),
    CASEMATE_FIELD(Message, stream),        CASEMATE_FIELD(Message, role),
    CASEMATE_FIELD(Message, slots),         CASEMATE_FIELD(Message, regions),
    CASEMATE_FIELD(Message, kind),          CASEMATE_FIELD(Message, threads),
    CASEMATE_FIELD(Message, model_version), CASEMATE_FIELD(Message, flags),
    CASEMATE_FIELD(Message, place),         CASEMATE_FIELD(Message, place_count),
    CASEMATE_FIELD(Message, bulk_in_bytes), CASEMATE_FIELD(Message, bulk_out_bytes),
    CASEMATE_FIELD(Message, memory_bytes),  CASEMATE_FIELD(Message, ticket),
    CASEMATE_FIELD(Message, nonce),         CASEMATE_FIELD(Message, key_sha256),
    CASEMATE_FIELD(Message, key_sha384),    CASEMATE_FIELD(Message, quote_size),
    CASEMATE_FIELD(Message, claims_size),   CASEMATE_FIELD(Message, token),
    CASEMATE_FIELD(Message, blob),
};
constexpr Field kTexts[] = {CASEMATE_FIELD(Message, name), CASEMATE_FIELD(Message, reason)};

// A message is made of these, and of what it is and whom it is about, which have tests of their
// own: a field that is new is missing here.
constexpr size_t listed_bytes() {
  size_t bytes = sizeof(Message::type) + sizeof(Message::enclave);
  for (const Field& field : kPlain) bytes += field.size;
  for (const Field& field : kTexts) bytes += field.size;
  return bytes;
}
static_assert(listed_bytes() == sizeof(Message));

// Small, huge and negative, as a field of any size takes them.
constexpr uint64_t kValues[] = {1, 0x7FFF'FFFF'7FFF'FFFF, 0x8000'0000'8000'0000, ~uint64_t{0}};
constexpr Type kFromRuntimes[] = {Type::kReady,  Type::kRefused, Type::kRunning, Type::kDied,
                                  Type::kAttest, Type::kPong,    Type::kLocked};
constexpr Type kFromMonitor[] = {Type::kManifest,   Type::kAdopt,    Type::kFork, Type::kConnect,
                                 Type::kDisconnect, Type::kAttested, Type::kStop, Type::kPing,
                                 Type::kPrepare,    Type::kUnlock};

Lie deed(const char* name) {
  Lie lie;
  lie.kind = static_cast<uint32_t>(Lie::Kind::kDeed);
  lie.deed = Text<32>::from(name);
  return lie;
}

Lie bent(Lie::Kind kind, uint32_t offset, uint32_t size, uint64_t value) {
  Lie lie;
  lie.kind = static_cast<uint32_t>(kind);
  lie.offset = offset;
  lie.size = size;
  lie.value = value;
  return lie;
}

class HostilePartition : public testing::Test {
 protected:
  HostilePartition()
      : system_({{"liar", "obey"}, {"neighbour", "p2"}}, [](SystemDescription& d) {
          for (uint32_t p = 0; p < d.partition_count; ++p) {
            d.partitions[p].failures_max = 1'000'000;
            d.partitions[p].stable_ms = 1;
            d.partitions[p].hang_ms = 20'000;
            d.partitions[p].backoff_ms_first = d.partitions[p].backoff_ms_max = 1;
            d.partitions[p].standby = 0;  // nothing moves by itself but what lies
          }
          d.partitions[1].program = d.enclaves[0].program;     // the fixture in a mOS's place
          d.enclaves[1].flags |= EnclaveDescription::kSealed;  // who may ask for a key, once
        }) {}

  void SetUp() override {
    ASSERT_TRUE(system_.answers("liar") && system_.answers("neighbour"));
    ASSERT_EQ(system_.ask("neighbour", Call::kKeep, "kept").code, 0u);
    own_ = system_.enclave("liar").id;
    others_ = {system_.enclave("neighbour").id, system_.enclave("driver").id};
  }

  // The neighbour and the driver are who they were, and everything still has its name.
  void TearDown() override {
    for (const char* other : {"driver", "p2"}) {
      EXPECT_EQ(system_.partition(other).failures, 0u) << other;
      EXPECT_EQ(system_.partition(other).epoch, 1u) << other;
    }
    EXPECT_TRUE(system_.answers("liar")) << "and after all that it serves";
    EXPECT_EQ(system_.status().enclave_count, 3u);
  }

  Lie message(Type type) const {
    Lie lie;
    lie.kind = static_cast<uint32_t>(Lie::Kind::kMessage);
    lie.type = static_cast<uint32_t>(type);
    lie.enclave = own_;
    return lie;
  }

  fixture::Answer tell(const Lie& lie) {
    return system_.ask("liar", Call::kTell, std::string(text_of(bytes_of(lie))));
  }

  void expect(const Row& row) {
    SCOPED_TRACE(row.title);
    const auto before = system_.ask("liar", Call::kEcho);
    ASSERT_EQ(before.code, 0u);
    const uint32_t failures = system_.partition("obey").failures;
    const size_t said = system_.log().size();
    const auto answer = tell(row.lie);
    if (row.cost == Cost::kPartition) {
      EXPECT_TRUE(eventually([&] { return system_.partition("obey").failures > failures; }));
      EXPECT_NE(system_.log().find(formatted("partition obey: {};", row.reason), said),
                std::string::npos)
          << system_.log().substr(said);
    }
    if (row.cost == Cost::kNothing) {
      EXPECT_EQ(system_.text(answer), "") << "what it gained";
    }
    EXPECT_EQ(system_.text(system_.ask("neighbour", Call::kRecall)), "kept")
        << "the neighbour is the instance it was";
    ASSERT_TRUE(system_.answers("liar")) << "what it lost comes back";
    // A death of its own it is believed, a moment later.
    const bool another = row.cost == Cost::kStream || row.lie.type == kDied;
    EXPECT_TRUE(!another || eventually([&] {
      const auto after = system_.ask("liar", Call::kEcho);
      return after.code == 0 && after.epoch > before.epoch;
    })) << "as another stream";
    EXPECT_EQ(system_.partition("obey").failures,
              failures + (row.cost == Cost::kPartition ? 1 : 0));
  }

  void expect_all(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      expect(row);
      if (HasFatalFailure()) return;
    }
  }

  SmallSystem system_;
  uint32_t own_ = 0;
  std::vector<uint32_t> others_;
};

TEST_F(HostilePartition, gains_nothing_by_a_lie_in_any_field_of_a_message) {
  std::vector<Row> rows;
  for (const Type type : kFromRuntimes) {
    for (const Field& field : kPlain) {
      for (const uint64_t value : kValues) {
        Lie lie = message(type);
        lie.offset = field.offset;
        lie.size = field.size;
        lie.value = value;
        rows.push_back({formatted("type {}, {} = {:x}", lie.type, field.name, value), lie});
      }
    }
  }
  expect_all(drawn(rows, 60));
}

TEST_F(HostilePartition, is_ended_for_speaking_of_others_or_in_texts_without_end) {
  std::vector<Row> rows;
  std::vector<uint32_t> strangers = {0, 1, own_ + 1, own_ ^ 0xFF00'0000, 0xFFFF'FFFF};
  strangers.insert(strangers.end(), others_.begin(), others_.end());
  for (const Type type : kFromRuntimes) {
    const Lie about_itself = message(type);
    for (const uint32_t stranger : strangers) {
      rows.push_back({formatted("type {} about {:x}", about_itself.type, stranger), about_itself,
                      Cost::kPartition, kStranger});
      rows.back().lie.enclave = stranger;
    }
    for (const Field& text : kTexts) {
      rows.push_back({formatted("type {}, {} without its end", about_itself.type, text.name),
                      about_itself, Cost::kPartition, kStranger});
      // The whole of it, or its last byte alone, behind an end.
      const bool all = type == Type::kReady || type == Type::kDied;
      rows.back().lie.offset = text.offset + (all ? 0 : text.size - 1);
      rows.back().lie.size = all ? text.size : 1;
      rows.back().lie.value = 0x4141414141414141;
    }
  }
  expect_all(drawn(rows, 10));
}

TEST_F(HostilePartition, is_ended_for_what_only_the_monitor_says_and_for_messages_of_no_size) {
  std::vector<Row> rows;
  for (const Type type : kFromMonitor)
    rows.push_back({formatted("type {}", static_cast<uint32_t>(type)), message(type),
                    Cost::kPartition, kPresumption});
  for (const uint32_t type : {0u, 18u, 0x7FFF'FFFFu, 0x8000'0000u, 0xFFFF'FFFFu})
    rows.push_back({formatted("type {}", type), message(static_cast<Type>(type)), Cost::kPartition,
                    kPresumption});
  for (const uint32_t size :
       {uint32_t{1}, uint32_t{sizeof(Message) - 1}, uint32_t{sizeof(Message) + 1}, 65'536u}) {
    rows.push_back({formatted("{} bytes", size), message(Type::kPong), Cost::kPartition, kSize});
    rows.back().lie.bytes = size;
  }
  for (const uint32_t count : {7u, 64u, 253u}) {
    rows.push_back(
        {formatted("{} descriptors", count), message(Type::kPong), Cost::kPartition, kSize});
    rows.back().lie.descriptors = count;
  }
  expect_all(drawn(rows, 8));
}

TEST_F(HostilePartition, that_repeats_itself_or_sends_descriptors_leaves_nothing_with_the_monitor) {
  const size_t before = calm_holdings_of(system_.monitor()).descriptors;
  std::vector<Row> rows;
  for (const Type type : kFromRuntimes) {
    // Its deaths are told from one another, and are failures of its own.
    if (type == Type::kDied) continue;
    for (const uint32_t descriptors : {0u, 1u, 6u}) {
      Row row{formatted("type {}, 50 times with {} descriptors", static_cast<uint32_t>(type),
                        descriptors),
              message(type)};
      row.lie.times = 50;
      row.lie.descriptors = descriptors;
      rows.push_back(row);
    }
  }
  expect_all(drawn(rows, 5));
  EXPECT_TRUE(eventually([&] { return holdings_of(system_.monitor()).descriptors <= before; }));
}

TEST_F(HostilePartition, loses_its_stream_for_a_lie_in_any_field_of_a_record_or_a_ring) {
  using Kind = Lie::Kind;
  const auto u64 = [](Kind kind, uint32_t offset, uint64_t value) {
    return bent(kind, offset, 8, value);
  };
  const auto u32 = [](Kind kind, uint32_t offset, uint64_t value) {
    return bent(kind, offset, 4, value);
  };
  std::vector<Row> rows;
  for (const uint64_t value : {~uint64_t{0}, uint64_t{1} << 63, uint64_t{1} << 32, uint64_t{999}}) {
    rows.push_back({formatted("sequence {:x}", value),
                    u64(Kind::kReply, offsetof(srpc::Reply, sequence), value), Cost::kStream});
    rows.push_back({formatted("index {:x}", value), u64(Kind::kRing, 0, value), Cost::kStream});
    rows.push_back({formatted("asleep {:x}", value), u64(Kind::kRing, 64, value)});
    rows.push_back({formatted("progress {:x}", value), u64(Kind::kRing, 128, value)});
    rows.push_back({formatted("core {:x}", value), u64(Kind::kRing, 192, value)});
    rows.push_back({formatted("reserved {:x}", value),
                    u32(Kind::kReply, offsetof(srpc::Reply, reserved), value)});
  }
  rows.push_back({"an index that runs backwards", u64(Kind::kRing, 0, 0), Cost::kStream});
  for (const uint64_t value : {0u, 0x7FFF'FFFFu, 0x8000'0000u, 0xFFFF'FFFFu}) {
    rows.push_back({formatted("epoch {:x}", value),
                    u32(Kind::kReply, offsetof(srpc::Reply, epoch), value), Cost::kStream});
  }
  for (const uint64_t value : {uint64_t{srpc::kPayloadBytes + 1}, uint64_t{0x7FFF'FFFF},
                               uint64_t{0x8000'0000}, uint64_t{0xFFFF'FFFF}}) {
    rows.push_back({formatted("length {:x}", value),
                    u32(Kind::kReply, offsetof(srpc::Reply, length), value), Cost::kStream});
  }
  expect_all(drawn(rows, 10));
  EXPECT_EQ(system_.partition("obey").failures, 0u) << "nobody is restarted for any of these";
}

TEST_F(HostilePartition, answers_in_codes_that_there_are_and_no_others) {
  for (const uint32_t code : {1u, 10u, 11u, 255u, 0x7FFF'FFFFu, 0x8000'0000u, 0xFFFF'FFFFu}) {
    const auto answer = tell(bent(Lie::Kind::kReply, offsetof(srpc::Reply, code), 4, code));
    EXPECT_EQ(code_from(answer.code), code <= 10 ? static_cast<Code>(code) : Code::kPlatform);
    ASSERT_TRUE(system_.answers("liar")) << code;
  }
}

TEST_F(HostilePartition, that_races_with_who_reads_its_answer_gets_through_with_no_lie) {
  for (int round = 0; round < (whole() ? 100 : 4); ++round) {
    const auto answer = tell(deed("race"));
    const Code code = code_from(answer.code);
    EXPECT_TRUE(code == Code::kPartitionFailed || answer.length <= srpc::kPayloadBytes);
    EXPECT_EQ(system_.text(system_.ask("neighbour", Call::kRecall)), "kept");
    ASSERT_TRUE(system_.answers("liar")) << round;
  }
  EXPECT_EQ(system_.partition("obey").failures, 0u);
}

// Sizes of the memory files that a process holds.
std::vector<off_t> sizes_held(pid_t pid) {
  namespace fs = std::filesystem;
  std::vector<off_t> sizes;
  std::error_code error;
  for (fs::directory_iterator it(formatted("/proc/{}/fd", pid), error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    const std::string name = fs::read_symlink(it->path(), gone);
    struct stat facts{};
    const bool shared = name.starts_with("/memfd:re") || name.starts_with("/memfd:bulk");
    if (shared && ::stat(it->path().c_str(), &facts) == 0) sizes.push_back(facts.st_size);
  }
  return sizes;
}

TEST_F(HostilePartition, finds_nothing_in_what_was_revoked_and_cannot_put_it_back) {
  expect({"a stream that is lost", bent(Lie::Kind::kReply, offsetof(srpc::Reply, epoch), 4, 77),
          Cost::kStream});
  for (const char* what : {"revoked", "write", "grow"}) expect({what, deed(what)});
  if (::geteuid() != 0) GTEST_SKIP() << "only root can look at what it holds";
  const auto sizes = sizes_held(system_.partition("obey").pid);
  EXPECT_EQ(std::ranges::count_if(sizes, [](off_t size) { return size != 0; }), 4)
      << "of one stream, the living one";
  EXPECT_GE(std::ranges::count(sizes, 0), 4) << "else this proves nothing";
}

TEST_F(HostilePartition, is_ended_when_it_shrinks_a_grant_or_asks_and_does_not_listen) {
  expect({"shrink", deed("shrink"), Cost::kPartition, "its runtime died"});
  expect({"deaf", deed("deaf"), Cost::kPartition, kDeaf});
}

}  // namespace
}  // namespace casemate::tests
