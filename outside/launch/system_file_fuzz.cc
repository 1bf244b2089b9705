// SPDX-License-Identifier: Apache-2.0
// Any text as a system file: it is refused with one line that says where, or every value that it
// leaves is one that describe() can compute with.
#include "outside/launch/system_file.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"

namespace {

using namespace casemate;
using namespace casemate::launch;

void check_refusal(const Error& error) {
  CHECK(error.code == Code::kInvalid, "a text is wrong, never unreadable");
  constexpr std::string_view kPlace = "fuzz.toml:";
  CHECK(error.text.starts_with(kPlace) && error.text.size() > kPlace.size() &&
            error.text[kPlace.size()] >= '0' && error.text[kPlace.size()] <= '9',
        "a refusal begins with file and line");
  CHECK(std::ranges::none_of(error.text, [](unsigned char c) { return c < ' '; }),
        "a refusal is one line");
}

void check_partition(const PartitionSettings& p) {
  CHECK(p.memory_mib >= 64 && p.memory_mib <= 1u << 20, "memory_mib is in range");
  CHECK(p.threads <= limits::kThreads && p.cpu_percent <= limits::kCpuPercent, "so are these");
  CHECK(p.calls_in_flight >= 1 && p.calls_in_flight <= limits::kStreamSlots, "and this");
  CHECK(p.request_mib >= 1 && (uint64_t{p.request_mib} << 20) <= limits::kTensorBytes, "and this");
  CHECK(p.restart.backoff_ms_first >= 1 && p.restart.backoff_ms_first <= p.restart.backoff_ms_max,
        "delays grow");
  CHECK(p.restart.hang_ms >= limits::kHangMsMin && p.restart.hang_ms <= limits::kRestartMs,
        "hang_ms is in range");
  CHECK(p.restart.load_ms >= limits::kHangMsMin && p.restart.load_ms <= limits::kRestartMs,
        "load_ms is in range");
  CHECK(std::ranges::all_of(p.cores, [](uint32_t core) { return core < limits::kCores; }),
        "cores fit into a mask");
}

void check_model(const ModelSettings& model) {
  CHECK(model.shapes.size() <= ModelSettings::kShapes, "shapes are counted");
  for (const ModelSettings::Shape& shape : model.shapes) {
    CHECK(!shape.empty() && shape.size() <= ModelSettings::kShapeExtents,
          "and so are their extents");
    for (const auto& [name, extent] : shape) {
      CHECK(!name.empty() && name.size() < limits::kName && extent <= ModelSettings::kExtentMax,
            "in range");
      CHECK(name.find_first_of(",:;") == std::string::npos, "a name has no mark of what follows");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = SystemFile::parse(std::string(text_of(Bytes(data, size))), "fuzz.toml");
  if (!file) {
    check_refusal(file.error());
    return 0;
  }
  check_partition(file->defaults);
  for (const ModelSettings& model : file->models) check_model(model);
  for (const PartitionSettings& p : file->partitions) {
    check_partition(p);
    CHECK(!p.name.empty() && p.name.size() < limits::kName && !p.models.empty(), "both are there");
    CHECK(std::ranges::count(file->partitions, p.name, &PartitionSettings::name) == 1,
          "names are different");
  }
  return 0;
}
