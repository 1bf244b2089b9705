// SPDX-License-Identifier: Apache-2.0
#pragma once
// Enclave: the frame of every enclave program. A template loads and compiles, gives up all it no
// longer needs, and then makes instances by fork: each in namespaces of its own, without
// capabilities, behind its final filter, and holding nothing that an earlier instance has seen.
//
//        start            fork            run
//   exec ------> template ----> instance ------> end
//
//   Owns     the control socket (descriptor 3).
//   Threads  start() must leave none behind: a fork copies one thread only.
//   Trust    the manifest comes from this partition's own mOS. What start() reads may be hostile;
//            if it takes the template over, it has the template's files and nothing else.
//   Fails    a start() that fails is reported with code and reason and ends this enclave, not its
//            partition.

#include <functional>

#include "base/lockdown/lockdown.h"
#include "base/result.h"
#include "wire/control/control.h"

namespace casemate::enclave {

class Program {
 public:
  virtual ~Program() = default;
  // In the template, before start(): what must come from outside the system, such as the key of a
  // sealed model, is asked for on the template's control socket.
  virtual Status unlock(const control::Socket&, const control::Message& /*manifest*/) { return {}; }
  // In the template, once: load and compile. Files may be read and code may be generated here and
  // never again.
  virtual Status start(const control::Message& manifest) = 0;
  // In the template, behind its last filter: make what every instance begins with and writes to.
  // It lies together, so that an instance that writes to it copies few pages.
  virtual Status prepare() { return {}; }
  // In each instance, once: serve until the control socket says stop or closes.
  virtual Status run(control::Socket control, const control::Message& manifest) = 0;
};

// The filter of this program's instances, and how many descriptors come with a request for one:
// they become 3 (the control socket), 4, ...; no instance has another, and no template has these.
struct Frame {
  lockdown::Filter instance = lockdown::Filter::kModel;
  int fds = 1;
  // It runs what is not ours, behind its jail's filter alone. What that leaves in files must not be
  // found by another instance, so that its template makes one and ends with it.
  bool foreign = false;
};

// Runs a program as a template, then as instances. Returns the process's exit code.
int run_template(Program& program, const Frame& frame);

}  // namespace casemate::enclave
