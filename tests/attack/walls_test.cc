// SPDX-License-Identifier: Apache-2.0
// The walls around every process of a running system, seen from outside: the sins show that a
// filter kills, and here is what stands behind it. Each case looks at all runtimes, templates and
// instances, those of standbys too.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/format.h"
#include "base/lockdown/lockdown.h"
#include "tests/attack/jail.h"
#include "tests/fault/processes.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

using Kind = Jail::Kind;
using Words = std::vector<std::string>;

constexpr const char* kSpaces[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};

Jail ourselves() { return {::getpid(), Kind::kMos, "this test", "", true}; }

// Three partitions, one with two enclaves, all with their standbys.
class Walls : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can look into processes of other users";
    ::setenv("CASEMATE_CANARY", "of the host", 1);
    system_.emplace(std::vector<ModelSpec>{{"one", "p1"}, {"two", "p1"}, {"three", "p2"}},
                    [this](SystemDescription& d) {
                      for (const uint32_t e : {0, 2})
                        d.enclaves[e].options = Text<EnclaveDescription::kOptions>::from(
                            "for " + std::string(d.enclaves[e].name.view()));
                      d_ = std::make_unique<SystemDescription>(d);
                      for (uint32_t p = 0; p < d.partition_count; ++p)
                        d.partitions[p].hang_ms = 20'000;
                    });
    for (const char* model : {"one", "two", "three"}) ASSERT_TRUE(system_->answers(model));
    ASSERT_TRUE(system_->settled());
    std::set<pid_t> active;
    const auto status = system_->status();
    for (uint32_t p = 0; p < status.partition_count; ++p) active.insert(status.partitions[p].pid);
    // 3 runtimes, 4 templates, 4 instances and the next 4; and all but the instances in reserve.
    constexpr size_t kEverybody = 3 + 4 + 4 + 4 + 3 + 4 + 4;
    eventually([&] {
      jails_ = jails_of(system_->monitor(), active);
      return jails_.size() >= kEverybody;
    });
    ASSERT_EQ(jails_.size(), kEverybody);
    ASSERT_EQ(descendants(system_->monitor()).size(), jails_.size()) << "nothing else lives";
  }

  // Index in the description of a jail's enclave; a jail's partition.
  static size_t index_of(const Jail& jail) { return std::stoul(jail.root.substr(1)); }
  [[nodiscard]] size_t partition_of(const Jail& jail) const {
    return jail.kind == Kind::kMos ? index_of(jail) : d_->enclaves[index_of(jail)].partition;
  }
  // What lies in its root and where that came from.
  [[nodiscard]] std::map<std::string, std::string> sources_of(const Jail& jail) const {
    const auto& enclave = d_->enclaves[index_of(jail)];
    const bool mos = jail.kind == Kind::kMos;
    const auto& program =
        d_->programs[mos ? d_->partitions[index_of(jail)].program : enclave.program];
    std::map<std::string, std::string> all;
    for (uint32_t i = program.first_image; i < program.first_image + program.image_count; ++i)
      all[std::string(d_->images[i].target.view())] = d_->images[i].source.view();
    for (uint32_t i = enclave.first_file; !mos && i < enclave.first_file + enclave.file_count; ++i)
      all["/model/" + std::string(d_->files[i].target.view())] = d_->files[i].source.view();
    return all;
  }

  std::unique_ptr<SystemDescription> d_;
  std::optional<SmallSystem> system_;
  std::vector<Jail> jails_;
};

// What `body` says in a child, which may change what it likes of itself.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Steps into a namespace of that process.
bool enter(const Jail& jail, const char* kind, int flag) {
  const Fd space(::open((jail.folder() / "ns" / kind).c_str(), O_RDONLY | O_CLOEXEC));
  return space.valid() && ::setns(space.number(), flag) == 0;
}

TEST_F(Walls, leave_nobody_a_capability_or_a_way_to_one) {
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
      EXPECT_EQ(jail.status(set), Words{"0000000000000000"}) << set;
    EXPECT_EQ(jail.status("NoNewPrivs"), Words{"1"});
  }
}

TEST_F(Walls, are_filters_that_grow_tighter_with_every_step) {
  // start and mos; start, template and sealed; and an instance's own.
  const std::map<Kind, Words> counts = {{Kind::kMos, {"2"}},
                                        {Kind::kTemplate, {"3"}},
                                        {Kind::kSpare, {"3"}},
                                        {Kind::kInstance, {"4"}}};
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    EXPECT_EQ(jail.status("Seccomp"), Words{"2"}) << "2 is a filter";
    EXPECT_EQ(jail.status("Seccomp_filters"), counts.at(jail.kind));
  }
}

