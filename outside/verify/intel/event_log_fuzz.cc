// SPDX-License-Identifier: Apache-2.0
// A log as it lay in a folder; the first event is made good, so that what follows is reached.
#include <algorithm>
#include <vector>

#include "outside/verify/intel/event_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> log(data, data + size);
  (void)casemate::verify::intel::replay(log);
  constexpr std::string_view kName("Spec ID Event03\0", 16);
  std::vector<uint8_t> head(65);
  head[0] = 1;
  head[4] = 3;
  head[28] = 33;
  std::ranges::copy(kName, head.begin() + 32);
  head[56] = 1;
  head[60] = 0x0C;
  head[62] = 48;
  log.insert(log.begin(), head.begin(), head.end());
  (void)casemate::verify::intel::replay(log);
  return 0;
}
