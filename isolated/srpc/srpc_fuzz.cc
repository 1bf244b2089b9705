// SPDX-License-Identifier: Apache-2.0
// The fuzzer is the peer: it writes what it likes, where it likes, into the memory that a peer
// owns, between the steps of an honest end. The end must never read or write outside its mappings,
// hang, or take a record that it would refuse.
#include <cstdlib>

#include "isolated/srpc/srpc.h"
#include "wire/srpc/stream_pair.h"

namespace {

using namespace casemate;
using namespace casemate::srpc;

constexpr uint32_t kSlots = 4;
constexpr Waiting kImpatient{.spin = Duration(0), .nap = Duration(1000)};

struct Script {
  Bytes bytes;
  uint8_t byte() {
    if (bytes.empty()) return 0;
    const uint8_t value = bytes.front();
    bytes = bytes.subspan(1);
    return value;
  }
};

void meddle(Script& script, uint8_t* memory, size_t size) {
  // Half of the writes go to the header and the first record's header, where the checks are.
  const size_t offset = (script.byte() & 1) != 0
                            ? (script.byte() & 1) * size_t{4096} + script.byte()
                            : (script.byte() << 8 | script.byte()) % (size - 8);
  for (int i = 0; i < 8; ++i) memory[std::min(offset + i, size - 1)] = script.byte();
}

void as_callee(Script& script, StreamPair& pair) {
  auto callee = Callee::make(*pair.callee_end(), kImpatient);
  const auto hostile = pair.caller_end();
  auto memory =
      GuardedMapping::make(hostile->requests.number(), ring::Geometry{kSlots, 256}.size(), true);
  while (!script.bytes.empty()) {
    meddle(script, memory->data(), memory->size());
    const auto request = callee->next(Duration(0));
    if (!request) continue;
    if (request->length > kPayloadBytes || request->epoch != 1) std::abort();
    if (script.byte() & 1) (void)callee->reply(Code::kOk, request->args());
  }
}

void as_caller(Script& script, StreamPair& pair) {
  auto caller = Caller::make(*pair.caller_end(), kImpatient);
  const auto hostile = pair.callee_end();
  auto memory =
      GuardedMapping::make(hostile->replies.number(), ring::Geometry{kSlots, 256}.size(), true);
  while (!script.bytes.empty()) {
    if (script.byte() & 1) {
      (void)caller->call(1, {});
    } else {
      (void)caller->post(1, {});
    }
    meddle(script, memory->data(), memory->size());
    const auto reply = caller->next(Duration(0));
    if (reply && (reply->length > kPayloadBytes || reply->epoch != 1)) std::abort();
    if (caller->in_flight() > kSlots) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Script script{{data, size}};
  auto pair = StreamPair::make(StreamId{1}, Epoch{1}, {.slots = kSlots});
  if (script.byte() & 1) {
    as_callee(script, *pair);
  } else {
    as_caller(script, *pair);
  }
  return 0;
}
