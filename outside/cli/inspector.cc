// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/inspector.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/fd.h"
#include "base/format.h"
#include "base/log.h"
#include "outside/child/child.h"
#include "outside/cli/opencl_device.h"
#include "outside/launch/accelerators.h"
#include "outside/launch/programs.h"

namespace casemate::cli {
namespace {

constexpr int kRefusals = 64;  // + a Code: the exit code for a model that the program refuses
constexpr size_t kReasonMax = 2000;
constexpr size_t kOpenclMax = 4;
constexpr size_t kFirstDescriptor = 3;

// A regular file, open for reading.
Result<Fd> open_model(const std::string& path) {
  // Not blocking: opening a FIFO would otherwise wait for a writer.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid() && errno == ENOENT)
    return Error{Code::kNotFound, formatted("there is no file {}", path)};
  if (!fd.valid()) return errno_error("open " + path);
  struct stat facts{};
  if (::fstat(fd.number(), &facts) != 0) return errno_error("stat " + path);
  if (!S_ISREG(facts.st_mode))
    return Error{Code::kInvalid, formatted("{} is no regular file", path)};
  if (facts.st_size == 0) return Error{Code::kInvalid, formatted("{} is empty", path)};
  return fd;
}

// The folder that the file is in.
Result<Fd> open_folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
  Fd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("open " + folder);
  return fd;
}

// What casemate-inspect gets: the model, if there is one, and the folder that it lies in.
Result<std::vector<Fd>> open_all(const std::optional<std::string>& model, bool external_data) {
  std::vector<Fd> opened;
  if (model) opened.push_back(TRY(open_model(*model)));
  if (model && external_data) opened.push_back(TRY(open_folder_of(*model)));
  return opened;
}

// What `name`, such as "devices=", is in the words; empty where it is not among them.
std::string_view word_in(const std::vector<std::string>& arguments, std::string_view name) {
  for (const std::string_view word : arguments) {
    if (word.starts_with(name)) return word.substr(name.size());
  }
  return {};
}

template <class T>
T number_in(const std::vector<std::string>& arguments, std::string_view name, T otherwise) {
  const std::string_view text = word_in(arguments, name);
  std::from_chars(text.data(), text.data() + text.size(), otherwise);
  return otherwise;
}

// The OpenCL devices among those that are named.
Result<std::vector<uint32_t>> opencl_numbers(std::string_view names) {
  std::vector<uint32_t> numbers;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    if (!name.starts_with("opencl:")) continue;
    const auto device = launch::accelerator_named(name);
    if (!device) {
      return Error{Code::kInvalid, formatted("'{}' is no device's name: write opencl: and a number "
                                             "up to {}",
                                             printable(name), limits::kDevices - 1)};
    }
    if (std::ranges::contains(numbers, device->number))
      return Error{Code::kInvalid, formatted("the device {} is named twice: name it once", name)};
    if (numbers.size() == kOpenclMax) {
      return Error{Code::kTooLarge, formatted("at most {} devices of OpenCL can be looked at "
                                              "together: name fewer",
                                              kOpenclMax)};
    }
    numbers.push_back(device->number);
  }
  return numbers;
}

using OpenclDevices = std::vector<std::unique_ptr<OpenclDevice>>;

Result<OpenclDevices> start_opencl(const std::string& program,
                                   const std::vector<std::string>& arguments,
                                   const InspectorLimits& limits) {
  OpenclDevices devices;
  for (const uint32_t number : TRY(opencl_numbers(word_in(arguments, "devices=")))) {
    const std::string programs = program.substr(0, program.rfind('/'));
    devices.push_back(TRY(OpenclDevice::start(
        programs, {.number = number,
                   .threads = number_in(arguments, "threads=", 1u),
                   .memory_bytes = number_in<uint64_t>(arguments, "memory=", 4ull << 30),
                   .patience = limits.patience + std::chrono::seconds(1)})));
  }
  return devices;
}

