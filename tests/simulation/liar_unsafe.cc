// SPDX-License-Identifier: Apache-2.0
// SAFETY: it writes within the mappings that it has made, as std::atomic_ref at aligned places.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "tests/simulation/liar.h"
#include "tests/simulation/machine.h"
#include "wire/srpc/srpc.h"

namespace casemate::simulation {
namespace {

Chance& chance() { return Machine::here().chance(); }

void store(const GuardedMapping& memory, size_t offset, uint64_t value) {
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(memory.data() + offset)).store(value);
}

GuardedMapping map(const Fd& fd, size_t size) {
  if (!fd.valid() || size == 0) return {};
  auto mapping = GuardedMapping::make(fd.number(), size, true);
  return mapping ? *std::move(mapping) : GuardedMapping();
}

size_t size_of(const Fd& fd) {
  struct stat facts{};
  return fd.valid() && ::fstat(fd.number(), &facts) == 0 ? static_cast<size_t>(facts.st_size) : 0;
}

}  // namespace

Liar::Liar(const Fd& ring, ring::Geometry geometry, Epoch epoch, const Fd& bulk)
    : ring_fd_(ring),
      geometry_(geometry),
      epoch_(epoch),
      ring_(map(ring, geometry.size())),
      bulk_(map(bulk, size_of(bulk))) {}

// A record that is right but, perhaps, for one field.
void Liar::write_record() {
  srpc::Request record;
  record.sequence = index_ + (chance().one_in(4) ? chance().below(3) - 1 : 0);
  record.epoch = epoch_.number - (chance().one_in(4) ? 1 : 0);
  record.call = static_cast<uint32_t>(chance().below(3));
  record.length = static_cast<uint32_t>(chance().one_of<uint64_t>({0, 8, 32, 232, 233, ~0u}));
  chance().fill(MutableBytes(record.payload).first(16));
  const size_t place = index_ % geometry_.record_count * geometry_.record_bytes;
  std::memcpy(ring_.data() + ring::kRecordsOffset + place, &record, sizeof record);
}

// Its memory goes; perhaps it tries to put it back, which a seal refuses.
void Liar::vanish() {
  [[maybe_unused]] int done = ::ftruncate(ring_fd_.number(), 0);
  if (chance().one_in(2))
    done = ::ftruncate(ring_fd_.number(), static_cast<off_t>(geometry_.size()));
}

void Liar::lie() {
  if (ring_.data() == nullptr) return;
  switch (chance().below(10)) {
    case 0:
      return store(ring_, 0,
                   chance().one_of<uint64_t>({0, 1, index_ + 1, index_ - 1, index_ + 5,
                                              ring::kPoison, ring::kPoison - 1}));
    case 1:
      return store(ring_, 64, chance().below(3));  // asleep
    case 2:
      return store(ring_, 128, chance().next());  // progress
    case 3:
      return store(ring_, 192, chance().one_of<uint64_t>({0, 1, 4, 1025, ~0ull, ~0ull - 3}));
    case 4:
      return store(ring_,
                   ring::kRecordsOffset +
                       chance().below(geometry_.record_count) * geometry_.record_bytes +
                       8 * chance().below(4),
                   chance().one_of<uint64_t>({0, 1, ~0ull, chance().next()}));
    case 5:
      if (bulk_.data() != nullptr)
        store(bulk_, chance().below(bulk_.size() / 8) * 8, chance().next());
      return;
    case 6:
      if (chance().one_in(8)) vanish();
      return;
    default:
      write_record();
      store(ring_, 0, ++index_);
  }
}

}  // namespace casemate::simulation
