// SPDX-License-Identifier: Apache-2.0
#pragma once
// Child: a program that is started, listened to, and gone when the call returns, or whoever has it.
//
//   Owns     the process; nothing is left of it.
//   Threads  any; the caller may have several. A program ends with the thread that started it.
//   Trust    what the program says may be hostile: it is bounded, and otherwise as it came.
//   Fails    run() and listen() with kTimedOut and kTooLarge, the program having been ended;
//            kPlatform where it could not be started or watched. A program that fails is no failure
//            here.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace casemate::child {

struct Command {
  std::string program;                     // its path; nothing is searched for
  std::vector<std::string> arguments;      // its name first
  std::vector<std::string> environment{};  // NAME=VALUE, and nothing else
  std::vector<int> descriptors{};          // which it gets as 3, 4, ...; at most kDescriptors
  uint64_t file_bytes_max = 0;             // of each file that it writes; 0: as much as we may
  static constexpr size_t kDescriptors = 32;
};

// What came of it.
struct Said {
  std::string out;
  std::string err;
  int status = 0;  // as waitpid() tells it
};

// A program that runs beside its starter.
class Running final {
 public:
  static Result<Running> start(const Command& command);
  Running(Running&&) noexcept = default;
  Running& operator=(Running&&) = delete;
  ~Running();  // ends it

  // As run(), once.
  Result<Said> listen(uint64_t bytes_max, Instant end);
  // Ends it; another thread may listen meanwhile, and hears of it.
  void kill() const;

 private:
  Running(std::string program, Fd handle, Fd out, Fd err)
      : program_(std::move(program)),
        handle_(std::move(handle)),
        out_(std::move(out)),
        err_(std::move(err)) {}
  Result<int> reap();

  std::string program_;
  Fd handle_;  // readable when it has ended
  Fd out_;
  Fd err_;
  bool reaped_ = false;
};

// Runs it with an empty standard input until it has ended and nobody holds its outputs any more.
// Ends it when one of these becomes longer than `bytes_max`, and at `end`.
Result<Said> run(const Command& command, uint64_t bytes_max, Instant end);

// Where `name` lies by the variable PATH, of which relative folders are passed over. kNotFound.
Result<std::string> program_in_path(std::string_view name);

// All of this process's environment.
std::vector<std::string> own_environment();

}  // namespace casemate::child
