// SPDX-License-Identifier: Apache-2.0
// casemate-monitor STATE_FOLDER RUN_FOLDER, with descriptors
//   3  the system description (sealed memfd)   4  the operator's listening socket   5  the
//   gateway's listening socket   6  where enclaves that are debugged write to; else our stderr
// casemate-monitor --walls        prints which walls stand on this machine
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "base/crypto.h"
#include "base/format.h"
#include "base/lockdown/lockdown.h"
#include "base/log.h"
#include "base/mapping.h"
#include "trusted/attest/tpm_root.h"
#include "trusted/monitor/monitor.h"
#include "wire/tpm/quote.h"

namespace {

using namespace casemate;

constexpr size_t kSecretHeap = 4 << 20;

int fail(const Error& error) {
  log("{}", error.text);
  return error.code == Code::kPlatform ? 3 : 1;
}

Result<std::unique_ptr<SystemDescription>> read_description(int fd) {
  // Its writer must not be able to change it while it is read.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_WRITE) == 0) {
    return Error{
        Code::kInvalid,
        "descriptor 3 is no sealed system description; start the monitor with casemate serve"};
  }
  struct stat facts{};
  auto description = std::make_unique<SystemDescription>();
  if (::fstat(fd, &facts) != 0 || facts.st_size != static_cast<off_t>(sizeof *description) ||
      ::pread(fd, description.get(), sizeof *description, 0) !=
          static_cast<ssize_t>(sizeof *description)) {
    return Error{
        Code::kInvalid,
        casemate::formatted("the system description has {} bytes instead of {}: start monitor and "
                            "command of one build",
                            facts.st_size, sizeof *description)};
  }
  return description;
}

// Children may have as many files and as much locked memory as their limits say; only root can make
// room for that. We hold five descriptors for each stream and for each process ourselves: more than
// the customary 1024 in a large system.
void raise_limits() {
  for (const auto resource : {RLIMIT_NOFILE, RLIMIT_MEMLOCK}) {
    rlimit limit{};
    ::getrlimit(resource, &limit);
    const rlim_t most = resource == RLIMIT_NOFILE ? 1u << 20 : RLIM_INFINITY;
    const rlimit wanted{std::max(limit.rlim_max, most), std::max(limit.rlim_max, most)};
    const rlimit allowed{limit.rlim_max, limit.rlim_max};
    if (::setrlimit(resource, &wanted) != 0) ::setrlimit(resource, &allowed);
  }
}

// A mount namespace of our own, and a user namespace around it where we are not root.
Status stand_apart() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      return errno_error("making a mount namespace (run as root, or allow user namespaces)");
    }
    const auto write = [](const char* path, const std::string& text) {
      const Fd fd(::open(path, O_WRONLY | O_CLOEXEC));
      return fd.valid() &&
             ::write(fd.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    };
    if (!write("/proc/self/setgroups", "deny") ||
        !write("/proc/self/uid_map", casemate::formatted("0 {} 1", user)) ||
        !write("/proc/self/gid_map", casemate::formatted("0 {} 1", group))) {
      return errno_error("mapping our user");
    }
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return errno_error("making mounts private");
  return {};
}

// A closed stderr would leave its number to something that is opened later.
Status hold_standard_descriptors() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd)
      return errno_error("opening /dev/null in the place of a closed descriptor");
  }
  return {};
}

Result<Fd> take_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return errno_error("taking signals");
  return fd;
}

// What a machine's boot chain measures in hardware: our own program and the libraries that it has
// loaded, in the loader's order. The vdso has no file: it is the kernel's.
Result<Sha384Digest> measure_platform(jail::ImageStore& store) {
  std::vector<std::string> files;
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* out) {
        const std::string_view name(object->dlpi_name);
        if (!name.empty() && !name.starts_with("linux-vdso"))
          static_cast<std::vector<std::string>*>(out)->emplace_back(name);
        return 0;
      },
      &files);
  std::vector<uint8_t> digests;
  const auto measure = [&](const std::string& file) -> Status {
    const Sha384Digest digest = TRY(store.add(file)).digest;
    digests.insert(digests.end(), digest.begin(), digest.end());
    return {};
  };
  TRY(measure("/proc/self/exe"));
  for (const std::string& file : files) {
    if (!file.starts_with('/')) {
      return Error{
          Code::kInvalid,
          casemate::formatted("the monitor has loaded '{}', whose place is not known: start it "
                              "without LD_PRELOAD and with absolute library paths",
                              file)};
    }
    TRY(measure(file));
  }
  return sha384(digests);
}

