// SPDX-License-Identifier: Apache-2.0
// casemate-inspect-opencl FOLDER count
// casemate-inspect-opencl FOLDER NUMBER THREADS MEMORY SECONDS STREAM: serves the OpenCL device of
// that number to who has the other end of the stream (given_end.h), until that goes.
//
// Exit code: 0 when it is done; 64 + a Code (base/result.h) when there is no such device, with the
// reason on stderr; 2 for arguments that make no sense; 3 when the walls do not stand.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <span>

#include "base/format.h"
#include "base/lockdown/lockdown.h"
#include "base/log.h"
#include "isolated/driver/opencl/device/device.h"
#include "isolated/driver/opencl/environment/environment.h"
#include "isolated/driver/remote/given_end.h"
#include "isolated/driver/remote/server.h"

namespace {

using namespace casemate;

constexpr int kRefused = 64;
constexpr size_t kReasonMax = 2000;
constexpr uint64_t kFiles = 256;
// Beside buffers: the compiler, and the program.
constexpr uint64_t kOverhead = 2ull << 30;
// PoCL ends a process with too little. What pieces may have is less, where that was asked for.
constexpr uint64_t kMemoryMin = 1ull << 30;
// Of one that it writes: what is compiled.
constexpr uint64_t kFileBytes = 256ull << 20;

struct Question {
  std::string folder;
  bool count = false;
  uint32_t number = 0;
  uint32_t threads = 1;
  uint64_t memory_bytes = kMemoryMin;
  uint64_t seconds = 60;
  std::string stream = {};
};

template <class T>
bool read(std::string_view word, T& value) {
  const char* const end = word.data() + word.size();
  const auto [stop, wrong] = std::from_chars(word.data(), end, value);
  return wrong == std::errc() && stop == end;
}

Result<Question> question_of(std::span<char* const> words) {
  Question q;
  if (words.size() == 2 && std::string_view(words[1]) == "count") {
    q.folder = words[0];
    q.count = true;
    return q;
  }
  if (words.size() == 6 && read(words[1], q.number) && read(words[2], q.threads) &&
      read(words[3], q.memory_bytes) && read(words[4], q.seconds) && q.threads > 0 &&
      q.threads <= 1024 && q.memory_bytes < 1ull << 40 && q.seconds < 1 << 20) {
    q.folder = words[0];
    q.stream = words[5];
    return q;
  }
  return Error{Code::kInvalid,
               "usage: casemate-inspect-opencl FOLDER count | FOLDER NUMBER THREADS MEMORY SECONDS "
               "STREAM"};
}

// Never above what is there already: only root may raise it.
Status limit(__rlimit_resource resource, uint64_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return errno_error("reading a resource limit");
  const rlim_t bound = std::min<rlim_t>(value, now.rlim_max);
  const rlimit limited{bound, bound};
  if (::setrlimit(resource, &limited) != 0) return errno_error("setting a resource limit");
  return {};
}

Status raise_walls(const Question& q) {
  TRY(lockdown::forbid_new_privileges());
  TRY(lockdown::drop_capabilities());
  TRY(lockdown::make_undumpable());
  TRY(lockdown::restrict_files("/", q.folder.c_str()));
  uint64_t data_bytes = q.memory_bytes + kOverhead;
#ifdef __SANITIZE_ADDRESS__
  data_bytes = 0;  // its shadow of the whole address space would be counted
#endif
  TRY(lockdown::limit_resources({.files = kFiles, .data_bytes = data_bytes}));
  TRY(limit(RLIMIT_FSIZE, kFileBytes));
  // Whoever started this ends it in time; should that one be gone, the kernel does.
  TRY(limit(RLIMIT_CPU, q.seconds * q.threads + 5));
  return lockdown::apply(lockdown::Filter::kProgram);
}

Status answer(const Question& q) {
  if (q.count) {
    std::printf("%u\n", driver::opencl_device_count());
    std::fflush(stdout);
    return {};
  }
  auto callee = TRY(srpc::Callee::make(TRY(driver::given_end(q.stream))));
  const auto device = TRY(driver::make_opencl({.index = q.number, .memory_bytes = q.memory_bytes}));
  driver::serve(*device, callee, {.piece_bytes_max = q.memory_bytes}, [] { return true; });
  return {};
}

void complain(const Error& error) {
  const std::string line = printable(error.text, kReasonMax) + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

int run(std::span<char* const> words) {
  const auto question = question_of(words);
  if (!question) return complain(question.error()), 2;
  opencl::set_environment({.memory_bytes = std::max(question->memory_bytes, kMemoryMin),
                           .cores = question->threads,
                           .scratch = question->folder});
  if (const Status walls = raise_walls(*question); !walls) return complain(walls.error()), 3;
  try {
    const Status done = answer(*question);
    if (done) return 0;
    complain(done.error());
    return kRefused + static_cast<int>(done.error().code);
  } catch (const std::exception& error) {  // the seam to libraries that throw
    complain({Code::kPlatform, error.what()});
    return kRefused + static_cast<int>(Code::kPlatform);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // OpenCL's threads may run still, and nothing of it need be taken apart.
  ::_exit(run(std::span(argv + 1, static_cast<size_t>(argc - 1))));
}
