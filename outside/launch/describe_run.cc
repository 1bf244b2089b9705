// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/describe_run.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "outside/launch/opencl_files.h"
#include "outside/launch/programs.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMib = 1 << 20;
constexpr uint64_t kMosMib = 64;
constexpr uint32_t kProcesses = 512;
// The compiler's files, and each kernel for each size that it is launched with.
constexpr uint32_t kCacheMib = 512;
// One call of a program may take as long as its kernel runs; whoever waits can end it.
constexpr uint32_t kRunPatienceMs = 600'000;
constexpr const char* kDriver = "libcasemate_opencl.so";

Result<uint32_t> number_of(const std::string& device) {
  constexpr std::string_view kind = "opencl:";
  uint32_t number = 0;
  const char* end = device.data() + device.size();
  if (device.starts_with(kind)) {
    const auto [stop, error] = std::from_chars(device.data() + kind.size(), end, number);
    if (error == std::errc() && stop == end && number < limits::kDevices) return number;
  }
  return Error{Code::kInvalid,
               formatted("--device {}: programs run on OpenCL devices; name one from opencl:0 to "
                         "opencl:{}",
                         device, limits::kDevices - 1)};
}

Result<std::string> find_program(const std::string& name) {
  std::vector<std::string> candidates;
  if (name.contains('/')) {
    candidates.push_back(name);
  } else {
    const char* variable = std::getenv("PATH");
    std::istringstream folders(variable != nullptr ? variable : "");
    for (std::string folder; std::getline(folders, folder, ':');)
      candidates.push_back(folder + "/" + name);
  }
  for (const std::string& candidate : candidates) {
    std::error_code error;
    const fs::path path = fs::canonical(candidate, error);
    if (!error && fs::is_regular_file(path) && ::access(path.c_str(), X_OK) == 0)
      return path.string();
  }
  return Error{
      Code::kNotFound,
      formatted("{}: there is no such program, or it may not be run; name its path", name)};
}

bool is_elf(const std::string& path) {
  std::array<char, 4> magic{};
  std::ifstream(path).read(magic.data(), magic.size());
  return std::string_view(magic.data(), magic.size()) ==
         "\x7f"
         "ELF";
}

// Scripts need an interpreter with files of its own that cannot be known.
Status check_format(const std::string& path) {
  if (is_elf(path)) return {};
  return Error{Code::kUnsupported,
               formatted("{}: is no ELF program; run the interpreter of a script with the script "
                         "and all it needs as --file",
                         path)};
}

void add(std::vector<Placed>& files, const Placed& file) {
  if (std::ranges::find(files, file.target, &Placed::target) == files.end()) files.push_back(file);
}

// Ours first: the enclave's own start comes before the program's.
Result<std::vector<Placed>> files_of(const RunSettings& settings, const std::string& path,
                                     const std::string& folder) {
  std::vector<Placed> files =
      TRY(placed_program(folder + "/casemate-program", "/bin/casemate-program"));
  for (const std::string& image : TRY(images_of(path))) add(files, {image, image});
  const std::string driver = formatted("{}/{}", folder, kDriver);
  for (const std::string& image : TRY(images_of_library(driver)))
    add(files, {image, image == driver ? formatted("/lib/x86_64-linux-gnu/{}", kDriver) : image});
  add(files, {folder + "/casemate.icd", formatted("{}/casemate.icd", kOpenclVendors)});
  // The loader of OpenCL, for programs that open it by themselves.
  for (const std::string& image : TRY(images_of(folder + "/casemate-opencl"))) {
    if (fs::path(image).filename().string().starts_with("libOpenCL.so")) add(files, {image, image});
  }
  for (const Placed& file : settings.files) {
    std::error_code error;
    const fs::path source = fs::canonical(file.source, error);
    if (error || !fs::is_regular_file(source))
      return Error{Code::kNotFound,
                   formatted("--file {}: there is no such file; folders are given file by file",
                             file.source)};
    add(files, {source.string(), file.target.empty() ? source.string() : file.target});
    if (!is_elf(source)) continue;
    for (const std::string& image : TRY(images_of_library(source))) {
      if (image != source) add(files, {image, image});
    }
  }
  return files;
}

