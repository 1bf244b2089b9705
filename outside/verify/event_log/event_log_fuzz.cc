// SPDX-License-Identifier: Apache-2.0
// A log of arbitrary bytes; and one with a good header and arbitrary events behind it.
#include <cstdlib>

#include "outside/verify/event_log/event_log.h"
#include "outside/verify/event_log/testing/log_writer.h"

namespace {

using namespace casemate;
using namespace casemate::verify;

void look(Bytes bytes) {
  const bool begins = EventLog::looks_like(bytes);
  for (const LogHash hash : {LogHash::kSha256, LogHash::kSha384}) {
    const auto log = EventLog::read(bytes, hash);
    if (!log) continue;
    if (!begins) std::abort();
    const size_t size = hash == LogHash::kSha256 ? 32 : 48;
    for (const LoggedEvent& event : log->events()) {
      if (event.index >= EventLog::kRegisters || event.digest.size() != size) std::abort();
      if (event.data.size() > bytes.size()) std::abort();
    }
    for (uint32_t index = 0; index < EventLog::kRegisters; ++index)
      if (log->replay(index).size() != size) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes input(data, size);
  look(input);
  verify::testing::LogWriter log;
  log.event(0, 8, "version").bytes(input);
  look(log.log());
  return 0;
}
