// SPDX-License-Identifier: Apache-2.0
// A right system description with any of its words overwritten. What the check lets through must
// be safe to walk as the monitor walks it: every index in its list, every text ended, every delay
// within a clock's range.
//
//   input: offset (4 bytes), value (4 bytes), offset, value, ...

#include <chrono>
#include <memory>

#include "base/check.h"
#include "base/clock.h"
#include "wire/abi/system.h"

namespace {

using namespace casemate;

void describe_program(SystemDescription& d, uint32_t index) {
  d.programs[index] = {Text<limits::kName>::from(index == 0 ? "mos" : "model"), index, 1};
  d.images[index] = {Text<limits::kPath>::from("/build/program"),
                     Text<limits::kPath>::from("/bin/program")};
}

void describe_partition(PartitionDescription& p, std::string_view name) {
  p.name = Text<limits::kName>::from(name);
  p.device.kind = static_cast<uint32_t>(DeviceKind::kCpu);
  p.processes_max = 64;
  p.memory_bytes = 512 << 20;
  p.backoff_ms_first = p.backoff_ms_max = p.stable_ms = p.hang_ms = p.load_ms = 1000;
  p.failures_max = 8;
}

void describe_enclave(EnclaveDescription& e, std::string_view name, uint32_t partition) {
  e.name = Text<limits::kName>::from(name);
  e.kind = static_cast<uint32_t>(partition == 0 ? EnclaveKind::kGateway : EnclaveKind::kModel);
  e.partition = e.program = partition;
  e.memory_bytes = 128 << 20;
  e.processes_max = 8;
  e.first_file = 0;
  e.file_count = partition;
}

std::unique_ptr<SystemDescription> right_description() {
  auto d = std::make_unique<SystemDescription>();
  d->image_count = d->program_count = d->partition_count = d->enclave_count = 2;
  d->stream_count = d->file_count = 1;
  for (uint32_t i = 0; i < 2; ++i) {
    describe_program(*d, i);
    describe_partition(d->partitions[i], i == 0 ? "gateway" : "models");
    describe_enclave(d->enclaves[i], i == 0 ? "gateway" : "digits", i);
  }
  d->files[0] = {Text<limits::kPath>::from("/models/m"), Text<limits::kPath>::from("model.onnx")};
  d->streams[0] = {0, 1, 8, 8, 1 << 20, 1 << 20};
  return d;
}

template <class List>
void check_range(uint64_t first, uint64_t count, uint64_t total, const List& list) {
  CHECK(first + count <= total && total <= list.size(), "a range lies in its list");
}

void walk(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.program_count; ++i) {
    CHECK(d.programs[i].image_count > 0, "its first image is what is executed");
    check_range(d.programs[i].first_image, d.programs[i].image_count, d.image_count, d.images);
  }
  for (uint32_t i = 0; i < d.image_count; ++i)
    CHECK(d.images[i].target.canonical() && d.images[i].target.view().front() == '/', "a path");
  for (uint32_t i = 0; i < d.file_count; ++i)
    CHECK(d.files[i].target.view().find('/') == std::string_view::npos, "a name");
  for (uint32_t i = 0; i < d.partition_count; ++i) {
    const PartitionDescription& p = d.partitions[i];
    CHECK(p.program < d.program_count && p.name.canonical(), "an mOS and a name");
    // The longest delay of trusted/monitor/lifecycle.cc.
    const auto days = std::chrono::duration_cast<std::chrono::days>(Duration::max());
    CHECK(std::chrono::milliseconds(p.backoff_ms_first) * (1 << 20) < days, "a clock holds it");
  }
  for (uint32_t i = 0; i < d.enclave_count; ++i) {
    const EnclaveDescription& e = d.enclaves[i];
    CHECK(e.partition < d.partition_count && e.program < d.program_count, "in their lists");
    check_range(e.first_file, e.file_count, d.file_count, d.files);
  }
  for (uint32_t i = 0; i < d.stream_count; ++i) {
    const StreamDescription& s = d.streams[i];
    CHECK(s.caller < d.enclave_count && s.callee < d.enclave_count && s.caller != s.callee,
          "two enclaves");
    CHECK(s.regions > 0 && s.regions <= s.slots && s.slots <= limits::kStreamSlots, "in a ring");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto right = right_description();
  CHECK(check_description(*right), "the description is right before it is changed");
  const auto d = std::make_unique<SystemDescription>(*right);
  for (Bytes input(data, size); input.size() >= 8; input = input.subspan(8)) {
    const size_t offset = load<uint32_t>(input) % (sizeof *d - 3);
    std::ranges::copy(input.subspan(4, 4),
                      mutable_bytes_of(*d).begin() + static_cast<long>(offset));
  }
  const Status checked = check_description(*d);
  if (checked) {
    walk(*d);
  } else {
    CHECK(checked.error().text.size() > 20, "a refusal is a sentence");
  }
  return 0;
}
