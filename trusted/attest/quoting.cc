// SPDX-License-Identifier: Apache-2.0
#include "trusted/attest/quoting.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/log.h"
#include "base/memory_file.h"

namespace casemate::attest {
namespace {

[[noreturn]] void ask(RootOfTrust& root, const allow::Vouch& vouch,
                      const ByteArray<64>& report_data, const Fd& answer, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It died before that was asked for, or its keys and what libcrypto keeps are still shared.
  if (::getppid() != parent || !own_secret_heap()) ::_exit(1);
  const auto quote = root.quote(vouch, report_data);
  if (!quote) log("the root of trust gives no quote: {}", quote.error().text);
  const auto code = static_cast<uint32_t>(quote ? Code::kOk : quote.error().code);
  std::vector<uint8_t> content(bytes_of(code).begin(), bytes_of(code).end());
  if (quote) content.insert(content.end(), quote->begin(), quote->end());
  ::_exit(::pwrite(answer.number(), content.data(), content.size(), 0) < 0 ? 1 : 0);
}

}  // namespace

Result<Quoting> Quoting::start(RootOfTrust& root, const allow::Vouch& vouch,
                               const ByteArray<64>& report_data) {
  Fd answer = TRY(make_memory_file("quote"));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) ask(root, vouch, report_data, answer, parent);
  if (child < 0) return errno_error("starting a process that asks for a quote");
  // Nobody waits for it in between, so the number is still its own.
  Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!handle.valid()) {
    ::kill(child, SIGKILL);
    return errno_error("opening a process that asks for a quote");
  }
  return Quoting(std::move(handle), std::move(answer));
}

Quoting::~Quoting() {
  if (child_.valid()) ::syscall(SYS_pidfd_send_signal, child_.number(), SIGKILL, nullptr, 0);
}

Result<std::vector<uint8_t>> Quoting::finish() {
  pollfd ended{child_.number(), POLLIN, 0};
  if (::poll(&ended, 1, 0) != 1) {
    return Error{Code::kTimedOut,
                 "the root of trust gave no quote in time: have the host's operator look at the "
                 "service that makes them"};
  }
  std::vector<uint8_t> content(sizeof(uint32_t) + kQuoteBytes);
  const ssize_t size = ::pread(answer_.number(), content.data(), content.size(), 0);
  if (size < static_cast<ssize_t>(sizeof(uint32_t)))
    return Error{Code::kPlatform, "the process that asked for a quote died"};
  const Code code = code_from(load<uint32_t>(content));
  if (code != Code::kOk) return Error{code, "the root of trust gives no quote"};
  return std::vector<uint8_t>(content.begin() + sizeof(uint32_t), content.begin() + size);
}

}  // namespace casemate::attest
