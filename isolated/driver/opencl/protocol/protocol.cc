// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/protocol/protocol.h"

namespace casemate::opencl {
namespace {

bool multiply(uint64_t a, uint64_t b, uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}
bool add(uint64_t a, uint64_t b, uint64_t& sum) { return !__builtin_add_overflow(a, b, &sum); }

bool handles(std::span<const uint32_t> all, uint32_t count) {
  return count <= all.size() &&
         std::ranges::none_of(all.first(count), [](uint32_t id) { return id == 0; }) &&
         std::ranges::all_of(all.subspan(count), [](uint32_t id) { return id == 0; });
}

}  // namespace

bool sound(const QueryCall& call) {
  return call.query >= static_cast<uint32_t>(Query::kDevice) &&
         call.query <= static_cast<uint32_t>(Query::kEventProfiling) &&
         (call.object != 0 || call.query == static_cast<uint32_t>(Query::kDevice));
}
bool sound(const CreateContext& call) { return call.id != 0 && call.reserved == 0; }
bool sound(const CreateQueue& call) {
  return call.id != 0 && call.context != 0 && call.properties <= 3;
}
bool sound(const CreateBuffer& call) {
  return call.id != 0 && call.context != 0 && call.flags <= 7 && call.size != 0;
}
bool sound(const CreateSubBuffer& call) {
  return call.id != 0 && call.parent != 0 && call.flags <= 7 && call.size != 0;
}
bool sound(const CreateImage& call) {
  return call.id != 0 && call.context != 0 && call.flags <= 7 && call.width != 0;
}
bool sound(const CreateSampler& call) {
  return call.id != 0 && call.context != 0 && call.normalized <= 1 && call.reserved == 0;
}
bool sound(const CreateUserEvent& call) { return call.id != 0 && call.context != 0; }
bool sound(const SetUserEvent& call) { return call.id != 0 && call.status <= 0; }
bool sound(const CreateProgram& call) {
  return call.id != 0 && call.context != 0 && call.binary <= 1 && call.reserved == 0;
}
bool sound(const BuildProgram& call) { return call.id != 0 && call.reserved == 0; }
bool sound(const CreateKernel& call) {
  return call.id != 0 && call.program != 0 && call.name.canonical();
}
bool sound(const SetArgument& call) {
  switch (static_cast<Argument>(call.kind)) {
    case Argument::kValue:
      return call.object == 0 && call.size != 0 && call.size <= kValueMax &&
             (call.size <= kInlineValue || call.data.size == call.size);
    case Argument::kMemory:
      return call.size == 0;
    case Argument::kSampler:
      return call.object != 0 && call.size == 0;
    case Argument::kLocal:
      return call.object == 0 && call.size != 0;
    case Argument::kUnknown:
      break;
  }
  return false;
}
bool sound(const Release& call) {
  return call.id != 0 && call.kind >= static_cast<uint32_t>(Kind::kContext) &&
         call.kind <= static_cast<uint32_t>(Kind::kEvent);
}
bool sound(const Upload& call) { return call.id != 0 && call.reserved == 0; }
bool sound(const Command& command) {
  return command.queue != 0 && handles(command.waits, command.wait_count);
}
bool sound(const Launch& call) {
  return sound(call.command) && call.kernel != 0 && call.dimensions >= 1 && call.dimensions <= 3 &&
         call.local_given <= 1;
}
bool sound(const WriteBuffer& call) {
  return sound(call.command) && call.part <= static_cast<uint32_t>(Part::kLast) &&
         (call.part == 0 || call.command.event != 0);
}
bool sound(const ReadBuffer& call) {
  return sound(call.command) && call.blocking <= 1 &&
         call.part <= static_cast<uint32_t>(Part::kLast) &&
         (call.part == 0 || call.command.event != 0);
}
bool sound(const FillBuffer& call) {
  return sound(call.command) && call.pattern_size >= 1 && call.pattern_size <= call.pattern.size();
}
bool sound(const Mark& call) { return sound(call.command) && call.barrier <= 1; }
bool sound(const Flush& call) { return call.queue != 0; }
bool sound(const Finish& call) { return call.queue != 0; }
bool sound(const Wait& call) {
  return call.bounded <= 1 && call.count >= 1 && handles(call.events, call.count);
}

bool within(uint64_t offset, uint64_t size, uint64_t total) {
  return offset <= total && size <= total - offset;
}

bool within(const Region& region, size_t bulk_size) {
  return within(region.offset, region.size, bulk_size);
}

std::optional<uint64_t> volume(const Triple& extent, uint64_t element_size) {
  uint64_t total = element_size;
  for (const uint64_t side : extent)
    if (!multiply(total, side, total)) return std::nullopt;
  return total;
}

std::optional<uint64_t> box_end(const Triple& origin, const Triple& extent, uint64_t row_pitch,
                                uint64_t slice_pitch) {
  const auto& [width, height, depth] = extent;
  if (width == 0 || height == 0 || depth == 0) return std::nullopt;
  uint64_t rows = 0;
  if (row_pitch == 0) row_pitch = width;
  if (!multiply(row_pitch, height, rows)) return std::nullopt;
  if (slice_pitch == 0) slice_pitch = rows;
  if (row_pitch < width || slice_pitch < rows) return std::nullopt;
  uint64_t slice = 0, row = 0, end = 0;
  if (!add(origin[2], depth - 1, slice) || !multiply(slice, slice_pitch, slice) ||
      !add(origin[1], height - 1, row) || !multiply(row, row_pitch, row) ||
      !add(origin[0], width, end) || !add(end, row, end) || !add(end, slice, end))
    return std::nullopt;
  return end;
}

}  // namespace casemate::opencl
