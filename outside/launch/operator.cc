// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/operator.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/fd.h"
#include "base/format.h"
#include "outside/launch/key_questions.h"
#include "outside/launch/private_folder.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;
// A monitor answers between two events; it may be starting a process, which takes milliseconds.
constexpr int kPatienceMs = 5000;
// A monitor waits a few milliseconds for what is asked; on a busy machine that may be too short.
constexpr int kLooks = 5;
constexpr const char* kVariable = "CASEMATE_RUN";

Result<Fd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{Code::kInvalid, formatted("{}: the path is too long for a socket", path)};
  path.copy(address.sun_path, path.size());
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  // Connecting waits too where as many as may are waiting already.
  const timeval patience{kPatienceMs / 1000, 0};
  if (!fd.valid() ||
      ::setsockopt(fd.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
      ::connect(fd.number(), static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                sizeof address) != 0) {
    return Error{Code::kNotFound,
                 formatted("{}: nobody answers there; start a system with casemate serve", path)};
  }
  return fd;
}

// This user's id outside the namespace that the toolchain root is entered through, in which
// everybody is 0. Ids of the map are those of the namespace around it (user_namespaces(7)).
uid_t user_outside() {
  const uid_t inside = ::geteuid();
  std::ifstream map("/proc/self/uid_map");
  uint64_t first = 0;
  uint64_t outer = 0;
  uint64_t count = 0;
  while (map >> first >> outer >> count) {
    if (inside >= first && inside - first < count)
      return static_cast<uid_t>(outer + inside - first);
  }
  return inside;
}

// Where systems of this user may have their sockets; a new one is put into the first. Another
// session of the same user may have no XDG_RUNTIME_DIR, so the second is looked into as well.
std::vector<std::string> run_folders() {
  if (const char* chosen = std::getenv(kVariable); chosen != nullptr) return {chosen};
  std::vector<std::string> folders;
  // With su or sudo it may still be somebody else's.
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && check_private_folder(runtime, kVariable))
    folders.push_back(std::string(runtime) + "/casemate");
  folders.push_back(formatted("/tmp/casemate-{}", user_outside()));
  return folders;
}

std::vector<std::string> sockets_in(const std::string& folder) {
  std::vector<std::string> living;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string() + "/operator";
    std::error_code absent;
    if (fs::exists(path, absent) && connect_to(path)) living.push_back(path);
  }
  return living;
}

// `hung_up`: nothing was answered, and the connection closed.
Result<std::unique_ptr<operating::Reply>> ask_once(const std::string& socket,
                                                   operating::Command command,
                                                   const std::string& target, uint32_t enclave,
                                                   bool& hung_up) {
  const Fd fd = TRY(connect_to(socket));
  operating::Request request;
  request.command = static_cast<uint32_t>(command);
  request.target = Text<limits::kName>::from(target);
  request.enclave = enclave;
  auto reply = std::make_unique<operating::Reply>();
  pollfd waiting{fd.number(), POLLIN, 0};
  const bool sent = ::send(fd.number(), &request, sizeof request, MSG_NOSIGNAL) ==
                    static_cast<ssize_t>(sizeof request);
  const bool told = sent && ::poll(&waiting, 1, kPatienceMs) == 1;
  const ssize_t got = told ? ::recv(fd.number(), reply.get(), sizeof *reply, 0) : -1;
  if (got != static_cast<ssize_t>(sizeof *reply) || reply->magic != operating::Request::kMagic ||
      reply->partition_count > reply->partitions.size() ||
      reply->enclave_count > reply->enclaves.size()) {
    hung_up = got <= 0 && (told || !sent);
    return Error{Code::kUnavailable,
                 formatted("{}: the monitor does not answer, or is of another build", socket)};
  }
  const Code code = code_from(reply->code);
  if (code != Code::kOk) return Error{code, std::string(reply->text.view())};
  return reply;
}

}  // namespace

Result<std::string> run_folder() {
  const std::string folder = run_folders().front();
  TRY(make_private_folder(folder, kVariable));
  return folder;
}

Result<std::string> find_socket(const std::string& chosen) {
  if (!chosen.empty()) return chosen;
  std::vector<std::string> living;
  Status refused;
  for (const std::string& folder : run_folders()) {
    if (Status ours = check_private_folder(folder, kVariable); !ours) {
      if (ours.error().code != Code::kNotFound) refused = std::move(ours);
      continue;
    }
    const auto found = sockets_in(folder);
    living.insert(living.end(), found.begin(), found.end());
  }
  if (living.size() == 1) return living.front();
  if (living.empty()) {
    TRY(std::move(refused));
    return Error{Code::kNotFound,
                 "no system of this user runs here; start one with casemate serve"};
  }
  std::string names;
  for (const std::string& path : living) names += " " + path;
  return Error{Code::kInvalid,
               formatted("several systems run here; choose one with --socket:{}", names)};
}

Result<std::unique_ptr<operating::Reply>> ask(const std::string& socket, operating::Command command,
                                              const std::string& target, uint32_t enclave) {
  const bool looks = command == operating::Command::kStatus;
  for (int tries = looks ? kLooks : 1;; --tries) {
    bool hung_up = false;
    auto reply = ask_once(socket, command, target, enclave, hung_up);
    if (!hung_up || tries == 1) return reply;
  }
}

Result<std::unique_ptr<operating::KeyAnswer>> ask_for_keys(const std::string& socket,
                                                           const operating::KeyQuestion& question,
                                                           const std::stop_token& stop) {
  const Fd fd = TRY(connect_to(socket));
  const std::stop_callback hang_up(stop, [&] { ::shutdown(fd.number(), SHUT_RDWR); });
  auto answer = std::make_unique<operating::KeyAnswer>();
  pollfd waiting{fd.number(), POLLIN, 0};
  if (::send(fd.number(), &question, sizeof question, MSG_NOSIGNAL) !=
          static_cast<ssize_t>(sizeof question) ||
      ::poll(&waiting, 1, kPatienceMs) != 1 ||
      ::recv(fd.number(), answer.get(), sizeof *answer, 0) !=
          static_cast<ssize_t>(sizeof *answer) ||
      answer->magic != operating::KeyQuestion::kMagic ||
      answer->quote_bytes > answer->quote.size() || answer->claims_bytes > answer->claims.size()) {
    return Error{Code::kUnavailable,
                 formatted("{}: the monitor does not answer, or is of another build", socket)};
  }
  const Code code = code_from(answer->code);
  if (code != Code::kOk) return Error{code, "the monitor does not do that for a model's key now"};
  return answer;
}

}  // namespace casemate::launch
