// SPDX-License-Identifier: Apache-2.0
#pragma once
// Table: a client's numbers for its objects of one kind, and Held: a reference to an OpenCL object
// that is released when its owner goes away.
//
//   Owns     the objects.
//   Threads  one.
//   Trust    numbers are the client's: find() answers for any of them.
//   Fails    add() when the number is taken or the table full.

#include <CL/cl.h>

#include <cstdint>
#include <unordered_map>
#include <utility>

namespace casemate::opencl {

template <class T, cl_int (*Release)(T)>
class Held final {
 public:
  Held() = default;
  explicit Held(T object) : object_(object) {}
  Held(Held&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Held& operator=(Held&& other) noexcept {
    if (this != &other) {
      reset();
      object_ = std::exchange(other.object_, nullptr);
    }
    return *this;
  }
  ~Held() { reset(); }
  [[nodiscard]] T raw() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  void reset() {
    if (object_ != nullptr) static_cast<void>(Release(object_));
    object_ = nullptr;
  }
  T object_ = nullptr;
};

template <class T>
class Table final {
 public:
  explicit Table(size_t size_max) : size_max_(size_max) {}

  [[nodiscard]] bool takes(uint32_t id) const {
    return id != 0 && entries_.size() < size_max_ && !entries_.contains(id);
  }
  bool add(uint32_t id, T entry) {
    return takes(id) && entries_.emplace(id, std::move(entry)).second;
  }
  // Nothing where the number is none of this kind. Valid until the entry is removed.
  [[nodiscard]] T* find(uint32_t id) {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
  }
  bool remove(uint32_t id) { return entries_.erase(id) != 0; }
  [[nodiscard]] size_t size() const { return entries_.size(); }
  template <class Action>
  void each(Action action) {
    for (auto& entry : entries_) action(entry.second);
  }

 private:
  size_t size_max_;
  std::unordered_map<uint32_t, T> entries_;
};

}  // namespace casemate::opencl
