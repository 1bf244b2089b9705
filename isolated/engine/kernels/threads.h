// SPDX-License-Identifier: Apache-2.0
#pragma once
// SingleThread: while it lives, oneDNN compiles and runs on the calling thread alone. A process
// that will be forked must not start OpenMP's threads: their pool would not exist in the child,
// which would wait for it for ever.

namespace casemate::engine {

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
