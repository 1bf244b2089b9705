// SPDX-License-Identifier: Apache-2.0
#include "tests/system/small_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/format.h"
#include "outside/certify/development_pki.h"
#include "outside/launch/programs.h"
#include "tests/system/patience.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

// 0 when there is none.
pid_t parent_of(pid_t pid) {
  std::ifstream file(formatted("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');  // the name may hold anything
  return name_end == std::string::npos || name_end + 4 > line.size()
             ? 0
             : static_cast<pid_t>(std::atoi(line.c_str() + name_end + 4));
}

uint32_t add_program(SystemDescription& d, const std::string& name, const std::string& path) {
  const auto images = launch::images_of(path);
  EXPECT_TRUE(images) << (images ? "" : images.error().text);
  ProgramDescription& program = d.programs[d.program_count];
  program.name = Text<64>::from(name);
  program.first_image = d.image_count;
  for (const std::string& image : *images) {
    ImageDescription& out = d.images[d.image_count++];
    out.source = Text<256>::from(image);
    out.target = Text<256>::from(image == path ? "/bin/" + name : image);
    ++program.image_count;
  }
  return d.program_count++;
}

// Programs by name, each described once.
class Programs final {
 public:
  explicit Programs(SystemDescription& description) : description_(description) {}
  uint32_t index(const std::string& program) {
    const auto found = known_.find(program);
    if (found != known_.end()) return found->second;
    const std::string name = program.substr(std::string_view("casemate-").size());
    return known_[program] = add_program(description_, name, build_folder() + "/bin/" + program);
  }

 private:
  SystemDescription& description_;
  std::map<std::string, uint32_t> known_;
};

void add_file(SystemDescription& d, uint32_t enclave, const std::string& path) {
  d.enclaves[enclave].first_file = d.file_count;
  d.enclaves[enclave].file_count = 1;
  d.files[d.file_count].source = Text<256>::from(path);
  d.files[d.file_count++].target = Text<256>::from("model.onnx");
}

uint32_t add_partition(SystemDescription& d, const std::string& name, DeviceKind device) {
  for (uint32_t i = 0; i < d.partition_count; ++i) {
    if (d.partitions[i].name.view() == name) return i;
  }
  PartitionDescription& p = d.partitions[d.partition_count];
  p.name = Text<64>::from(name);
  p.device.kind = static_cast<uint32_t>(device);
  p.memory_bytes = 512u << 20;
  p.processes_max = 64;
  p.backoff_ms_first = 20;
  p.backoff_ms_max = 100;
  p.failures_max = 5;
  p.stable_ms = 500;
  // A driver waits for its callees, and meanwhile for nobody else.
  p.hang_ms = name == "driver" ? 20'000 : 600;
  p.load_ms = 20'000;
  p.standby = 1;
  return d.partition_count++;
}

uint32_t add_enclave(SystemDescription& d, const std::string& name, uint32_t partition,
                     EnclaveKind kind, uint32_t program) {
  EnclaveDescription& e = d.enclaves[d.enclave_count];
  e.name = Text<64>::from(name);
  e.partition = partition;
  e.kind = static_cast<uint32_t>(kind);
  e.program = program;
  e.model_version = 1;
  e.memory_bytes = 128u << 20;
  e.processes_max = 8;
  return d.enclave_count++;
}

Fd listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  EXPECT_EQ(
      ::bind(fd.number(), static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address), 0)
      << path;
  EXPECT_EQ(::listen(fd.number(), 16), 0);
  return fd;
}

}  // namespace

std::string build_folder() {
  const char* build = std::getenv("CASEMATE_BUILD");
  if (build != nullptr) return build;
  // Run by hand: the first folder above the program that has the monitor.
  fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  while (folder.has_relative_path() && !fs::exists(folder / "bin/casemate-monitor"))
    folder = folder.parent_path();
  return folder.string();
}

