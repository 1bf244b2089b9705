// SPDX-License-Identifier: Apache-2.0
// casemate-inspect: looks at the model that is open as descriptor 3, behind walls, and prints what
// it finds; `casemate` starts it for check, plan and profile. Descriptor 4 may be the folder of its
// external data. Asked for devices, it opens those that this build drives, and no model.
//
// Exit code: 0 when stdout has the answer; 64 + a Code (base/result.h) when the model was refused,
// with the reason on stderr, and on stdout what was found out before; 2 for arguments that make no
// sense; 3 when the walls do not stand.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "base/format.h"
#include "base/log.h"
#include "isolated/inspect/answer.h"
#include "isolated/inspect/walls.h"

namespace {

using namespace casemate;
using namespace casemate::inspect;

constexpr int kModel = 3;
constexpr int kRefused = 64;
constexpr size_t kReasonMax = 2000;

Result<Mapping> map_model() {
  struct stat facts{};
  if (::fstat(kModel, &facts) != 0) return errno_error("the model");
  if (facts.st_size == 0) return Error{Code::kInvalid, "the model's file is empty"};
  return Mapping::shared(kModel, static_cast<size_t>(facts.st_size), false);
}

Result<Answer> ask(const Options& options) {
  if (options.question == Question::kDevices) return devices(options);
  const Mapping file = TRY(map_model());
  switch (options.question) {
    case Question::kCheck:
      return check(file, options);
    case Question::kPlan:
      return plan(file, options);
    case Question::kProfile:
      return profile(file, options);
    case Question::kDevices:
      break;
  }
  return Error{Code::kUnsupported, "there is no such question"};
}

// The seam to libraries that throw: below it there are results.
Result<Answer> answer(const Options& options) {
  try {
    return ask(options);
  } catch (const std::bad_alloc&) {
    return Error{Code::kTooLarge,
                 casemate::formatted("the model does not fit in {}: allow it more with --memory",
                                     sized(options.memory_bytes_max))};
  } catch (const std::exception& error) {
    return Error{Code::kPlatform, error.what()};
  }
}

bool print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void complain(const Error& error) {
  const std::string line = printable(error.text, kReasonMax) + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

int run(std::span<char* const> arguments) {
  const auto options = parse(arguments);
  if (!options) return complain(options.error()), 2;
  if (const Status walls = raise_walls(*options); !walls) return complain(walls.error()), 3;
  const auto found = answer(*options);
  if (!found) {
    complain(found.error());
    return kRefused + static_cast<int>(found.error().code);
  }
  if (!print(found->text)) return 3;
  if (!found->refusal) return 0;
  complain(*found->refusal);
  return kRefused + static_cast<int>(found->refusal->code);
}

}  // namespace

int main(int argc, char** argv) {
  // Nothing that a hostile model may have changed runs at the end.
  ::_exit(run(std::span(argv + 1, static_cast<size_t>(argc - 1))));
}
