// SPDX-License-Identifier: Apache-2.0
#pragma once
// Protocol: OpenCL's calls as messages on a stream. Each is one structure of fixed size in a
// request's payload; data, sources and long answers lie in regions of the stream's bulk memory.
//
//   caller                                callee
//   picks a number for what it makes,     keeps a table of numbers per kind and client
//   posts, and goes on                    makes the object, or remembers why it could not
//   asks where it needs a value           answers with OpenCL's own status
//
// A handle is a number that the caller has chosen and the callee has in its table: nothing in a
// message is an address on either side. What could not be made stays in the table as its error,
// which is the answer to whatever names it later. A reply's srpc code says whether the message was
// one at all; what OpenCL says of the call is the status in its value.
//
//   Owns     nothing.
//   Threads  values.
//   Trust    every field is a peer's: decode() takes a private copy of the right size, and sound()
//            checks all that can be checked without a table.
//   Fails    decode() gives nothing for a message of the wrong size or with impossible fields.

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/srpc/srpc.h"

namespace casemate::opencl {

// In a request's call: nobody waits for its reply.
inline constexpr uint32_t kPosted = 1u << 31;

enum class Call : uint32_t {
  kQuery = 1,
  kCreateContext,
  kCreateQueue,
  kCreateBuffer,
  kCreateSubBuffer,
  kCreateImage,
  kCreateSampler,
  kCreateUserEvent,
  kCreateProgram,
  kBuildProgram,
  kCreateKernel,
  kSetArgument,
  kRelease,
  kUpload,
  kLaunch,
  kWriteBuffer,
  kReadBuffer,
  kCopyBuffer,
  kFillBuffer,
  kWriteRectangle,
  kReadRectangle,
  kCopyRectangle,
  kWriteImage,
  kReadImage,
  kCopyImage,
  kCopyImageToBuffer,
  kCopyBufferToImage,
  kFillImage,
  kMark,
  kFlush,
  kFinish,
  kWait,
  kSetUserEvent,
};

enum class Kind : uint32_t { kContext = 1, kQueue, kMemory, kSampler, kProgram, kKernel, kEvent };

// A piece of bulk memory: of the incoming one for what the caller sends, of the outgoing one for
// what it wants.
struct Region {
  uint64_t offset = 0;
  uint64_t size = 0;
};

using Triple = std::array<uint64_t, 3>;

inline constexpr uint32_t kWaitsMax = 12;
// What every command on a queue begins with. `event` 0: nobody will ask for it.
struct Command {
  uint32_t queue = 0;
  uint32_t event = 0;
  uint32_t wait_count = 0;
  std::array<uint32_t, kWaitsMax> waits{};
};

// One command of the program's may be several of ours; they are one event, and run in order.
enum class Part : uint32_t { kWhole = 0, kFirst, kMiddle, kLast };

// ---- Queries ----

// Which of OpenCL's clGet...Info functions, and about what. Only those that answer with plain data.
enum class Query : uint32_t {
  kDevice = 1,
  kImageFormats,  // object: a context; parameter: a type; index: flags
  kProgram,
  kProgramBuild,
  kProgramBinary,
  kKernel,
  kKernelWorkGroup,
  kKernelArgument,
  kEvent,
  kEventProfiling,
};
struct QueryCall {
  static constexpr Call kCall = Call::kQuery;
  uint32_t query = 0;
  uint32_t object = 0;
  uint32_t parameter = 0;
  uint32_t index = 0;
  Region out;  // where an answer goes that is too long for the reply
};
// What every reply begins with. `size` is that of the answer, in the reply behind this or in the
// region.
struct Outcome {
  int32_t status = 0;
  uint32_t reserved = 0;
  uint64_t size = 0;
};
inline constexpr size_t kInlineAnswer = srpc::kPayloadBytes - sizeof(Outcome);
// Longer than any log that a client could take.
inline constexpr size_t kAnswerMax = size_t{64} << 20;

// ---- Objects ----

struct CreateContext {
  static constexpr Call kCall = Call::kCreateContext;
  uint32_t id = 0;
  uint32_t reserved = 0;
};
struct CreateQueue {
  static constexpr Call kCall = Call::kCreateQueue;
  uint32_t id = 0;
  uint32_t context = 0;
  uint64_t properties = 0;
};
struct CreateBuffer {
  static constexpr Call kCall = Call::kCreateBuffer;
  uint32_t id = 0;
  uint32_t context = 0;
  uint64_t flags = 0;  // access only
  uint64_t size = 0;
};
struct CreateSubBuffer {
  static constexpr Call kCall = Call::kCreateSubBuffer;
  uint32_t id = 0;
  uint32_t parent = 0;
  uint64_t flags = 0;
  uint64_t origin = 0;
  uint64_t size = 0;
};
struct CreateImage {
  static constexpr Call kCall = Call::kCreateImage;
  uint32_t id = 0;
  uint32_t context = 0;
  uint64_t flags = 0;
  uint32_t order = 0;
  uint32_t element = 0;  // channel data type
  uint32_t type = 0;
  uint32_t buffer = 0;  // of a 1D image buffer; otherwise 0
  uint64_t width = 0;
  uint64_t height = 0;
  uint64_t depth = 0;
  uint64_t layers = 0;
};
struct CreateSampler {
  static constexpr Call kCall = Call::kCreateSampler;
  uint32_t id = 0;
  uint32_t context = 0;
  uint32_t normalized = 0;
  uint32_t addressing = 0;
  uint32_t filter = 0;
  uint32_t reserved = 0;
};
struct CreateUserEvent {
  static constexpr Call kCall = Call::kCreateUserEvent;
  uint32_t id = 0;
  uint32_t context = 0;
};
struct SetUserEvent {
  static constexpr Call kCall = Call::kSetUserEvent;
  uint32_t id = 0;
  int32_t status = 0;
};
struct CreateProgram {
  static constexpr Call kCall = Call::kCreateProgram;
  uint32_t id = 0;
  uint32_t context = 0;
  uint32_t binary = 0;  // 1: `text` is what a query for the binary once gave
  uint32_t reserved = 0;
  Region text;
};
struct BuildProgram {
  static constexpr Call kCall = Call::kBuildProgram;
  uint32_t id = 0;
  uint32_t reserved = 0;
  Region options;
};
struct CreateKernel {
  static constexpr Call kCall = Call::kCreateKernel;
  uint32_t id = 0;
  uint32_t program = 0;
  Text<192> name;
};
// What an argument may be set to; the answer to CreateKernel has one byte for each.
enum class Argument : uint8_t { kUnknown = 0, kValue, kMemory, kSampler, kLocal };
inline constexpr uint32_t kArgumentsMax = 200;
static_assert(kArgumentsMax <= kInlineAnswer);

inline constexpr size_t kInlineValue = 176;
inline constexpr size_t kValueMax = 4096;
struct SetArgument {
  static constexpr Call kCall = Call::kSetArgument;
  uint32_t kernel = 0;
  uint32_t index = 0;
  uint32_t kind = 0;    // Argument
  uint32_t object = 0;  // of kMemory and kSampler; 0: a null buffer
  uint64_t size = 0;    // of kValue and kLocal
  Region data;          // of a kValue that is longer than kInlineValue
  ByteArray<kInlineValue> value{};
};
struct Release {
  static constexpr Call kCall = Call::kRelease;
  uint32_t kind = 0;  // Kind
  uint32_t id = 0;
};
// What a buffer or an image holds when it is made, in front of every command.
struct Upload {
  static constexpr Call kCall = Call::kUpload;
  uint32_t id = 0;
  uint32_t reserved = 0;
  uint64_t offset = 0;  // of a buffer
  Triple origin{};      // of an image
  Triple extent{};      // of an image; zeros for a buffer
  Region data;
};

// ---- Commands ----

struct Launch {
  static constexpr Call kCall = Call::kLaunch;
  Command command;
  uint32_t kernel = 0;
  uint32_t dimensions = 0;
  uint32_t local_given = 0;
  Triple offset{};
  Triple global{};
  Triple local{};
};
struct WriteBuffer {
  static constexpr Call kCall = Call::kWriteBuffer;
  Command command;
  uint32_t buffer = 0;
  uint32_t part = 0;
  uint32_t reserved = 0;
  uint64_t offset = 0;
  Region data;
};
struct ReadBuffer {
  static constexpr Call kCall = Call::kReadBuffer;
  Command command;
  uint32_t buffer = 0;
  uint32_t part = 0;
  uint32_t blocking = 0;
  uint64_t offset = 0;
  Region data;
};
struct CopyBuffer {
  static constexpr Call kCall = Call::kCopyBuffer;
  Command command;
  uint32_t source = 0;
  uint32_t target = 0;
  uint32_t reserved = 0;
  uint64_t source_offset = 0;
  uint64_t target_offset = 0;
  uint64_t size = 0;
};
struct FillBuffer {
  static constexpr Call kCall = Call::kFillBuffer;
  Command command;
  uint32_t buffer = 0;
  uint32_t pattern_size = 0;
  uint32_t reserved = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  ByteArray<128> pattern{};
};
// A box of a buffer. In the region its rows lie one behind the other.
struct WriteRectangle {
  static constexpr Call kCall = Call::kWriteRectangle;
  Command command;
  uint32_t buffer = 0;
  uint64_t row_pitch = 0;
  uint64_t slice_pitch = 0;
  Triple origin{};
  Triple extent{};
  Region data;
};
struct ReadRectangle {
  static constexpr Call kCall = Call::kReadRectangle;
  Command command;
  uint32_t buffer = 0;
  uint64_t row_pitch = 0;
  uint64_t slice_pitch = 0;
  Triple origin{};
  Triple extent{};
  Region data;
};
struct CopyRectangle {
  static constexpr Call kCall = Call::kCopyRectangle;
  Command command;
  uint32_t source = 0;
  uint32_t target = 0;
  uint32_t reserved = 0;
  uint64_t source_row_pitch = 0;
  uint64_t source_slice_pitch = 0;
  uint64_t target_row_pitch = 0;
  uint64_t target_slice_pitch = 0;
  Triple source_origin{};
  Triple target_origin{};
  Triple extent{};
};
struct WriteImage {
  static constexpr Call kCall = Call::kWriteImage;
  Command command;
  uint32_t image = 0;
  Triple origin{};
  Triple extent{};
  Region data;
};
struct ReadImage {
  static constexpr Call kCall = Call::kReadImage;
  Command command;
  uint32_t image = 0;
  Triple origin{};
  Triple extent{};
  Region data;
};
struct CopyImage {
  static constexpr Call kCall = Call::kCopyImage;
  Command command;
  uint32_t source = 0;
  uint32_t target = 0;
  uint32_t reserved = 0;
  Triple source_origin{};
  Triple target_origin{};
  Triple extent{};
};
struct CopyImageToBuffer {
  static constexpr Call kCall = Call::kCopyImageToBuffer;
  Command command;
  uint32_t image = 0;
  uint32_t buffer = 0;
  uint32_t reserved = 0;
  uint64_t offset = 0;
  Triple origin{};
  Triple extent{};
};
struct CopyBufferToImage {
  static constexpr Call kCall = Call::kCopyBufferToImage;
  Command command;
  uint32_t image = 0;
  uint32_t buffer = 0;
  uint32_t reserved = 0;
  uint64_t offset = 0;
  Triple origin{};
  Triple extent{};
};
struct FillImage {
  static constexpr Call kCall = Call::kFillImage;
  Command command;
  uint32_t image = 0;
  Triple origin{};
  Triple extent{};
  ByteArray<16> color{};
};
struct Mark {
  static constexpr Call kCall = Call::kMark;
  Command command;
  uint32_t barrier = 0;
};
struct Flush {
  static constexpr Call kCall = Call::kFlush;
  uint32_t queue = 0;
};
struct Finish {
  static constexpr Call kCall = Call::kFinish;
  uint32_t queue = 0;
};
struct Wait {
  static constexpr Call kCall = Call::kWait;
  uint32_t bounded = 0;  // 1: answer kNotYet soon, since other calls may be needed for the end
  uint32_t count = 0;
  std::array<uint32_t, kWaitsMax> events{};
};
// A status that OpenCL has not: ask again.
inline constexpr int32_t kNotYet = 1;

// ---- Decoding ----

bool sound(const QueryCall& call);
bool sound(const CreateContext& call);
bool sound(const CreateQueue& call);
bool sound(const CreateBuffer& call);
bool sound(const CreateSubBuffer& call);
bool sound(const CreateImage& call);
bool sound(const CreateSampler& call);
bool sound(const CreateUserEvent& call);
bool sound(const SetUserEvent& call);
bool sound(const CreateProgram& call);
bool sound(const BuildProgram& call);
bool sound(const CreateKernel& call);
bool sound(const SetArgument& call);
bool sound(const Release& call);
bool sound(const Upload& call);
bool sound(const Command& command);
bool sound(const Launch& call);
bool sound(const WriteBuffer& call);
bool sound(const ReadBuffer& call);
bool sound(const FillBuffer& call);
bool sound(const Mark& call);
bool sound(const Flush& call);
bool sound(const Finish& call);
bool sound(const Wait& call);
// Of the other commands only what they begin with can be checked here.
template <class T>
  requires requires(const T& call) { call.command; }
bool sound(const T& call) {
  return sound(call.command);
}

// The message that `args` holds, if it is one.
template <class T>
std::optional<T> decode(Bytes args) {
  static_assert(sizeof(T) <= srpc::kPayloadBytes && std::is_trivially_copyable_v<T>);
  if (args.size() != sizeof(T)) return std::nullopt;
  const T call = load<T>(args);
  if (!sound(call)) return std::nullopt;
  return call;
}

// True when `region` lies in bulk memory of that size.
bool within(const Region& region, size_t bulk_size);
// True when [offset, offset + size) lies in [0, total).
bool within(uint64_t offset, uint64_t size, uint64_t total);
// The bytes of a packed box; nothing where that overflows.
std::optional<uint64_t> volume(const Triple& extent, uint64_t element_size);
// The end of a box in a buffer with those pitches (0: packed); nothing where it is none.
std::optional<uint64_t> box_end(const Triple& origin, const Triple& extent, uint64_t row_pitch,
                                uint64_t slice_pitch);

}  // namespace casemate::opencl
