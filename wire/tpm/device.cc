// SPDX-License-Identifier: Apache-2.0
#include "wire/tpm/device.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>

namespace casemate {
namespace {

constexpr uint16_t kPlain = 0x8001, kWithSessions = 0x8002;  // TPM_ST
constexpr size_t kHeader = 10;
constexpr size_t kAnswer = 4096;  // what TPMs in use write at most

// By TPM_RC, without the number of the parameter or session that it is about.
constexpr std::pair<uint32_t, const char*> kAdvice[] = {
    {0x100, "it has not been started: let the firmware do it, or run tpm2_startup -c"},
    {0x101, "it is in failure mode: switch the machine off and on"},
    {0x143, "it does not know this command: it is no TPM 2.0 for a PC"},
    {0x902, "it has no room: use /dev/tpmrm0, or run tpm2_flushcontext -t"},
    {0x903, "it has no room: use /dev/tpmrm0, or run tpm2_flushcontext -l"},
    {0x907, "its PCR 23 cannot be reset by programs: it is no TPM 2.0 for a PC"},
    {0x90A, "it tests itself: try again"},
    {0x922, "it is busy: try again"},
    {0x08B, "nothing is stored in it under this handle: its maker has put no certificate there"},
    {0x08E, "its endorsement hierarchy has a password: run tpm2_changeauth -c e, with the old one"},
    {0x0A2, "its endorsement hierarchy has a password: run tpm2_changeauth -c e, with the old one"},
    {0x0A6, "it has no such curve: P-256 is needed"},
};

Error refused(const char* command, const std::string& path, uint32_t code) {
  const bool format_one = (code & 0x80) != 0;  // then bits 6 and 8 to 11 say which parameter
  for (const auto& [kind, advice] : kAdvice) {
    if (kind != (format_one ? code & 0xBF : code)) continue;
    return {Code::kDenied,
            formatted("{}: the TPM refused {} ({:#x}): {}", path, command, code, advice)};
  }
  return {Code::kDenied,
          formatted("{}: the TPM refused {}: tpm2_rc_decode {:#x} says why", path, command, code)};
}

}  // namespace

Result<TpmDevice> TpmDevice::open(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return errno_error("looking for the TPM at " + path);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (!S_ISSOCK(facts.st_mode) && !S_ISCHR(facts.st_mode))
    return Error{Code::kInvalid, formatted("{}: is no TPM: name /dev/tpmrm0", path)};
  if (S_ISCHR(facts.st_mode)) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) return errno_error("opening the TPM " + path);
    return TpmDevice(std::move(fd), path);
  }
  if (path.size() >= sizeof address.sun_path)
    return Error{Code::kInvalid, formatted("{}: is longer than a socket's name may be", path)};
  std::ranges::copy(path, address.sun_path);
  const void* any = &address;
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(fd.number(), static_cast<const sockaddr*>(any), sizeof address) != 0)
    return errno_error("connecting to the TPM at " + path);
  return TpmDevice(std::move(fd), path);
}

Status TpmDevice::wait(short events, Instant deadline) const {
  pollfd look{.fd = fd_.number(), .events = events, .revents = 0};
  for (Duration left; (left = deadline - system_clock().now()) > Duration::zero();) {
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready = ::poll(&look, 1, static_cast<int>(milliseconds));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return errno_error("waiting for the TPM " + path_);
  }
  return Error{Code::kTimedOut,
               formatted("{}: the TPM does not answer: switch the machine off and on", path_)};
}

