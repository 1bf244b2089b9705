// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/answered_calls.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace casemate::tests {
namespace {

// Above every descriptor that a process may have.
constexpr int kFirstNumber = 1 << 28;

// Calls that name a file by its path, and the place of the path among their arguments.
struct Named {
  int call;
  int path;
};
constexpr Named kNamed[] = {
    {SYS_openat, 1}, {SYS_mkdirat, 1}, {SYS_unlinkat, 1}, {SYS_faccessat, 1}, {SYS_faccessat2, 1},
#ifdef SYS_open
    {SYS_open, 0},   {SYS_mkdir, 0},   {SYS_rmdir, 0},    {SYS_access, 0},
#endif
};
constexpr int kNumbered[] = {SYS_read, SYS_write, SYS_close};

// Asks us about all of the first, and of the second about those with numbers of ours.
int hand_over() {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const Named& named : kNamed) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(named.call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  }
  for (const int call : kNumbered) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 5));
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1u << 31, 1, 0));  // -1
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kFirstNumber, 1, 0));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog all{static_cast<unsigned short>(program.size()), program.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &all));
}

// Pointers of another thread of ours.
uint8_t* memory(uint64_t address) { return reinterpret_cast<uint8_t*>(address); }

class Answering final {
 public:
  Answering(std::string folder, Files& files) : folder_(std::move(folder)), files_(files) {}

  // Until the last thread behind the filter has ended.
  void serve(const Fd& calls) {
    while (true) {
      pollfd waiting{calls.number(), POLLIN, 0};
      if (::poll(&waiting, 1, -1) < 0 && errno == EINTR) continue;
      if ((waiting.revents & POLLIN) == 0) return;
      seccomp_notif call{};
      if (::ioctl(calls.number(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
      seccomp_notif_resp answer{call.id, 0, 0, 0};
      const int64_t result = answer_to(call.data);
      if (result == kNotOurs) {
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      } else if (result < 0) {
        answer.error = static_cast<int32_t>(result);
      } else {
        answer.val = result;
      }
      ::ioctl(calls.number(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
  }

 private:
  static constexpr int64_t kNotOurs = INT64_MIN;

  int64_t answer_to(const seccomp_data& call) {
    const auto number = static_cast<int>(call.args[0]);
    switch (call.nr) {
      case SYS_read:
        return files_.read(number, {memory(call.args[1]), static_cast<size_t>(call.args[2])});
      case SYS_write:
        return files_.write(number, {memory(call.args[1]), static_cast<size_t>(call.args[2])});
      case SYS_close:
        return files_.close(number);
      default:
        break;
    }
    for (const Named& named : kNamed) {
      if (named.call == call.nr) return answer_about(call, named.path);
    }
    return kNotOurs;
  }

  int64_t answer_about(const seccomp_data& call, int place) {
    const std::string path(reinterpret_cast<const char*>(memory(call.args[place])));
    if (path != folder_ && !path.starts_with(folder_ + "/")) return kNotOurs;
    switch (call.nr) {
#ifdef SYS_open
      case SYS_mkdir:
        return files_.make_folder(path);
      case SYS_rmdir:
        return files_.remove_folder(path);
      case SYS_access:
        return files_.look(path);
      case SYS_open:
#endif
      case SYS_openat: {
        const int64_t opened = files_.open(next_, path, static_cast<int>(call.args[place + 1]));
        return opened < 0 ? opened : next_++;
      }
      case SYS_mkdirat:
        return files_.make_folder(path);
      case SYS_unlinkat:
        return files_.remove_folder(path);
      default:
        return files_.look(path);
    }
  }

  std::string folder_;
  Files& files_;
  int next_ = kFirstNumber;
};

}  // namespace

bool run_answered(const std::string& folder, Files& files, const std::function<void()>& body) {
  std::promise<int> listener;
  std::thread thread([&] {
    const int calls = hand_over();
    listener.set_value(calls);
    if (calls >= 0) body();
  });
  const Fd calls(listener.get_future().get());
  if (calls.valid()) Answering(folder, files).serve(calls);
  thread.join();
  return calls.valid();
}

}  // namespace casemate::tests
