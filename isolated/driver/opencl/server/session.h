// SPDX-License-Identifier: Apache-2.0
#pragma once
// Session: one client's OpenCL at the device. It takes messages of isolated/driver/opencl/protocol,
// checks every field, and makes the calls.
//
//   Owns     all objects of the client; they go with it.
//   Threads  one. OpenCL's own threads run commands, and read what was staged for them.
//   Trust    the client may send anything. It reaches no object but those in its own tables, and
//            what it names by number is found there or refused with OpenCL's status.
//   Fails    a message that is none is answered with kInvalid; everything else with a status.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "isolated/driver/opencl/protocol/protocol.h"
#include "isolated/driver/opencl/server/pulse.h"
#include "isolated/driver/opencl/server/table.h"

namespace casemate::opencl {

struct SessionLimits {
  uint64_t memory_bytes = uint64_t{4} << 30;  // of buffers and images together
  uint32_t objects = 1 << 16;                 // of each kind
};

// A reply's code and value.
struct Answer {
  Code code = Code::kOk;
  Outcome outcome;
  ByteArray<kInlineAnswer> value{};
  size_t value_size = 0;
};

class Session final {
 public:
  // `in` is what the client writes at any time, `out` what it reads. `pulse`, which outlives the
  // session, hears of each command.
  Session(cl_device_id device, Bytes in, MutableBytes out, const SessionLimits& limits = {},
          Pulse* pulse = nullptr);
  ~Session();
  Session(const Session&) = delete;

  Answer handle(uint32_t call, Bytes args);

 private:
  using Context = Held<cl_context, clReleaseContext>;
  using Queue = Held<cl_command_queue, clReleaseCommandQueue>;
  using Sampler = Held<cl_sampler, clReleaseSampler>;
  using Program = Held<cl_program, clReleaseProgram>;
  using Mem = Held<cl_mem, clReleaseMemObject>;
  using Event = Held<cl_event, clReleaseEvent>;

  // What every entry says of what could not be made.
  template <class T>
  struct Entry {
    T object;
    cl_int error = CL_SUCCESS;
  };
  struct ContextEntry {
    Context object;
    cl_int error = CL_SUCCESS;
    Queue uploads;  // made with the first of them
  };
  struct MemoryEntry {
    Mem object;
    cl_int error = CL_SUCCESS;
    uint32_t context = 0;
    uint64_t size = 0;     // of a buffer; 0: an image
    uint64_t counted = 0;  // bytes of the limit
    uint32_t pixel = 0;
    Triple extent{};
  };
  struct KernelEntry {
    Held<cl_kernel, clReleaseKernel> object;
    cl_int error = CL_SUCCESS;
    std::vector<Argument> arguments;
    std::map<uint32_t, cl_int> wrong;  // what could not be set, until it is set again
  };
  // Several commands may be one event: from the begin of the first to the end of the last.
  struct EventEntry {
    Event object;
    cl_int error = CL_SUCCESS;
    Event begin;
    bool open = false;  // a user's event whose status is not set
  };
  // Data that a command reads when its turn comes.
  struct Staged {
    Event event;
    std::unique_ptr<uint8_t[]> copy;
  };
  // What the real call gets of a command.
  struct Started {
    cl_command_queue queue = nullptr;
    cl_uint wait_count = 0;
    std::array<cl_event, kWaitsMax> waits{};
    cl_event* event = nullptr;
    [[nodiscard]] const cl_event* list() const { return wait_count == 0 ? nullptr : waits.data(); }
  };

  static Answer malformed();
  static Answer done(cl_int status);
  Answer with_value(cl_int status, Bytes value, const Region& out) const;
  template <class T>
  Answer run(Answer (Session::*handler)(const T&), Bytes args);
  Answer handle_object(Call call, Bytes args);
  Answer handle_command(Call call, Bytes args);

