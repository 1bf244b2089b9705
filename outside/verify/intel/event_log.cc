// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/event_log.h"

#include <algorithm>
#include <vector>

#include "base/format.h"
#include "outside/verdict/reader.h"

namespace casemate::verify::intel {
namespace {

constexpr std::string_view kSpecification{"Spec ID Event03\0", 16};
constexpr size_t kFirstHead = 32;  // register, kind, SHA-1, size of the first event
constexpr uint32_t kNoAction = 3;
constexpr uint32_t kEnd = 0xFFFFFFFF;
constexpr uint16_t kSha384 = 0x000C;
constexpr size_t kAlgorithms = 8;

// Kinds of event whose digest is the hash of their data, by the TCG's profile: separator, and of
// EFI: variables of the driver configuration and of an authority, the GUID partition table,
// actions.
constexpr std::array<uint32_t, 5> kHashedKinds = {0x00000004, 0x80000001, 0x80000006, 0x80000007,
                                                  0x800000E0};

struct Algorithm {
  uint16_t id = 0;
  uint16_t size = 0;
};

Error log_wrong(size_t event, std::string_view what) {
  return {Code::kInvalid, formatted("event {} of the log {}", event, what)};
}

// The first event, which says what digests the others have.
Result<std::vector<Algorithm>> read_specification(ByteReader& reader) {
  reader.skip(kFirstHead - 4);
  ByteReader body(reader.bytes(reader.u32()));
  body.skip(kSpecification.size() + 8);  // class, version, errata, word size
  const uint32_t count = body.u32();
  if (reader.failed() || body.failed() || count == 0 || count > kAlgorithms)
    return log_wrong(0, "names no digests that are known");
  std::vector<Algorithm> algorithms;
  for (uint32_t i = 0; i < count; ++i) {
    const uint16_t id = body.u16();
    const uint16_t size = body.u16();
    if (id == kSha384 && size != sizeof(Sha384Digest))
      return log_wrong(0, "gives SHA-384 a size that it does not have");
    algorithms.push_back({id, size});
  }
  body.skip(body.u8());
  if (!body.finished()) return log_wrong(0, "is cut off");
  if (!std::ranges::contains(algorithms, kSha384, &Algorithm::id))
    return log_wrong(0, "names no SHA-384, with which the registers are extended");
  return algorithms;
}

struct Event {
  uint32_t index = 0;
  uint32_t kind = 0;
  Sha384Digest digest{};
  Bytes data;
};

Result<Event> read_event(ByteReader& reader, const std::vector<Algorithm>& algorithms,
                         size_t number) {
  Event event;
  event.index = reader.u32();
  event.kind = reader.u32();
  const uint32_t count = reader.u32();
  bool found = false;
  if (count > kAlgorithms) return log_wrong(number, "has more digests than there are kinds of");
  for (uint32_t i = 0; i < count; ++i) {
    const uint16_t id = reader.u16();
    const auto known = std::ranges::find(algorithms, id, &Algorithm::id);
    if (known == algorithms.end()) return log_wrong(number, "has a digest of an unknown kind");
    const Bytes digest = reader.bytes(known->size);
    if (id != kSha384) continue;
    if (found) return log_wrong(number, "has two digests of SHA-384");
    found = true;
    if (digest.size() == event.digest.size()) std::ranges::copy(digest, event.digest.begin());
  }
  event.data = reader.bytes(reader.u32());
  if (reader.failed()) return log_wrong(number, "is cut off");
  if (!found) return log_wrong(number, "has no digest of SHA-384");
  return event;
}

}  // namespace

bool looks_like_event_log(Bytes bytes) {
  return bytes.size() > kFirstHead + kSpecification.size() &&
         ByteReader(bytes.subspan(4)).u32() == kNoAction &&
         casemate::text_of(bytes.subspan(kFirstHead)).starts_with(kSpecification);
}

Result<Replay> replay(Bytes log) {
  if (!looks_like_event_log(log))
    return Error{Code::kInvalid, "the event log does not begin with a Spec ID Event03"};
  ByteReader reader(log);
  const std::vector<Algorithm> algorithms = TRY(read_specification(reader));
  Replay result;
  for (size_t number = 1; reader.left() > 0; ++number) {
    if (ByteReader(reader.rest()).u32() == kEnd) break;
    const Event event = TRY(read_event(reader, algorithms, number));
    if (event.kind == kNoAction) continue;
    if (event.index < 1 || event.index > result.rtmr.size())
      return log_wrong(number, formatted("is of the unknown register {}", event.index));
    if (std::ranges::contains(kHashedKinds, event.kind) && sha384(event.data) != event.digest)
      return log_wrong(number, "has data that are not those of its digest");
    Sha384Digest& value = result.rtmr[event.index - 1];
    value = Sha384().update(value).update(event.digest).finish();
    ++result.events;
  }
  return result;
}

}  // namespace casemate::verify::intel