// A device takes a command and gives its answer in one piece each; a socket may cut both.
Result<std::vector<uint8_t>> TpmDevice::exchange(Bytes command, Instant deadline) {
  while (!command.empty()) {
    TRY(wait(POLLOUT, deadline));
    const ssize_t done = ::write(fd_.number(), command.data(), command.size());
    if (done > 0) command = command.subspan(static_cast<size_t>(done));
    if (done < 0 && errno != EAGAIN && errno != EINTR)
      return errno_error("asking the TPM " + path_);
  }
  std::vector<uint8_t> answer(kAnswer);
  size_t have = 0;
  for (size_t size = kHeader; have < size;) {
    TRY(wait(POLLIN, deadline));
    const ssize_t done = ::read(fd_.number(), &answer[have], answer.size() - have);
    if (done == 0)
      return Error{Code::kPlatform, formatted("{}: the TPM has hung up in an answer", path_)};
    if (done < 0 && errno != EAGAIN && errno != EINTR)
      return errno_error("reading from the TPM " + path_);
    have += done > 0 ? static_cast<size_t>(done) : 0;
    if (have >= kHeader) size = TRY(TpmReader(Bytes(answer).subspan(2)).u32("the answer's size"));
    if (size < kHeader || size > kAnswer || have > size) {
      return Error{Code::kInvalid, formatted("{}: an answer of {} bytes says that it has {}: this "
                                             "is no TPM 2.0",
                                             path_, have, size)};
    }
  }
  answer.resize(have);
  return answer;
}

Result<TpmDevice::Answer> TpmDevice::ask(const Question& question, Bytes parameters) {
  if (!connected()) return Error{Code::kPlatform, formatted("{}: is not connected", path_)};
  const uint16_t tag = question.sessions.empty() ? kPlain : kWithSessions;
  TpmWriter body;
  for (const uint32_t handle : question.handles) body.u32(handle);
  if (tag == kWithSessions) body.u32(static_cast<uint32_t>(9 * question.sessions.size()));
  // No nonce, no attributes (a policy ends with its use), no HMAC.
  for (const uint32_t session : question.sessions) body.u32(session).u16(0).u8(0).u16(0);
  body.bytes(parameters);
  TpmWriter whole;
  whole.u16(tag).u32(static_cast<uint32_t>(kHeader + body.view().size())).u32(question.command);
  const auto raw =
      exchange(whole.bytes(body.view()).view(), system_clock().now() + question.patience);
  if (!raw) {
    fd_.reset();  // what comes late would be taken for the next command's answer
    return raw.error();
  }
  TpmReader reader(*raw);
  const auto what = formatted("{}: the TPM's answer to {}", path_, question.name);
  const uint16_t answered = TRY(reader.u16(what));
  TRY(reader.u32(what));
  const uint32_t code = TRY(reader.u32(what));
  if (code != 0) return refused(question.name, path_, code);
  if (answered != tag)
    return Error{Code::kInvalid, formatted("{} has the tag {:#x}", what, answered)};
  Answer answer;
  if (question.makes_handle) answer.handle = TRY(reader.u32(what));
  Bytes found = reader.left();
  if (tag == kWithSessions) found = TRY(reader.bytes(TRY(reader.u32(what)), what));
  answer.parameters.assign(found.begin(), found.end());
  return answer;
}

Result<TpmDevice::Answer> TpmDevice::make_primary(Bytes key_template, Duration patience) {
  TpmWriter parameters;
  parameters.u16(4).u32(0).sized(key_template);  // no password, no data of ours
  parameters.u16(0).u32(0);                      // nothing of where it was made
  const Answer made = TRY(ask({.command = 0x131,
                               .name = "TPM2_CreatePrimary",
                               .handles = {tpm::kEndorsement},
                               .sessions = {kPassword},
                               .makes_handle = true,
                               .patience = patience},
                              parameters.view()));
  const Bytes key = TRY(TpmReader(made.parameters).sized("the TPM's new key"));
  return Answer{made.handle, {key.begin(), key.end()}};
}

Result<TpmDevice::Answer> TpmDevice::make_attestation_key() {
  using namespace tpm;
  TpmWriter key;
  key.u16(kEcc).u16(kSha256).u32(kFixedTpm | kFixedParent | kSensitiveDataOrigin | kUserWithAuth |
                                 kNoDa | kRestricted | kSign);
  key.u16(0).u16(kNull).u16(kEcdsa).u16(kSha256).u16(kP256).u16(kNull);  // no policy
  return make_primary(key.u16(0).u16(0).view(), std::chrono::seconds(20));
}

void TpmDevice::flush(uint32_t handle) {
  if (connected())
    (void)ask({.command = 0x165, .name = "TPM2_FlushContext"}, TpmWriter().u32(handle).view());
}

}  // namespace casemate