child::Command command_of(const std::string& program, std::vector<std::string> arguments,
                          const std::vector<Fd>& opened, const OpenclDevices& devices) {
  arguments.insert(arguments.begin(), "casemate-inspect");
  child::Command command{.program = program, .arguments = std::move(arguments)};
  // What the user's environment holds is nobody's business there. glibc insists on registering
  // threads for restartable sequences if it could register the first one; its filter, which comes
  // later, forbids that.
  command.environment = {"GLIBC_TUNABLES=glibc.pthread.rseq=0"};
  // In the order of their places, from 3 on.
  for (const Fd& fd : opened) command.descriptors.push_back(fd.number());
  for (const auto& device : devices) {
    command.arguments.push_back(device->word(kFirstDescriptor + command.descriptors.size()));
    std::ranges::copy(device->descriptors(), std::back_inserter(command.descriptors));
  }
  return command;
}

// Control characters and what is beyond ASCII as '?', line by line.
std::string harmless(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines += printable(text.substr(0, end), end) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Error ended_by(int signal, const std::string& last_words, bool model) {
  const char* name = ::sigabbrev_np(signal);
  std::string text = formatted(
      "the program that looked at the {} was ended by SIG{}, behind its walls; this machine took "
      "no harm{}",
      model ? "model" : "devices", name == nullptr ? std::to_string(signal) : name,
      model ? ", and a server would refuse the model likewise" : "");
  if (signal == SIGSYS) text += " (it tried what its walls forbid, or met a bug)";
  if (signal == SIGBUS) text += " (was the file cut while it was read?)";
  if (signal == SIGKILL) text += " (was there too little memory?)";
  if (!last_words.empty()) text += ": " + last_words;
  return {Code::kPartitionFailed, std::move(text)};
}

Result<InspectorAnswer> judge(const child::Said& said, bool model) {
  std::string reason = printable(said.err.substr(0, said.err.find('\n')), kReasonMax);
  if (WIFSIGNALED(said.status)) return ended_by(WTERMSIG(said.status), reason, model);
  InspectorAnswer answer{.text = harmless(said.out)};
  const int code = WEXITSTATUS(said.status);
  if (code == 0) return answer;
  if (code < kRefusals || reason.empty()) {
    return Error{Code::kPlatform,
                 formatted("casemate-inspect did not come to an answer (exit code {}){}{}", code,
                           reason.empty() ? "" : ": ", reason)};
  }
  answer.refusal = Error{code_from(static_cast<uint32_t>(code - kRefusals)), std::move(reason)};
  return answer;
}

Error broken_off(const Error& why, const std::string& subject, const InspectorLimits& limits) {
  if (why.code == Code::kTimedOut) {
    return {why.code,
            formatted("{}: no answer within {:.1f} s; give it longer with --timeout SECONDS",
                      subject, std::chrono::duration<double>(limits.patience).count())};
  }
  if (why.code == Code::kTooLarge) {
    return {why.code, formatted("{}: the answer is longer than {} bytes, and was broken off",
                                subject, limits.text_bytes_max)};
  }
  return why;
}

}  // namespace

Result<InspectorAnswer> inspect(const std::string& program, const std::optional<std::string>& model,
                                const std::vector<std::string>& arguments,
                                const InspectorLimits& limits) {
  TRY(launch::check_program(program));
  const std::vector<Fd> opened = TRY(open_all(model, limits.external_data));
  const OpenclDevices devices = TRY(start_opencl(program, arguments, limits));
  const auto said = child::run(command_of(program, arguments, opened, devices),
                               limits.text_bytes_max, system_clock().now() + limits.patience);
  // Where a device has failed, that is the reason of whatever went wrong.
  for (const auto& device : devices) {
    const auto failure = device->failure();
    if (failure && (!said || said->status != 0)) return *failure;
  }
  if (!said) return broken_off(said.error(), model.value_or("the devices"), limits);
  return judge(*said, model.has_value());
}

}  // namespace casemate::cli
