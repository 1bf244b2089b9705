// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/rtmr.h"

#include <algorithm>

#include "base/format.h"
#include "outside/verify/event_log/event_log.h"

namespace casemate::verify::intel {
namespace {

// Kinds of event whose digest is the hash of their data, by the TCG's profile: separator, and of
// EFI: variables of the driver configuration and of an authority, the GUID partition table,
// actions.
constexpr std::array<uint32_t, 5> kHashedKinds = {0x00000004, 0x80000001, 0x80000006, 0x80000007,
                                                  0x800000E0};

Error log_wrong(size_t event, std::string_view what) {
  return {Code::kInvalid, formatted("event {} of the log {}", event, what)};
}

}  // namespace

Result<Replay> replay(Bytes log) {
  const EventLog read = TRY(EventLog::read(log, LogHash::kSha384));
  Replay result;
  size_t number = 0;
  for (const LoggedEvent& event : read.events()) {
    ++number;
    if (event.type == LoggedEvent::kNoAction) continue;
    // Index 0 is MRTD's, which no event extends.
    if (event.index < 1 || event.index > result.rtmr.size())
      return log_wrong(number, formatted("is of the unknown register {}", event.index));
    if (std::ranges::contains(kHashedKinds, event.type) && !event.data_measured)
      return log_wrong(number, "has data that are not those of its digest");
    ++result.events;
  }
  for (uint32_t i = 0; i < result.rtmr.size(); ++i)
    result.rtmr[i] = load<Sha384Digest>(read.replay(i + 1));
  return result;
}

}  // namespace casemate::verify::intel
