// SPDX-License-Identifier: Apache-2.0
#pragma once
// SingleThread: while it lives, oneDNN compiles and runs on the calling thread alone. A process
// that will be forked must not start OpenMP's threads: their pool would not exist in the child,
// which would wait for it for ever.

#include <type_traits>

namespace casemate::engine {

// How many threads the kernels being made are for.
int thread_count();

// Runs body(data, i) for each i below `count`, each on a thread of its own where there are so many.
void run_parallel(int count, void (*body)(void* data, int i), void* data);
// The same with something callable.
template <class Body>
void parallel(int count, Body&& body) {
  run_parallel(
      count, [](void* data, int i) { (*static_cast<std::remove_reference_t<Body>*>(data))(i); },
      &body);
}

class SingleThread final {
 public:
  SingleThread();
  ~SingleThread();
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  int count_;
};

}  // namespace casemate::engine
