// SPDX-License-Identifier: Apache-2.0
#pragma once
// parallel_for() runs loops of our own on the threads of a Team, which are those of oneDNN as well.
//
// SingleThread: while it lives, oneDNN compiles and runs on the calling thread alone. A process
// that will be forked must not start threads: the child would have none of them, and wait for ever.
//
//   Owns     nothing; the threads are the team's.
//   Threads  one thread calls, those of the team work.
//   Trust    needs none.
//   Fails    never: a thread that cannot be started stops the process, so Executor::make() tries.

#include <climits>
#include <cstdint>
#include <type_traits>

namespace casemate::engine {

// How many threads kernels are compiled for and run with. Starts none: the first run() after it
// does.
void set_threads(int count);
// Has denormal numbers read and written as zero, in this thread and those it will start: they slow
// kernels down up to a hundredfold and no model depends on them.
void flush_denormals();

// As many as set_threads() said.
int thread_count();

// Calls work(context, piece, thread) for each piece from 0, on all threads or `threads_max` of
// them, which are numbered from 0. Each thread has its share, the same part of the pieces every
// time: what it made in one loop it finds in its own caches in the next, where cores are far apart.
// Who is done takes from others' shares, so that nobody waits for one that the system lets wait:
// what a piece makes must not depend on its thread. Starts threads, so never call it while a model
// is compiled.
void parallel_for(int64_t pieces, void (*work)(void* context, int64_t piece, int thread),
                  void* context, int threads_max);

template <class Work>
void parallel_for(int64_t pieces, Work work, int threads_max = INT_MAX) {
  const auto call = [](void* context, int64_t piece, int thread) {
    if constexpr (std::is_invocable_v<Work, int64_t, int>) {
      (*static_cast<Work*>(context))(piece, thread);
    } else {
      (*static_cast<Work*>(context))(piece);
    }
  };
  parallel_for(pieces, call, &work, threads_max);
}

// Into how many pieces to cut `whole` for so many threads: several for each, so that one that the
// system lets wait holds nobody up, but none smaller than `least`.
int64_t piece_count(int64_t whole, int64_t least, int threads);

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
