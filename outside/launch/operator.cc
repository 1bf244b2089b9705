// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/operator.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <format>
#include <vector>

#include "base/fd.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;
// A monitor answers between two events; it may be starting a process, which takes milliseconds.
constexpr int kPatienceMs = 5000;

Result<Fd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{Code::kInvalid, std::format("{}: the path is too long for a socket", path)};
  path.copy(address.sun_path, path.size());
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid() ||
      ::connect(fd.number(), static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                sizeof address) != 0) {
    return Error{Code::kNotFound,
                 std::format("{}: nobody answers there; start a system with casemate serve", path)};
  }
  return fd;
}

}  // namespace

Result<std::string> run_folder() {
  const char* chosen = std::getenv("CASEMATE_RUN");
  const std::string folder =
      chosen != nullptr ? chosen : std::format("/tmp/casemate-{}", ::geteuid());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return errno_error(std::format("making {}", folder));
  struct stat facts{};
  if (::lstat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode) ||
      facts.st_uid != ::geteuid() || (facts.st_mode & 077) != 0) {
    return Error{
        Code::kDenied,
        std::format(
            "{}: must be a folder that only this user can enter; remove it, or set CASEMATE_RUN",
            folder)};
  }
  return folder;
}

Result<std::string> find_socket(const std::string& chosen) {
  if (!chosen.empty()) return chosen;
  const std::string folder = TRY(run_folder());
  std::vector<std::string> living;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string() + "/operator";
    if (fs::exists(path, error) && connect_to(path)) living.push_back(path);
  }
  if (living.empty())
    return Error{Code::kNotFound,
                 "no system of this user runs here; start one with casemate serve"};
  if (living.size() == 1) return living.front();
  std::string names;
  for (const std::string& path : living) names += " " + path;
  return Error{Code::kInvalid,
               std::format("several systems run here; choose one with --socket:{}", names)};
}

Result<std::unique_ptr<operating::Reply>> ask(const std::string& socket, operating::Command command,
                                              const std::string& target) {
  const Fd fd = TRY(connect_to(socket));
  operating::Request request;
  request.command = static_cast<uint32_t>(command);
  request.target = Text<limits::kName>::from(target);
  auto reply = std::make_unique<operating::Reply>();
  pollfd waiting{fd.number(), POLLIN, 0};
  if (::send(fd.number(), &request, sizeof request, MSG_NOSIGNAL) !=
          static_cast<ssize_t>(sizeof request) ||
      ::poll(&waiting, 1, kPatienceMs) != 1 ||
      ::recv(fd.number(), reply.get(), sizeof *reply, 0) != static_cast<ssize_t>(sizeof *reply) ||
      reply->magic != operating::Request::kMagic ||
      reply->partition_count > reply->partitions.size() ||
      reply->enclave_count > reply->enclaves.size()) {
    return Error{Code::kUnavailable,
                 std::format("{}: the monitor does not answer, or is of another build", socket)};
  }
  const Code code = code_from(reply->code);
  if (code != Code::kOk) return Error{code, std::string(reply->text.view())};
  return reply;
}

}  // namespace casemate::launch