TEST_F(Walls, are_users_that_nobody_else_has) {
  std::map<std::string, std::string> owners;  // user to whom it is of
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    const Words users = jail.status("Uid");
    EXPECT_EQ(users, Words(4, users.front()));
    EXPECT_EQ(jail.status("Gid"), users);
    EXPECT_EQ(jail.status("Groups"), Words{});
    // Above the ids of people, services and customary containers.
    EXPECT_GE(std::stoul(users.front()), 1'879'048'192u);
    const std::string owner = jail.root + (jail.active ? "" : " in reserve");
    EXPECT_EQ(owners.emplace(users.front(), owner).first->second, owner)
        << "an instance has its template's, and nobody else has it";
  }
}

TEST_F(Walls, are_namespaces_that_no_two_processes_share) {
  for (const char* space : kSpaces) {
    std::map<std::string, std::string> owners = {{ourselves().space(space), "the host"}};
    for (const Jail& jail : jails_) {
      const std::string own = jail.space(space);
      ASSERT_NE(own, "");
      const auto [owner, fresh] = owners.emplace(own, jail.title());
      EXPECT_TRUE(fresh) << space << ": " << jail.title() << " is where " << owner->second << " is";
    }
  }
}

TEST_F(Walls, keep_an_enclave_in_its_partition_and_from_seeing_it) {
  // In namespaces inside its partition's, an enclave is nobody's parent and sees itself as 1.
  const std::map<Kind, size_t> depths = {
      {Kind::kMos, 1}, {Kind::kTemplate, 2}, {Kind::kInstance, 3}, {Kind::kSpare, 3}};
  const size_t host = ourselves().status("NSpid").size();
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    const Words ids = jail.status("NSpid");
    EXPECT_EQ(ids.size(), host + depths.at(jail.kind));
    EXPECT_EQ(ids.back(), "1");
    EXPECT_EQ(jail.status("Threads"), Words{"1"});
  }
}

TEST_F(Walls, hold_exactly_the_files_that_were_described) {
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    std::set<std::string> expected;
    for (const auto& [target, source] : sources_of(jail)) {
      expected.insert(target);
      for (size_t end = target.find('/', 1); end != std::string::npos;
           end = target.find('/', end + 1))
        expected.insert(target.substr(0, end + 1));
      std::ifstream described(source, std::ios::binary);
      std::ifstream held(jail.folder() / ("root" + target), std::ios::binary);
      EXPECT_TRUE(held) << target;
      EXPECT_TRUE(std::equal(std::istreambuf_iterator<char>(described), {},
                             std::istreambuf_iterator<char>(held), {}))
          << target << " is not " << source;
    }
    EXPECT_EQ(jail.files(), expected);
  }
}

TEST_F(Walls, are_one_mount_that_nobody_can_write) {
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    const auto mounts = jail.lines("mountinfo");
    ASSERT_EQ(mounts.size(), 1u) << "nothing of the host's is left";
    // ID PARENT DEVICE ROOT PLACE OPTIONS - TYPE SOURCE OPTIONS OF ALL
    std::istringstream text(mounts.front());
    const Words words{std::istream_iterator<std::string>(text), {}};
    ASSERT_EQ(words.size(), 10u) << mounts.front();
    EXPECT_EQ(words[4], "/");
    for (const char* option : {"ro", "nosuid", "nodev"})
      EXPECT_NE(("," + words[5] + ",").find(formatted(",{},", option)), std::string::npos)
          << words[5];
    EXPECT_EQ(words[7], "tmpfs");
    EXPECT_TRUE((words[9] + ",").starts_with("ro,")) << "for the monitor too: " << words[9];
    for (const std::string& entry : jail.files()) {
      const fs::path path = jail.folder() / ("root" + entry);
      const bool folder = entry.ends_with('/');
      const Fd file(folder ? ::open((path / "new").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)
                           : ::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      EXPECT_FALSE(file.valid()) << "even root can write " << entry;
      EXPECT_EQ(errno, EROFS) << entry;
    }
  }
}

TEST_F(Walls, keep_the_network_out) {
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    const auto devices = jail.lines("net/dev");
    ASSERT_EQ(devices.size(), 3u) << "two lines of heading and one interface";
    EXPECT_NE(devices[2].find(" lo:"), std::string::npos) << devices[2];
    EXPECT_LE(jail.lines("net/route").size(), 1u) << "a heading, no route";
    EXPECT_EQ(in_child([&] {
                if (!enter(jail, "net", CLONE_NEWNET)) return 2;
                const Fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                ifreq request{};
                std::string("lo").copy(request.ifr_name, IFNAMSIZ);
                if (::ioctl(any.number(), SIOCGIFFLAGS, &request) != 0) return 3;
                return (request.ifr_flags & IFF_UP) == 0 ? 0 : 1;
              }),
              0)
        << "1: its loopback is up";
  }
}

