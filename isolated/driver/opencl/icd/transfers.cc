// SPDX-License-Identifier: Apache-2.0
// Data between the program's memory and the stream's: in pieces, so that one end copies while the
// other works.
#include <deque>

#include "isolated/driver/opencl/icd/driver.h"

namespace casemate::opencl {
namespace {

constexpr uint64_t kPiece = 2 << 20;
constexpr size_t kPiecesAhead = 4;
constexpr uint64_t kNear = 2 * kPiece;  // one piece is copied in while another is copied out

Part part_of(size_t at, size_t size, size_t total, bool one_event) {
  if (!one_event || size == total) return Part::kWhole;
  if (at == 0) return Part::kFirst;
  return at + size == total ? Part::kLast : Part::kMiddle;
}

}  // namespace

void pack(const HostBox& box, uint8_t* packed) {
  for (uint64_t z = 0; z < box.extent[2]; ++z)
    for (uint64_t y = 0; y < box.extent[1]; ++y, packed += box.extent[0])
      std::memcpy(packed, box.data + z * box.slice_pitch + y * box.row_pitch, box.extent[0]);
}

void unpack(const HostBox& box, const uint8_t* packed) {
  for (uint64_t z = 0; z < box.extent[2]; ++z)
    for (uint64_t y = 0; y < box.extent[1]; ++y, packed += box.extent[0])
      std::memcpy(box.data + z * box.slice_pitch + y * box.row_pitch, packed, box.extent[0]);
}

std::vector<std::pair<Triple, Triple>> Driver::slabs(const Triple& extent,
                                                     uint64_t piece_max) const {
  const auto& [row, rows, slices] = extent;
  const uint64_t rows_each = std::clamp<uint64_t>(piece_max / row, 1, rows);
  const uint64_t slices_each =
      rows_each < rows ? 1 : std::clamp<uint64_t>(piece_max / (row * rows), 1, slices);
  std::vector<std::pair<Triple, Triple>> pieces;
  for (uint64_t z = 0; z < slices; z += slices_each)
    for (uint64_t y = 0; y < rows; y += rows_each)
      pieces.push_back(
          {{0, y, z}, {row, std::min(rows_each, rows - y), std::min(slices_each, slices - z)}});
  return pieces;
}

cl_int Driver::write(cl_command_queue queue, cl_mem buffer, bool blocking, uint64_t offset,
                     Bytes data, const WaitList& waits, cl_command_type type, cl_event* event) {
  Started started;
  cl_int status = begin(queue, waits, type, event != nullptr, started);
  if (status != CL_SUCCESS) return status;
  const uint64_t piece = std::min(kPiece, link_.in_size() / 4);
  for (uint64_t at = 0; at < data.size() && status == CL_SUCCESS; at += piece) {
    WriteBuffer call;
    call.command = started.command;
    call.buffer = buffer->id;
    call.offset = offset + at;
    const Bytes part = data.subspan(at, std::min(piece, data.size() - at));
    call.part = static_cast<uint32_t>(part_of(at, part.size(), data.size(), event != nullptr));
    status = post_with(call, &WriteBuffer::data, part, queue->id, blocking ? kNear : UINT64_MAX);
  }
  return end(started, status, event);
}

// Waits, if need be, for reads that hold the room and whose data nobody has asked for.
std::optional<Region> Driver::room_for(Lock& lock, uint64_t size) {
  while (true) {
    const auto room = link_.take_room(size);
    if (room || deliveries_.empty()) return room;
    const Reference<_cl_event> oldest(deliveries_.front().event.raw());
    const cl_event event = oldest.raw();
    lock.unlock();
    static_cast<void>(wait({1, &event}));
    lock.lock();
    if (link_.failed()) return std::nullopt;
    if (!deliveries_.empty() && deliveries_.front().event.raw() == event) {
      link_.end("says that a command has ended, and that it has not");
      return std::nullopt;
    }
  }
}

cl_int Driver::read_now(const Started& started, cl_mem buffer, uint64_t offset, MutableBytes data) {
  struct Piece {
    uint64_t sequence;
    Region room;
    uint64_t at;
  };
  Lock lock(mutex_);
  const uint64_t piece = std::min(kPiece, link_.out_size() / (2 * kPiecesAhead));
  std::deque<Piece> ahead;
  cl_int status = CL_SUCCESS;
  for (uint64_t at = 0; at < data.size() || !ahead.empty();) {
    const uint64_t size = std::min(piece, data.size() - at);
    std::optional<Region> room;
    if (size != 0 && ahead.size() < kPiecesAhead)
      room = ahead.empty() ? room_for(lock, size) : link_.take_room(size);
    if (room) {
      ReadBuffer call;
      call.command = started.command;
      call.buffer = buffer->id;
      call.blocking = 1;
      call.part = static_cast<uint32_t>(part_of(at, size, data.size(), started.command.event != 0));
      call.offset = offset + at;
      call.data = *room;
      const auto sequence = link_.start(call);
      if (!sequence) return CL_OUT_OF_RESOURCES;
      ahead.push_back({*sequence, *room, at});
      at += size;
      continue;
    }
    if (ahead.empty()) return CL_OUT_OF_RESOURCES;
    const Piece next = ahead.front();
    ahead.pop_front();
    const cl_int one = link_.wait(next.sequence);
    if (status == CL_SUCCESS) status = one;
    if (one == CL_SUCCESS)
      std::copy_n(link_.outgoing(next.room), next.room.size, data.subspan(next.at).begin());
    link_.free_room(next.room);
  }
  deliver();
  const cl_int error = link_.queue_error(started.command.queue);
  if (link_.failed()) return CL_OUT_OF_RESOURCES;
  return status != CL_SUCCESS ? status : error;
}

cl_int Driver::read_later(const Started& started, cl_mem buffer, uint64_t offset,
                          MutableBytes data) {
  Lock lock(mutex_);
  const auto room = room_for(lock, data.size());
  if (!room) return CL_OUT_OF_RESOURCES;
  ReadBuffer call;
  call.command = started.command;
  call.buffer = buffer->id;
  call.offset = offset;
  call.data = *room;
  const cl_int status = link_.post(call, started.command.queue);
  if (status == CL_SUCCESS)
    deliveries_.push_back({Reference<_cl_event>(started.event), *room, [data](const uint8_t* from) {
                             std::copy_n(from, data.size(), data.begin());
                           }});
  return status;
}

cl_int Driver::read(cl_command_queue queue, cl_mem buffer, bool blocking, uint64_t offset,
                    MutableBytes data, const WaitList& waits, cl_command_type type,
                    cl_event* event) {
  // What fills the room of others is read at once.
  const bool now = blocking || data.size() > link_.out_size() / 4;
  Started started;
  cl_int status = begin(queue, waits, type, event != nullptr || !now, started);
  if (status != CL_SUCCESS) return status;
  if (now) {
    status = settle(queue, waits);
    if (status == CL_SUCCESS) status = read_now(started, buffer, offset, data);
  } else {
    status = read_later(started, buffer, offset, data);
  }
  return end(started, status, event);
}

cl_int Driver::upload(cl_mem buffer, Bytes data) {
  const uint64_t piece = std::min(kPiece, link_.in_size() / 4);
  for (uint64_t at = 0; at < data.size(); at += piece) {
    Upload call;
    call.id = buffer->id;
    call.offset = at;
    const cl_int status = post_with(call, &Upload::data,
                                    data.subspan(at, std::min(piece, data.size() - at)), 0, kNear);
    if (status != CL_SUCCESS) return status;
  }
  return CL_SUCCESS;
}

cl_int Driver::upload_image(cl_mem image, const HostBox& box) {
  const Lock lock(mutex_);
  for (const auto& [at, extent] : slabs(box.extent, link_.in_size() / 4)) {
    const auto room = link_.place(*volume(extent, 1));
    if (!room) return CL_OUT_OF_RESOURCES;
    pack({box.data + at[1] * box.row_pitch + at[2] * box.slice_pitch, extent, box.row_pitch,
          box.slice_pitch},
         link_.incoming(*room));
    Upload call;
    call.id = image->id;
    call.origin = at;
    call.extent = {extent[0] / image->pixel, extent[1], extent[2]};
    call.data = *room;
    if (link_.post(call) != CL_SUCCESS) return CL_OUT_OF_RESOURCES;
  }
  return CL_SUCCESS;
}

}  // namespace casemate::opencl