std::string folders_of(const std::vector<Placed>& files) {
  std::set<std::string> folders;
  for (const Placed& file : files) {
    if (file.target.contains(".so")) folders.insert(fs::path(file.target).parent_path());
  }
  std::string list;
  for (const std::string& folder : folders) list += (list.empty() ? "" : ":") + folder;
  return list;
}

struct Part {
  std::string name;
  EnclaveKind kind;
  DeviceDescription device;
  uint32_t program;
  uint64_t memory_mib;
  uint64_t scratch_mib;
  uint32_t threads;
};

Status add_part(Builder& builder, const Part& part, uint32_t mos, const RunSettings& settings) {
  SystemDescription& d = builder.description();
  PartitionDescription& p = TRY(builder.next(d.partitions, d.partition_count, "partitions"));
  p.name = Text<limits::kName>::from(part.name);
  p.device = part.device;
  p.program = mos;
  p.processes_max = kProcesses + 4;
  // The stream's memory counts for whoever touches it first.
  const uint64_t stream = settings.stream_mib;
  p.memory_bytes = (part.memory_mib + kMosMib + 2 * stream) * kMib;
  p.backoff_ms_first = p.backoff_ms_max = 1000;
  p.failures_max = 1;  // what the program had there is gone, and it has heard of it
  p.stable_ms = 1000;
  p.hang_ms = p.load_ms = kRunPatienceMs;
  EnclaveDescription& e = TRY(builder.next(d.enclaves, d.enclave_count, "enclaves"));
  e.name = Text<limits::kName>::from(part.name);
  e.partition = d.partition_count - 1;
  e.kind = static_cast<uint32_t>(part.kind);
  e.program = part.program;
  e.flags = settings.debug ? EnclaveDescription::kDebug : 0;
  e.threads = part.threads;
  e.memory_bytes = (part.memory_mib + 2 * stream) * kMib;
  e.scratch_bytes = part.scratch_mib * kMib;
  e.processes_max = kProcesses;
  if (part.kind == EnclaveKind::kDevice)
    e.options = Text<EnclaveDescription::kOptions>::from(formatted("device={}", part.device.index));
  return {};
}

}  // namespace

Result<DescribedRun> describe_run(const RunSettings& settings, const std::string& programs) {
  const uint32_t number = TRY(number_of(settings.device));
  const std::string path = TRY(find_program(settings.program));
  TRY(check_format(path));
  Builder builder;
  const uint32_t mos = TRY(builder.add_own_program("mos", programs));
  const auto files = TRY(files_of(settings, path, programs));
  const uint32_t program = TRY(builder.add_program("program", files));
  const auto device =
      TRY(placed_opencl_program(programs + "/casemate-opencl", "/bin/casemate-opencl"));
  const uint32_t opencl = TRY(builder.add_program("opencl", device));
  const uint32_t cores = std::clamp(std::thread::hardware_concurrency(), 1u, limits::kThreads);
  TRY(add_part(builder,
               {"program",
                EnclaveKind::kProgram,
                {},
                program,
                settings.program_memory_mib,
                std::min(settings.scratch_mib, settings.program_memory_mib / 2),
                1},
               mos, settings));
  DeviceDescription accelerator;
  accelerator.kind = static_cast<uint32_t>(DeviceKind::kOpencl);
  accelerator.index = number;
  TRY(add_part(builder,
               {settings.device, EnclaveKind::kDevice, accelerator, opencl, settings.memory_mib,
                std::min(kCacheMib, settings.memory_mib / 2),
                settings.threads != 0 ? settings.threads : cores},
               mos, settings));
  SystemDescription& d = builder.description();
  StreamDescription& stream = TRY(builder.next(d.streams, d.stream_count, "streams"));
  stream.caller = 0;
  stream.callee = 1;
  stream.slots = stream.regions = limits::kStreamSlots;
  stream.bulk_in_bytes = stream.bulk_out_bytes = settings.stream_mib * kMib;
  return DescribedRun{builder.take(), path, folders_of(files)};
}

}  // namespace casemate::launch