// "Max open files   256   256   files": the hard limit and the soft one are the same.
std::string limit_of(const Jail& jail, const std::string& name) {
  for (const std::string& line : jail.lines("limits")) {
    if (!line.starts_with(name)) continue;
    std::istringstream rest(line.substr(name.size()));
    std::string soft;
    std::string hard;
    rest >> soft >> hard;
    return soft == hard ? soft : soft + " and " + hard;
  }
  return "missing";
}

TEST_F(Walls, are_limits_of_the_processes_own) {
  Jail monitor = ourselves();
  monitor.pid = system_->monitor();
  // Nobody can give what he has not got himself.
  const auto at_most = [&](const std::string& name, unsigned long most) {
    const std::string own = limit_of(monitor, name);
    return std::to_string(own == "unlimited" ? most : std::min(most, std::stoul(own)));
  };
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    const bool mos = jail.kind == Kind::kMos;
    const bool gateway = jail.name == "gateway";
    EXPECT_EQ(limit_of(jail, "Max core file size"), "0");
    EXPECT_EQ(limit_of(jail, "Max msgqueue size"), "0");
    EXPECT_EQ(limit_of(jail, "Max locked memory"),
              at_most("Max locked memory", gateway ? 256u << 20 : 0));
    EXPECT_EQ(limit_of(jail, "Max open files"), at_most("Max open files", mos       ? 1024
                                                                          : gateway ? 20'000
                                                                                    : 256));
    EXPECT_EQ(limit_of(jail, "Max data size"), mos ? "33554432" : "unlimited");
  }
}

// The inode of the socket that listens at `path`.
std::string listening_at(const std::string& path) {
  for (const std::string& line : ourselves().lines("net/unix")) {
    std::istringstream text(line);
    const Words words{std::istream_iterator<std::string>(text), {}};
    // 00010000 in the flags: it accepts connections.
    if (words.size() == 8 && words[7] == path && words[3] == "00010000")
      return formatted("socket:[{}]", words[6]);
  }
  return "missing";
}

// Descriptors from 3 on as a sorted list of what they are, without numbers of sockets.
Words kinds_of(const Jail& jail) {
  Words all;
  for (const auto& [number, target] : jail.descriptors())
    if (number > 2)
      all.push_back(target.starts_with("socket:") ? "socket" : target.substr(0, target.find(' ')));
  std::ranges::sort(all);
  return all;
}

Words sorted(Words words, size_t sockets) {
  words.insert(words.end(), sockets, "socket");
  std::ranges::sort(words);
  return words;
}

TEST_F(Walls, leave_exactly_the_descriptors_that_a_process_works_with) {
  const Words stream = {"/memfd:requests", "/memfd:replies", "/memfd:bulk-in", "/memfd:bulk-out",
                        "anon_inode:[eventfd]"};
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    Words expected;
    if (jail.kind == Kind::kMos) {
      const size_t enclaves = partition_of(jail) == 1 ? 2 : 1;
      // To the monitor, to each template, and to each instance.
      expected = sorted({"/memfd:heartbeat", "anon_inode:[eventpoll]"},
                        1 + enclaves * (jail.active ? 2 : 1));
    } else if (jail.kind == Kind::kTemplate || jail.kind == Kind::kSpare) {
      expected = {"socket"};
    } else if (jail.name == "model") {
      expected = sorted(stream, 1);
    } else {
      for (int i = 0; i < 3; ++i) expected.insert(expected.end(), stream.begin(), stream.end());
      expected = sorted(expected, 3);  // to the runtime, the listening one, and this test's
    }
    EXPECT_EQ(kinds_of(jail), expected);
    EXPECT_EQ(jail.descriptors().contains(3), true) << "its control socket";
  }
}

TEST_F(Walls, hold_the_customary_descriptors_with_what_nobody_can_use) {
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    const auto all = jail.descriptors();
    ASSERT_TRUE(all.contains(0) && all.contains(1) && all.contains(2));
    EXPECT_TRUE(all.at(0).starts_with("pipe:") && all.at(1) == all.at(0) && all.at(2) == all.at(0));
    for (const int number : {0, 1, 2}) EXPECT_TRUE(jail.only_readable(number)) << number;
  }
}

