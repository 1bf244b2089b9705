// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a program's OpenCL handles point to. Everything that OpenCL can be asked about an object and
// that does not change at the device is here; the rest is asked for by the object's number.
//
//   Owns     references to the objects that an object was made from.
//   Threads  counts of references are atomic; what else changes is behind the driver's lock.
//   Trust    handles are the program's own: one that is none is found by its mark, as far as
//            OpenCL's own libraries do.
//   Fails    never.

#include <CL/cl_icd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "isolated/driver/opencl/protocol/protocol.h"

namespace casemate::opencl {

const cl_icd_dispatch& dispatch_table();

// The loader looks at the first word and calls through it.
struct Object {
  const cl_icd_dispatch* dispatch = &dispatch_table();
  uint32_t mark = 0;
  uint32_t id = 0;
  std::atomic<cl_uint> references = 1;
};

// Tells the device that nobody has this object any more.
void forget(Kind kind, uint32_t id);

template <class T>
bool valid(const T* object) {
  return object != nullptr && object->mark == T::kMark;
}

template <class T>
void drop(T* object) {
  if (object->references.fetch_sub(1) != 1) return;
  object->mark = 0;
  forget(T::kKind, object->id);
  delete object;
}

// A reference that an object of ours has.
template <class T>
class Reference final {
 public:
  Reference() = default;
  explicit Reference(T* object) : object_(object) {
    if (object_ != nullptr) object_->references.fetch_add(1);
  }
  Reference(Reference&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Reference& operator=(Reference&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Reference() {
    if (object_ != nullptr) drop(object_);
  }
  T* operator->() const { return object_; }
  [[nodiscard]] T* raw() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

template <class T>
cl_int retain(T* object, cl_int invalid) {
  if (!valid(object)) return invalid;
  object->references.fetch_add(1);
  return CL_SUCCESS;
}
template <class T>
cl_int release(T* object, cl_int invalid) {
  if (!valid(object)) return invalid;
  drop(object);
  return CL_SUCCESS;
}

// A box of bytes in the program's memory, or of an image: its sides, and how far apart its rows and
// slices are.
struct HostBox {
  uint8_t* data = nullptr;
  Triple extent{};  // in bytes, rows, slices
  uint64_t row_pitch = 0;
  uint64_t slice_pitch = 0;
};
// Copies between a box and its packed form.
void pack(const HostBox& box, uint8_t* packed);
void unpack(const HostBox& box, const uint8_t* packed);

}  // namespace casemate::opencl

struct _cl_platform_id {
  const cl_icd_dispatch* dispatch = &casemate::opencl::dispatch_table();
};
struct _cl_device_id {
  const cl_icd_dispatch* dispatch = &casemate::opencl::dispatch_table();
};

struct _cl_context final : casemate::opencl::Object {
  static constexpr uint32_t kMark = 0x43580001;
  static constexpr auto kKind = casemate::opencl::Kind::kContext;
  std::vector<cl_context_properties> properties;
};

struct _cl_command_queue final : casemate::opencl::Object {
  static constexpr uint32_t kMark = 0x43580002;
  static constexpr auto kKind = casemate::opencl::Kind::kQueue;
  casemate::opencl::Reference<_cl_context> context;
  cl_command_queue_properties properties = 0;
  [[nodiscard]] bool ordered() const {
    return (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) == 0;
  }
};

struct _cl_mem final : casemate::opencl::Object {
  static constexpr uint32_t kMark = 0x43580003;
  static constexpr auto kKind = casemate::opencl::Kind::kMemory;
  ~_cl_mem();

  struct Mapped {
    uint8_t* pointer = nullptr;
    bool written = false;
    uint64_t offset = 0;  // of a buffer
    uint64_t size = 0;
    casemate::opencl::Triple origin{};  // of an image
    casemate::opencl::HostBox box;
    std::unique_ptr<uint8_t[]> memory;  // of an image, where the program gave none
  };
  struct Farewell {
    void(CL_CALLBACK* call)(cl_mem, void*);
    void* data;
  };

  casemate::opencl::Reference<_cl_context> context;
  casemate::opencl::Reference<_cl_mem> parent;  // of a sub-buffer, or an image in a buffer
  cl_mem_object_type type = CL_MEM_OBJECT_BUFFER;
  cl_mem_flags flags = 0;
  size_t size = 0;
  size_t origin = 0;
  void* host = nullptr;  // with CL_MEM_USE_HOST_PTR
  cl_image_format format{};
  cl_image_desc shape{};
  uint32_t pixel = 0;                 // 0: a buffer
  std::unique_ptr<uint8_t[]> shadow;  // what the program sees of a buffer that it maps
  std::vector<Mapped> maps;
  std::vector<Farewell> farewells;
};

struct _cl_sampler final : casemate::opencl::Object {
  static constexpr uint32_t kMark = 0x43580004;
  static constexpr auto kKind = casemate::opencl::Kind::kSampler;
  casemate::opencl::Reference<_cl_context> context;
  cl_bool normalized = CL_FALSE;
  cl_addressing_mode addressing = 0;
  cl_filter_mode filter = 0;
};

struct _cl_program final : casemate::opencl::Object {
  static constexpr uint32_t kMark = 0x43580005;
  static constexpr auto kKind = casemate::opencl::Kind::kProgram;
  casemate::opencl::Reference<_cl_context> context;
  std::string source;
  std::string options;
  std::atomic<size_t> binary_size = 0;  // as the program was told: it has made that much room
};

struct _cl_kernel final : casemate::opencl::Object {
  static constexpr uint32_t kMark = 0x43580006;
  static constexpr auto kKind = casemate::opencl::Kind::kKernel;
  casemate::opencl::Reference<_cl_context> context;
  casemate::opencl::Reference<_cl_program> program;
  std::vector<casemate::opencl::Argument> arguments;
  std::vector<bool> given;
  // What the device was told last, by argument; a value that went through bulk memory is not kept.
  std::vector<std::optional<casemate::opencl::SetArgument>> told;
  size_t group_size_max = 0;
  casemate::opencl::Triple group_required{};
};

struct _cl_event final : casemate::opencl::Object {
  static constexpr uint32_t kMark = 0x43580007;
  static constexpr auto kKind = casemate::opencl::Kind::kEvent;
  ~_cl_event();
  casemate::opencl::Reference<_cl_context> context;
  casemate::opencl::Reference<_cl_command_queue> queue;  // none: a user's event
  cl_command_type type = 0;
  bool open = false;  // a user's, whose status is not set
};
