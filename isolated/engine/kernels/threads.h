// SPDX-License-Identifier: Apache-2.0
#pragma once
// parallel_for() runs loops of our own on the threads of the OpenMP runtime, which are those of
// oneDNN as well.
//
// SingleThread: while it lives, oneDNN compiles and runs on the calling thread alone. A process
// that will be forked must not start OpenMP's threads: their pool would not exist in the child,
// which would wait for it for ever.

#include <cstdint>

namespace casemate::engine {

// As many as set_threads() said.
int thread_count();

// Calls work(context, piece) for each piece from 0, on all threads; which thread has which piece
// depends on their number alone. Starts threads, so never call it while a model is compiled.
void parallel_for(int64_t pieces, void (*work)(void* context, int64_t piece), void* context);

template <class Work>
void parallel_for(int64_t pieces, Work work) {
  parallel_for(
      pieces, [](void* context, int64_t piece) { (*static_cast<Work*>(context))(piece); }, &work);
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