TEST_F(Walls, leave_each_end_of_a_stream_what_it_may_write) {
  for (const Jail& jail : jails_) {
    if (jail.kind != Kind::kInstance) continue;
    SCOPED_TRACE(jail.title());
    for (const auto& [number, target] : jail.descriptors()) {
      const bool callers =
          target.starts_with("/memfd:requests") || target.starts_with("/memfd:bulk-in");
      if (!target.starts_with("/memfd:")) continue;
      EXPECT_EQ(jail.only_readable(number), callers != (jail.name == "gateway")) << target;
    }
  }
}

TEST_F(Walls, give_the_listening_socket_to_the_running_instance_alone) {
  const std::string listener = listening_at(system_->folder() + "/driver");
  ASSERT_NE(listener, "missing");
  size_t holders = 0;
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    const bool may = jail.name == "gateway" && jail.kind == Kind::kInstance;
    size_t held = 0;
    for (const auto& [number, target] : jail.descriptors()) held += target == listener ? 1 : 0;
    EXPECT_EQ(held, may ? 1u : 0u);
    holders += held;
  }
  EXPECT_EQ(holders, 1u);
}

// Becomes what an instance is to its template: the same user in the same namespace, without a
// capability. 0, or the step that did not work.
int become_neighbour(const Jail& jail) {
  const auto user = static_cast<uid_t>(std::stoul(jail.status("Uid").front()));
  // Or the change of user would take the capability to enter.
  if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) != 0) return 2;
  if (::setresgid(user, user, user) != 0 || ::setresuid(user, user, user) != 0) return 3;
  if (!enter(jail, "user", CLONE_NEWUSER)) return 4;
  return lockdown::drop_capabilities() ? 0 : 5;
}

TEST_F(Walls, keep_their_memory_from_others_of_the_same_user) {
  // Only that a process is not dumpable keeps such a neighbour out.
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    EXPECT_EQ(in_child([&] {
                if (const int failed = become_neighbour(jail); failed != 0) return failed;
                if (::ptrace(PTRACE_SEIZE, jail.pid, nullptr, nullptr) == 0) return 6;
                for (const char* file : {"mem", "environ", "maps"}) {
                  // Some of them can be opened and then say nothing.
                  const Fd opened(::open((jail.folder() / file).c_str(), O_RDONLY | O_CLOEXEC));
                  char byte = 0;
                  if (opened.valid() && ::pread(opened.number(), &byte, 1, 0) > 0) return 7;
                }
                return ::open((jail.folder() / "fd/3").c_str(), O_PATH | O_CLOEXEC) < 0 ? 0 : 8;
              }),
              0);
  }
}

TEST_F(Walls, keep_the_environment_of_the_host_out_and_others_options) {
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    std::ifstream file(jail.folder() / "environ");
    std::set<std::string> names;
    std::optional<std::string> said;
    const std::string_view options =
        jail.kind == Kind::kMos ? "" : d_->enclaves[index_of(jail)].options.view();
    for (std::string entry; std::getline(file, entry, '\0');) {
      const size_t equals = entry.find('=');
      names.insert(entry.substr(0, equals));
      if (names.contains("CASEMATE_OPTIONS") && !said) said = entry.substr(equals + 1);
    }
    std::set<std::string> expected;
    if (jail.kind != Kind::kMos) expected = {"LC_ALL", "TZ"};
    if (!options.empty()) expected.insert("CASEMATE_OPTIONS");
    EXPECT_EQ(names, expected);
    EXPECT_EQ(said.value_or(""), options);
  }
}

TEST_F(Walls, are_control_groups_of_the_processes_own) {
  if (!limited_by(system_->monitor(), {"memory.max", "memory.limit_in_bytes"}))
    GTEST_SKIP() << "no cgroup of this machine limits memory for this user";
  const std::string ours = formatted("/casemate-{}/", system_->monitor());
  for (const Jail& jail : jails_) {
    SCOPED_TRACE(jail.title());
    const int slot = jail.active ? 0 : 1;  // nobody has failed yet
    const std::string leaf = jail.kind == Kind::kMos
                                 ? formatted("p{}/mos{}", index_of(jail), slot)
                                 : formatted("p{}/{}s{}", partition_of(jail), jail.root, slot);
    size_t memberships = 0;
    for (const std::string& line : jail.lines("cgroup")) {
      const size_t at = line.find(ours);
      if (at == std::string::npos) continue;
      ++memberships;
      EXPECT_EQ(line.substr(at + ours.size()), leaf) << line;
    }
    EXPECT_GE(memberships, 1u);
  }
}

}  // namespace
}  // namespace casemate::tests
