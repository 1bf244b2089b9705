// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/tpm/device.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>

namespace casemate::attest {
namespace {

constexpr uint16_t kPlain = 0x8001, kWithSessions = 0x8002;  // TPM_ST
constexpr size_t kHeader = 10;

// TPM_RC, without the number of the parameter or session that it is about.
struct Refusal {
  uint32_t code;
  const char* advice;
};
constexpr Refusal kRefusals[] = {
    {0x100, "it has not been started: let the firmware do it, or run tpm2_startup -c"},
    {0x101, "it is in failure mode: switch the machine off and on"},
    {0x143, "it does not know this command: it is no TPM 2.0 for a PC"},
    {0x902, "it has no room: use /dev/tpmrm0, or run tpm2_flushcontext -t"},
    {0x903, "it has no room: use /dev/tpmrm0, or run tpm2_flushcontext -l"},
    {0x907, "its PCR 23 cannot be reset by programs: it is no TPM 2.0 for a PC"},
    {0x90A, "it tests itself: try again"},
    {0x921, "it is locked against guessing: run tpm2_dictionarylockout -c"},
    {0x922, "it is busy: try again"},
    {0x08B, "the handle is not known to it: nothing is stored there"},
    {0x08E, "its endorsement hierarchy has a password: run tpm2_changeauth -c e, with the old one"},
    {0x0A2, "its endorsement hierarchy has a password: run tpm2_changeauth -c e, with the old one"},
    {0x0A6, "it has no such curve: P-256 is needed"},
};

Error refused(const TpmCommand& command, const std::string& path, uint32_t code) {
  const bool format_one = (code & 0x80) != 0;  // then bits 6 and 8 to 11 say which parameter
  const uint32_t kind = format_one ? code & 0xBF : code;
  for (const Refusal& refusal : kRefusals) {
    if (refusal.code == kind) {
      return {Code::kDenied, formatted("{}: the TPM refused {} ({:#x}): {}", path, command.name,
                                       code, refusal.advice)};
    }
  }
  return {Code::kDenied, formatted("{}: the TPM refused {}: tpm2_rc_decode {:#x} says why", path,
                                   command.name, code)};
}

Result<Fd> connected_socket(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path)
    return Error{Code::kInvalid, formatted("{}: is longer than a socket's name may be", path)};
  std::ranges::copy(path, address.sun_path);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const void* any = &address;
  if (!fd.valid() ||
      ::connect(fd.number(), static_cast<const sockaddr*>(any), sizeof address) != 0)
    return errno_error(formatted("connecting to the TPM at {}", path));
  return fd;
}

}  // namespace

Result<TpmDevice> TpmDevice::open(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0)
    return errno_error(formatted("looking for the TPM at {}", path));
  if (S_ISSOCK(facts.st_mode)) return TpmDevice(TRY(connected_socket(path)), path);
  if (!S_ISCHR(facts.st_mode))
    return Error{Code::kInvalid, formatted("{}: is no TPM: name /dev/tpmrm0", path)};
  Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error(formatted("opening the TPM {}", path));
  return TpmDevice(std::move(fd), path);
}

Status TpmDevice::wait(short events, Instant deadline) const {
  pollfd look{.fd = fd_.number(), .events = events, .revents = 0};
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - system_clock().now());
    if (left.count() <= 0) {
      return Error{Code::kTimedOut,
                   formatted("{}: the TPM does not answer: switch the machine off and on", path_)};
    }
    const int ready = ::poll(&look, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return errno_error(formatted("waiting for {}", path_));
  }
}

