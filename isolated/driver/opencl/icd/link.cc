// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/icd/link.h"

#include "base/log.h"

namespace casemate::opencl {
namespace {

constexpr uint64_t kAlignment = 64;
// Slots that are kept free for what is waited for.
constexpr uint32_t kReserve = 8;
uint64_t aligned(uint64_t size) { return (size + kAlignment - 1) & ~(kAlignment - 1); }

}  // namespace

Link::Link(Transport caller) : caller_(std::move(caller)) {}

std::optional<srpc::Reply> Link::take() {
  while (true) {
    const auto reply = caller_.next(std::chrono::seconds(1));
    if (!reply && reply.error().code == Code::kTimedOut) continue;
    if (!reply || !note(*reply)) return std::nullopt;
    return *reply;
  }
}

bool Link::note(const srpc::Reply& reply) {
  if (in_flight_.empty()) return false;
  const InFlight call = in_flight_.front();
  in_flight_.pop_front();
  in_begin_ = call.in_end;
  const auto answer = said(reply, call.awaited);
  if (!answer) {
    end("answers a call with what is no answer to it");
    return false;
  }
  if (call.queue != 0 && answer->status != CL_SUCCESS)
    queue_errors_.try_emplace(call.queue, answer->status);
  return true;
}

void Link::end(std::string_view what) {
  if (failed()) return;
  log("OpenCL: the device's partition {}: it is not used any more, start the program again", what);
  caller_.close();
}

std::optional<uint64_t> Link::send(uint32_t call, Bytes args, uint32_t queue,
                                   const Awaited& awaited) {
  // Replies that nobody waits for are taken as they come, so that there is always room.
  while (caller_.in_flight() != 0 && caller_.free_slots() < kReserve && !failed()) {
    if (!take()) return std::nullopt;
  }
  const auto sequence = caller_.call(call, args);
  if (!sequence) return std::nullopt;
  in_flight_.push_back({*sequence, queue, in_end_, awaited});
  return *sequence;
}

cl_int Link::wait(uint64_t sequence, std::vector<uint8_t>* value) {
  while (!in_flight_.empty()) {
    const InFlight next = in_flight_.front();
    const auto reply = take();
    if (!reply) return CL_OUT_OF_RESOURCES;
    if (next.sequence != sequence) continue;
    const auto answer = said(*reply, next.awaited);
    if (!answer) return CL_OUT_OF_RESOURCES;
    if (value != nullptr) value->assign(answer->inside.begin(), answer->inside.end());
    if (value != nullptr && answer->inside.empty() && answer->size <= out_size())
      value->resize(answer->size);
    return answer->status;
  }
  return CL_OUT_OF_RESOURCES;
}

uint64_t Link::next_place(uint64_t need) {
  const uint64_t total = in_size();
  while (true) {  // what has been answered is free
    const auto reply = caller_.poll();
    if (!reply || !*reply || !note(**reply)) break;
  }
  if (in_begin_ == in_end_ || in_flight_.empty()) in_begin_ = in_end_ += total - in_end_ % total;
  const uint64_t at = in_end_ % total;
  // A first touch of a page costs more than to copy it: what has been used before is used again.
  const uint64_t used = in_begin_ % total;
  const bool again = at + need > in_touched_ && used <= at && need <= used;
  if (!again && at + need <= total) {
    in_touched_ = std::max(in_touched_, at + need);
    return in_end_;
  }
  return in_end_ + (total - at);
}

std::optional<Region> Link::place(uint64_t size, uint64_t window) {
  const uint64_t total = in_size(), need = aligned(std::max<uint64_t>(size, 1));
  if (need > total / 2) return std::nullopt;
  while (in_end_ - in_begin_ + need > window && !in_flight_.empty()) {
    if (!take()) return std::nullopt;
  }
  const uint64_t begin = next_place(need);
  while (begin + need - in_begin_ > total) {
    if (in_flight_.empty()) {
      in_begin_ = begin;
    } else if (!take()) {
      return std::nullopt;
    }
  }
  in_end_ = begin + need;
  return Region{begin % total, size};
}

std::optional<Region> Link::take_room(uint64_t size) {
  uint64_t at = 0;
  size = std::max<uint64_t>(size, 1);  // one that is empty would be found by others' places
  auto where = out_used_.begin();
  for (; where != out_used_.end(); ++where) {
    if (where->offset - at >= size) break;
    at = aligned(where->offset + where->size);
  }
  if (!within(at, size, out_size())) return std::nullopt;
  const Region region{at, size};
  out_used_.insert(where, region);
  return region;
}

void Link::free_room(const Region& region) {
  std::erase_if(out_used_, [&](const Region& used) { return used.offset == region.offset; });
}

cl_int Link::queue_error(uint32_t queue) {
  const auto found = queue_errors_.extract(queue);
  return found.empty() ? CL_SUCCESS : found.mapped();
}

}  // namespace casemate::opencl