  // The object of that number, or the status that says why there is none.
  template <class E>
  static cl_int usable(E* entry, cl_int missing) {
    return entry == nullptr ? missing : entry->error;
  }
  cl_int buffer(uint32_t id, uint64_t offset, uint64_t size, MemoryEntry*& found);
  cl_int box(uint32_t id, const Triple& origin, const Triple& extent, MemoryEntry*& found);
  // A box of an image whose pixels fill `data`.
  cl_int pixels(uint32_t id, const Triple& origin, const Triple& extent, const Region& data,
                MemoryEntry*& found);
  cl_int rectangle(uint32_t id, const Triple& origin, const Triple& extent, uint64_t row_pitch,
                   uint64_t slice_pitch, const Region& data, MemoryEntry*& found);
  cl_int begin(const Command& command, Started& started);
  template <class Enqueue>
  Answer enqueue(const Command& command, Enqueue&& real, Part part = Part::kWhole);
  // Lets go of what has been read, or never will be.
  void forget_staged();
  void record(const Command& command, Part part, cl_int status, cl_event event);
  // Enqueues `real` with data that stays where it is for as long as it takes.
  template <class Transfer>
  cl_int transfer_in(Started& started, const Region& data, Transfer&& real);

  Answer query(const QueryCall& call);
  Answer ask(const QueryCall& call, const std::function<cl_int(size_t, void*, size_t*)>& real);
  Answer query_binary(const QueryCall& call, cl_program program);
  Answer query_event(const QueryCall& call);
  Answer query_kernel(const QueryCall& call);
  Answer query_formats(const QueryCall& call);

  Answer create_context(const CreateContext& call);
  Answer create_queue(const CreateQueue& call);
  Answer create_buffer(const CreateBuffer& call);
  Answer create_sub_buffer(const CreateSubBuffer& call);
  Answer create_image(const CreateImage& call);
  Answer create_sampler(const CreateSampler& call);
  Answer create_user_event(const CreateUserEvent& call);
  Answer set_user_event(const SetUserEvent& call);
  Answer create_program(const CreateProgram& call);
  Answer build_program(const BuildProgram& call);
  Answer create_kernel(const CreateKernel& call);
  Answer set_argument(const SetArgument& call);
  cl_int set_argument(const KernelEntry& kernel, const SetArgument& call);
  Answer release(const Release& call);
  Answer upload(const Upload& call);
  bool counted(uint64_t bytes);
  void forget_memory(uint32_t id);

  Answer run_kernel(const Launch& call);
  Answer write_buffer(const WriteBuffer& call);
  Answer read_buffer(const ReadBuffer& call);
  Answer copy_buffer(const CopyBuffer& call);
  Answer fill_buffer(const FillBuffer& call);
  Answer write_rectangle(const WriteRectangle& call);
  Answer read_rectangle(const ReadRectangle& call);
  Answer copy_rectangle(const CopyRectangle& call);
  Answer write_image(const WriteImage& call);
  Answer read_image(const ReadImage& call);
  Answer copy_image(const CopyImage& call);
  Answer copy_image_to_buffer(const CopyImageToBuffer& call);
  Answer copy_buffer_to_image(const CopyBufferToImage& call);
  Answer fill_image(const FillImage& call);
  Answer mark(const Mark& call);
  Answer flush(const Flush& call);
  Answer finish(const Finish& call);
  Answer wait(const Wait& call);

  cl_device_id device_;
  Bytes in_;
  MutableBytes out_;
  SessionLimits limits_;
  Pulse* pulse_;
  uint64_t memory_bytes_ = 0;
  uint32_t open_events_ = 0;
  std::deque<Staged> staged_;  // outlives the queues
  Table<ContextEntry> contexts_;
  Table<Entry<Queue>> queues_;
  Table<MemoryEntry> memories_;
  Table<Entry<Sampler>> samplers_;
  Table<Entry<Program>> programs_;
  Table<KernelEntry> kernels_;
  Table<EventEntry> events_;
};

}  // namespace casemate::opencl
