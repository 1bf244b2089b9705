// SPDX-License-Identifier: Apache-2.0
#pragma once
// Inspector: asks casemate-inspect about a model's file, or about the machine's devices. The file
// may be hostile and this process has the user's powers, so it never reads the file: it opens it
// and hands the descriptor to a program behind walls, which it ends when that takes too long or
// says too much. Drivers are behind those walls as well, and OpenCL's behind others
// (opencl_device.h), where devices of OpenCL are named.
//
//   Owns     the processes, which end with the call.
//   Threads  one.
//   Trust    a path is the user's word. What the program says may be what the model's author wants
//            it to say: it is only ever printed, without control characters.
//   Fails    kNotFound, kInvalid for what is no regular file or empty; kTimedOut; kPartitionFailed
//            when the program was ended by a signal, or an OpenCL device's; what it says of the
//            model is in Answer.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace casemate::cli {

struct InspectorAnswer {
  std::string text;                   // printable lines
  std::optional<Error> refusal = {};  // of the model, in one sentence
};

// What the program may use.
struct InspectorLimits {
  Duration patience = std::chrono::seconds(300);
  bool external_data = false;             // files beside the model may be read
  uint64_t text_bytes_max = 64ull << 20;  // a plan of 65,536 steps with some 1,000 bytes each
};

// `arguments` as isolated/inspect/options.h has them; `program` is casemate-inspect. Without a
// model for what is asked about none.
Result<InspectorAnswer> inspect(const std::string& program, const std::optional<std::string>& model,
                                const std::vector<std::string>& arguments,
                                const InspectorLimits& limits);

}  // namespace casemate::cli