Result<std::unique_ptr<attest::RootOfTrust>> open_root(const SystemDescription& d,
                                                       const std::string& state_folder,
                                                       const Sha384Digest& platform) {
  switch (static_cast<RootKind>(d.root)) {
    case RootKind::kTsm:
      return attest::open_tsm_root("/sys/kernel/config/tsm");
    case RootKind::kGramine:
      return attest::open_gramine_root("/dev/attestation");
    default:
      break;
  }
  // These have to be told what other hardware knows by itself.
  const bool debug = std::ranges::any_of(d.enclaves, [](const EnclaveDescription& e) {
    return (e.flags & EnclaveDescription::kDebug) != 0;
  });
  if (static_cast<RootKind>(d.root) != RootKind::kTpm)
    return attest::open_software_root(state_folder, platform, debug);
  // Whoever names another TPM gets its word: what that is worth is for verifiers to say.
  attest::TpmOptions options{
      .certificate_path = casemate::formatted("{}/{}", state_folder, kTpmCertificateFile),
      .debug = debug};
  if (const char* device = std::getenv("CASEMATE_TPM")) options.device = device;
  return attest::open_tpm_root(options, platform);
}

// A share that nobody enforces would be a lie to whoever verifies it.
Status check_shares(const SystemDescription& d, const jail::Cgroups& cgroups) {
  const auto enclaves = std::span(d.enclaves).first(d.enclave_count);
  if (std::ranges::all_of(enclaves, [](const auto& e) { return e.share == 0; })) return {};
  for (const std::string_view controller : {"cpu", "cpuset", "memory"}) {
    if (cgroups.controls(controller)) continue;
    return Error{Code::kPlatform,
                 casemate::formatted("enclaves have shares, and no cgroup of '{}' can be written "
                                     "here to hold them to it ({}): start as root, or without "
                                     "shares",
                                     controller, cgroups.summary())};
  }
  return {};
}

Status run(const std::string& state_folder, const std::string& run_folder) {
  raise_limits();
  const Fd stop = TRY(take_stop_signals());
  auto description = TRY(read_description(3));
  TRY(stand_apart());
  const allow::Powers powers = allow::assume_all_powers();
  auto store = TRY(jail::ImageStore::make(powers.spawn, run_folder));
  const Sha384Digest platform = TRY(measure_platform(store));
  auto root = TRY(open_root(*description, state_folder, platform));
  auto voucher = TRY(attest::Voucher::make(powers.vouch, std::move(root), platform));
  auto system =
      TRY(monitor::MeasuredSystem::make(powers.spawn, std::move(description), std::move(store)));
  auto cgroups = jail::Cgroups::open(powers.spawn, casemate::formatted("casemate-{}", ::getpid()));
  log("{}", cgroups.summary());
  TRY(check_shares(system.description(), cgroups));
  Fd listener;
  if (::fcntl(5, F_GETFD) >= 0) listener = Fd(5);
  auto setup = std::make_unique<monitor::Monitor::Setup>(
      monitor::Monitor::Setup{std::move(system), std::move(cgroups), std::move(voucher),
                              std::move(listener), Fd(4), stop.number()});
  return monitor::Monitor(powers, std::move(setup), system_clock()).run();
}

}  // namespace

int main(int argc, char** argv) {
  log_as("monitor");
  if (argc == 2 && std::string_view(argv[1]) == "--walls") {
    for (const std::string& line : jail::describe_walls(allow::assume_all_powers().spawn))
      std::puts(line.c_str());
    return 0;
  }
  if (argc != 3) {
    log("start the system with casemate serve; casemate doctor shows the walls");
    return 2;
  }
  if (use_secret_heap(kSecretHeap).size == 0)
    log("this kernel has no memfd_secret: the monitor's key lies in ordinary memory");
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);  // who reads our lines may go
  if (const Status open = hold_standard_descriptors(); !open) return fail(open.error());
  constexpr int kDebug = monitor::Launcher::kDebugOutput;
  if (::fcntl(kDebug, F_GETFD) < 0) ::dup2(STDERR_FILENO, kDebug);
  for (int fd = 3; fd <= kDebug; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (const Status closed = lockdown::close_from(kDebug + 1); !closed) return fail(closed.error());
  if (const Status guarded = lockdown::make_undumpable(); !guarded) return fail(guarded.error());
  const Status done = run(argv[1], argv[2]);
  return done ? 0 : fail(done.error());
}