// A device takes a command and gives its answer in one piece each; a socket may cut both.
Result<std::vector<uint8_t>> TpmDevice::exchange(Bytes command, Instant deadline) {
  while (!command.empty()) {
    TRY(wait(POLLOUT, deadline));
    const ssize_t done = ::write(fd_.number(), command.data(), command.size());
    if (done > 0) command = command.subspan(static_cast<size_t>(done));
    if (done < 0 && errno != EAGAIN && errno != EINTR)
      return errno_error(formatted("asking the TPM {}", path_));
  }
  std::vector<uint8_t> answer(kAnswer);
  size_t have = 0;
  size_t size = kHeader;
  while (have < size) {
    TRY(wait(POLLIN, deadline));
    const ssize_t done = ::read(fd_.number(), &answer[have], answer.size() - have);
    if (done == 0)
      return Error{Code::kPlatform, formatted("{}: the TPM has hung up in an answer", path_)};
    if (done < 0 && errno != EAGAIN && errno != EINTR)
      return errno_error(formatted("reading from the TPM {}", path_));
    if (done > 0) have += static_cast<size_t>(done);
    if (have >= kHeader) size = TRY(TpmReader(Bytes(answer).subspan(2)).u32("the answer's size"));
    if (size < kHeader || size > kAnswer || have > size) {
      return Error{Code::kInvalid, formatted("{}: an answer of {} bytes says that it has {}: this "
                                             "is no TPM 2.0", path_, have, size)};
    }
  }
  answer.resize(size);
  return answer;
}

Result<TpmDevice::Answer> TpmDevice::ask(const Question& question, Bytes parameters) {
  const TpmCommand& command = question.command;
  if (!connected()) return Error{Code::kPlatform, formatted("{}: is not connected", path_)};
  TpmWriter body;
  for (const uint32_t handle : question.handles) body.u32(handle);
  if (!question.sessions.empty()) body.u32(static_cast<uint32_t>(9 * question.sessions.size()));
  // No nonce, attributes (a policy ends with its use), no HMAC.
  for (const uint32_t session : question.sessions) body.u32(session).u16(0).u8(0).u16(0);
  body.bytes(parameters);
  TpmWriter whole;
  whole.u16(question.sessions.empty() ? kPlain : kWithSessions)
      .u32(static_cast<uint32_t>(kHeader + body.view().size()))
      .u32(command.code)
      .bytes(body.view());
  auto raw = exchange(whole.view(), system_clock().now() + question.patience);
  // What comes late would be taken for the next command's answer.
  if (!raw) return fd_.reset(), raw.error();
  TpmReader reader(*raw);
  const uint16_t tag = TRY(reader.u16("the tag"));
  TRY(reader.u32("the size"));
  const uint32_t code = TRY(reader.u32("the code"));
  if (code != 0) return refused(command, path_, code);
  const auto what = formatted("{}: the TPM's answer to {}", path_, command.name);
  if (tag != (question.sessions.empty() ? kPlain : kWithSessions))
    return Error{Code::kInvalid, formatted("{} has the tag {:#x}", what, tag)};
  Answer answer;
  if (question.makes_handle) answer.handle = TRY(reader.u32(what));
  Bytes found = reader.left();
  if (!question.sessions.empty()) found = TRY(reader.bytes(TRY(reader.u32(what)), what));
  answer.parameters.assign(found.begin(), found.end());
  return answer;
}

Result<TpmDevice::Answer> TpmDevice::make_primary(Bytes key_template, Duration patience) {
  TpmWriter parameters;
  parameters.u16(4).u32(0)      // TPM2B_SENSITIVE_CREATE: no password, no data
      .sized(key_template)
      .u16(0)                   // outsideInfo
      .u32(0);                  // creationPCR
  Answer made = TRY(ask({.command = {0x131, "TPM2_CreatePrimary"},
                         .handles = {tpm::kEndorsement},
                         .sessions = {kPassword},
                         .makes_handle = true,
                         .patience = patience},
                        parameters.view()));
  const Bytes key = TRY(TpmReader(made.parameters).sized("the new key's public area"));
  return Answer{made.handle, {key.begin(), key.end()}};
}

void TpmDevice::flush(uint32_t handle) {
  if (connected())
    (void)ask({.command = {0x165, "TPM2_FlushContext"}}, TpmWriter().u32(handle).view());
}

}  // namespace casemate::attest