bool hurt(pid_t pid, int signal) {
  if (pid <= 1) return false;
  pid_t ancestor = pid;
  while (ancestor > 1 && ancestor != ::getpid()) ancestor = parent_of(ancestor);
  return pid != ancestor && ancestor == ::getpid() && ::kill(pid, signal) == 0;
}

SmallSystem::SmallSystem(const std::vector<ModelSpec>& models, const Adjust& adjust,
                         const DriverSpec& driver) {
  std::string scratch = "/tmp/casemate-test-XXXXXX";
  EXPECT_NE(::mkdtemp(scratch.data()), nullptr);
  folder_ = scratch;
  for (const char* part : {"state", "images", "models"}) fs::create_directory(folder_ + "/" + part);
  fs::permissions(folder_ + "/state", fs::perms::owner_all);
  EXPECT_TRUE(certify::install_development_pki(folder_ + "/state", system_random()));
  auto d = std::make_unique<SystemDescription>();
  Programs programs(*d);
  add_partition(*d, "driver", DeviceKind::kNone);
  d->partitions[0].program = programs.index("casemate-mos");
  add_enclave(*d, "driver", 0, EnclaveKind::kGateway, programs.index(driver.program));
  if (!driver.onnx.empty()) add_file(*d, 0, driver.onnx);
  for (const ModelSpec& model : models) {
    const uint32_t partition = add_partition(*d, model.partition, DeviceKind::kCpu);
    d->partitions[partition].program = programs.index("casemate-mos");
    const std::string program = model.onnx.empty() ? "casemate-fixture" : "casemate-model";
    const uint32_t enclave =
        add_enclave(*d, model.name, partition, EnclaveKind::kModel, programs.index(program));
    const std::string behaviour = folder_ + "/models/" + model.name;
    std::ofstream(behaviour) << model.behaviour;
    add_file(*d, enclave, model.onnx.empty() ? behaviour : model.onnx);
    d->streams[d->stream_count++] = {0, enclave, 8, 8, 1 << 20, 1 << 20};
  }
  if (adjust) adjust(*d);
  start(*d);
}

