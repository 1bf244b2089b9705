// SPDX-License-Identifier: Apache-2.0
#include "tests/perf/starter/starter.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/format.h"
#include "outside/launch/programs.h"
#include "tests/fault/processes.h"

namespace casemate::perf {
namespace {

namespace fs = std::filesystem;
using control::Type;

constexpr uint64_t kMemory = 1ull << 30;
constexpr int kPatienceMs = 60'000;

Result<uint32_t> add_program(SystemDescription& d, const std::string& name,
                             const std::string& path) {
  const auto images = TRY(launch::images_of(path));
  ProgramDescription& program = d.programs[d.program_count];
  program.name = Text<64>::from(name);
  program.first_image = d.image_count;
  for (const std::string& image : images) {
    ImageDescription& out = d.images[d.image_count++];
    out.source = Text<256>::from(image);
    out.target = Text<256>::from(image == path ? "/bin/" + name : image);
    ++program.image_count;
  }
  return d.program_count++;
}

// One partition with one model.
Status describe(SystemDescription& d, const StarterSpec& spec) {
  PartitionDescription& p = d.partitions[d.partition_count++];
  p.name = Text<64>::from("model");
  p.device.kind = static_cast<uint32_t>(DeviceKind::kCpu);
  p.device.cpu_mask = spec.cpu_mask;
  p.memory_bytes = 2 * kMemory;
  p.processes_max = 64;
  p.backoff_ms_first = p.backoff_ms_max = p.stable_ms = 1;
  p.failures_max = 1;
  p.hang_ms = p.load_ms = kPatienceMs;
  p.program = TRY(add_program(d, "mos", spec.programs + "/casemate-mos"));
  EnclaveDescription& e = d.enclaves[d.enclave_count++];
  e.name = Text<64>::from("model");
  e.kind = static_cast<uint32_t>(EnclaveKind::kModel);
  e.model_version = 1;
  e.memory_bytes = kMemory;
  e.processes_max = 32;
  e.program = TRY(add_program(d, "model", spec.programs + "/casemate-model"));
  e.file_count = 1;
  d.file_count = 1;
  d.files[0].source = Text<256>::from(spec.model);
  d.files[0].target = Text<256>::from("model.onnx");
  return {};
}

std::vector<std::string> words_behind(const fs::path& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream text(line.substr(key.size()));
    return {std::istream_iterator<std::string>(text), {}};
  }
  return {};
}

// Of this process or one below it; with that of all children that were waited for.
std::chrono::duration<double> processor_time_of(pid_t pid) {
  std::ifstream file(formatted("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  std::istringstream text(line.substr(line.rfind(')') + 1));
  const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
  long ticks = 0;
  for (size_t i = 11; i < 15 && i < words.size(); ++i) ticks += std::stol(words[i]);
  return std::chrono::duration<double>(static_cast<double>(ticks) /
                                       static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

}  // namespace

Result<std::unique_ptr<Starter>> Starter::make(const StarterSpec& spec) {
  std::unique_ptr<Starter> starter(new Starter());
  TRY(starter->open(spec));
  TRY(starter->load());
  return starter;
}

Starter::~Starter() {
  for (const jail::Child* child :
       {template_ ? &template_->child : nullptr, partition_ ? &partition_->child : nullptr}) {
    if (child == nullptr) continue;
    ::syscall(SYS_pidfd_send_signal, child->pidfd.number(), SIGKILL, nullptr, 0);
  }
  while (::waitpid(-1, nullptr, __WALL) > 0) {
  }
  launcher_.reset();
  if (folder_.empty()) return;
  ::umount2(folder_.c_str(), MNT_DETACH);
  std::error_code error;
  fs::remove(folder_, error);
}

Status Starter::open(const StarterSpec& spec) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return errno_error("making a mount namespace: run this as root");
  std::string scratch = "/tmp/casemate-bench-XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) return errno_error("making a folder");
  folder_ = scratch;
  const allow::Powers powers = allow::assume_all_powers();
  auto description = std::make_unique<SystemDescription>();
  TRY(describe(*description, spec));
  auto store = TRY(jail::ImageStore::make(powers.spawn, folder_));
  system_.emplace(
      TRY(monitor::MeasuredSystem::make(powers.spawn, std::move(description), std::move(store))));
  launcher_.emplace(powers.spawn, *system_,
                    jail::Cgroups::open(powers.spawn, formatted("casemate-{}", ::getpid())), Fd());
  return {};
}

Status Starter::load() {
  partition_.emplace(TRY(launcher_->start_partition(0, 0)));
  template_.emplace(TRY(launcher_->start_template(0, 0, partition_->namespaces)));
  const EnclaveDescription& d = system_->description().enclaves[0];
  auto adopt = control::make(Type::kAdopt, system_->measured(0).enclave);
  adopt.kind = d.kind;
  adopt.threads = d.threads;
  adopt.model_version = d.model_version;
  adopt.memory_bytes = d.memory_bytes;
  adopt.name = d.name;
  TRY(partition_->socket.send(adopt, std::vector{template_->socket.number()}));
  template_->socket.reset();
  return wait_for(Type::kReady);
}

Status Starter::wait_for(Type type) const {
  const auto received = TRY(partition_->socket.receive(kPatienceMs));
  if (received.type() == type) return {};
  return Error{Code::kPartitionFailed,
               formatted("the partition said {} where {} was due: {}", received.message.type,
                         static_cast<uint32_t>(type), received.message.reason.view())};
}

Status Starter::start() {
  TRY(partition_->socket.send(control::make(Type::kFork, system_->measured(0).enclave)));
  return wait_for(Type::kRunning);
}

Status Starter::check_walls() const {
  const pid_t instance = tests::instance_of(template_process());
  if (instance <= 0) return Error{Code::kNotFound, "no instance lives"};
  const fs::path folder = formatted("/proc/{}", instance);
  const fs::path above = formatted("/proc/{}", template_process());
  const std::string none = "0000000000000000";
  const std::pair<const char*, std::string> expected[] = {
      {"Seccomp:", "2"}, {"Seccomp_filters:", "4"}, {"NoNewPrivs:", "1"},
      {"CapPrm:", none}, {"CapEff:", none},         {"CapBnd:", none}};
  for (const auto& [key, value] : expected) {
    const auto words = words_behind(folder / "status", key);
    if (words != std::vector{value})
      return Error{Code::kDenied, formatted("{} {} where {} is due", key,
                                            words.empty() ? "nothing" : words[0], value)};
  }
  for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    std::error_code error;
    const auto space = fs::read_symlink(folder / "ns" / kind, error);
    if (error || space == fs::read_symlink(above / "ns" / kind, error) ||
        space == fs::read_symlink(fs::path("/proc/self/ns") / kind, error))
      return Error{Code::kDenied, formatted("its {} namespace is not its own", kind)};
  }
  return {};
}

std::chrono::duration<double> Starter::processor_time() const {
  return processor_time_of(::getpid()) + processor_time_of(partition_->child.pid) +
         processor_time_of(template_process());
}

}  // namespace casemate::perf