void SmallSystem::start(const SystemDescription& description) {
  socket_ = folder_ + "/operator";
  driver_ = folder_ + "/driver";
  const Fd operators = listen_at(socket_);
  const Fd drivers = listen_at(driver_);
  const Fd sealed(::memfd_create("system", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  ASSERT_EQ(::write(sealed.number(), &description, sizeof description),
            static_cast<ssize_t>(sizeof description));
  ASSERT_EQ(::fcntl(sealed.number(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  monitor_ = ::fork();
  if (monitor_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // a test that is killed leaves nothing running
    const int from[] = {::fcntl(sealed.number(), F_DUPFD, 50),
                        ::fcntl(operators.number(), F_DUPFD, 50),
                        ::fcntl(drivers.number(), F_DUPFD, 50)};
    for (int i = 0; i < 3; ++i) ::dup2(from[i], 3 + i);
    const int log =
        ::open((folder_ + "/log").c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    if (log >= 0) ::dup2(log, STDERR_FILENO);
    const std::string program = build_folder() + "/bin/casemate-monitor";
    ::execl(program.c_str(), "casemate-monitor", (folder_ + "/state").c_str(),
            (folder_ + "/images").c_str(), nullptr);
    ::_exit(127);
  }
  connect();
}

void SmallSystem::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  driver_.copy(address.sun_path, sizeof address.sun_path - 1);
  client_ = Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(client_.number(), static_cast<sockaddr*>(static_cast<void*>(&address)),
                      sizeof address),
            0);
}

SmallSystem::~SmallSystem() {
  stop(SIGTERM);
  // Only who failed is asked what was said.
  if (testing::Test::HasFailure()) std::fputs(log().c_str(), stderr);
  std::error_code error;
  fs::remove_all(folder_, error);
}

std::string SmallSystem::log() const {
  std::ifstream file(folder_ + "/log");
  return {std::istreambuf_iterator<char>(file), {}};
}

int SmallSystem::stop(int signal) {
  int status = 0;
  if (monitor_ > 0) {
    ::kill(monitor_, signal);
    ::waitpid(monitor_, &status, 0);
  }
  monitor_ = -1;
  return status;
}

fixture::Answer SmallSystem::ask(const std::string& model, fixture::Call call,
                                 const std::string& argument, int timeout_ms) {
  fixture::Question question;
  question.model = Text<64>::from(model);
  question.call = static_cast<uint32_t>(call);
  question.length = static_cast<uint32_t>(argument.size());
  question.timeout_ms = static_cast<uint32_t>(timeout_ms);
  argument.copy(static_cast<char*>(static_cast<void*>(question.payload.data())),
                question.payload.size());
  auto answer = exchange<fixture::Answer>(question, timeout_ms + 10'000);
  if (!answer) {
    answer.emplace();
    answer->code = static_cast<uint32_t>(Code::kPlatform);
  }
  return *answer;
}

bool SmallSystem::exchange(Bytes question, MutableBytes answer, int timeout_ms) {
  if (::send(client_.number(), question.data(), question.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(question.size()))
    return false;
  pollfd waiting{client_.number(), POLLIN, 0};
  if (::poll(&waiting, 1, timeout_ms) != 1) {
    connect();  // or what comes late would be taken for the answer to the next question
    return false;
  }
  return ::recv(client_.number(), answer.data(), answer.size(), 0) ==
         static_cast<ssize_t>(answer.size());
}

bool SmallSystem::answers(const std::string& model, int within_ms) {
  Patience patience{std::chrono::milliseconds(within_ms)};
  while (!patience.over()) {
    const auto answer = ask(model, fixture::Call::kEcho, "hello", 1000);
    if (answer.code == 0 && text(answer) == "hello") return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

bool SmallSystem::started(const std::string& name, uint32_t epoch, int within_ms) {
  Patience patience{std::chrono::milliseconds(within_ms)};
  while (!patience.over()) {
    const auto reply = status();
    bool all = true;
    for (uint32_t i = 0; i < reply.enclave_count; ++i) {
      const auto& partition = reply.partitions[reply.enclaves[i].partition];
      if (partition.name.view() != name) continue;
      all &= partition.epoch >= epoch &&
             reply.enclaves[i].state == static_cast<uint32_t>(operating::State::kRunning);
    }
    if (all) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

bool SmallSystem::settled(int within_ms) {
  Patience patience{std::chrono::milliseconds(within_ms)};
  while (!patience.over()) {
    const auto reply = status();
    const auto partitions = std::span(reply.partitions).first(reply.partition_count);
    if (std::ranges::all_of(partitions, [](const auto& p) { return p.standby == 2; })) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

// Who asks and is not scheduled for a while is not waited for, and asks again.
operating::Reply SmallSystem::status() {
  auto reply = launch::ask(socket_, operating::Command::kStatus);
  for (int again = 0; !reply && again < 5; ++again)
    reply = launch::ask(socket_, operating::Command::kStatus);
  EXPECT_TRUE(reply) << reply.error().text;
  return reply ? **reply : operating::Reply{};
}

Status SmallSystem::kill(const std::string& partition) {
  TRY(launch::ask(socket_, operating::Command::kKill, partition));
  return {};
}

const operating::PartitionStatus SmallSystem::partition(const std::string& name) {
  const auto reply = status();
  for (uint32_t i = 0; i < reply.partition_count; ++i) {
    if (reply.partitions[i].name.view() == name) return reply.partitions[i];
  }
  return {};
}

const operating::EnclaveStatus SmallSystem::enclave(const std::string& name) {
  const auto reply = status();
  for (uint32_t i = 0; i < reply.enclave_count; ++i) {
    if (reply.enclaves[i].name.view() == name) return reply.enclaves[i];
  }
  return {};
}

}  // namespace casemate::tests
