// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lockdown: everything a process does to itself to be able to do less. None of it can be undone.
//
// The monitor's jail applies the first steps between clone and execve; mOS, templates and instances
// go on with tighter ones as they need less. The filters are compiled at build time from policies/,
// where each call has its why.
//
//   Owns     nothing.
//   Threads  call before threads start: filters and capabilities apply to the calling thread.
//   Trust    assumes that what ran before it in this process was ours.
//   Fails    kPlatform with the step that the kernel refused. Whoever gets that must not go on.

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace casemate::lockdown {

enum class Filter {
  kStart,     // from the jail to a program's own start
  kMos,       // a partition's runtime
  kTemplate,  // while loading and compiling
  kSealed,    // a template that only makes instances
  kModel,     // an instance of a model
  kGateway,   // the gateway's instance
  kInspect,   // a program that looks at a model for the command line
  kReader,    // the same, where external data may be read
  kProgram,   // what is not ours: an unmodified program, or a device's driver and its compiler
};

// Allows from now on only what the filter's policy names; anything else kills the process.
Status apply(Filter filter);

// Gives up every capability for good, and the ways to get one back.
Status drop_capabilities();

// setuid bits and file capabilities mean nothing to this process and its children.
Status forbid_new_privileges();

// No core dumps, no ptrace by others of the same user, /proc entries owned by root.
Status make_undumpable();

// Files may only be read and executed below `folder`, and none at all if that is nullptr, and
// written below `writable` alone; no TCP ports; no signals or abstract sockets outside. Returns the
// Landlock ABI that stands, 0 where the kernel has none.
Result<int> restrict_files(const char* folder, const char* writable = nullptr);

// Upper bounds for this process that need no cgroup.
struct ResourceLimits {
  uint64_t files = 0;
  uint64_t data_bytes = 0;    // private writable memory; 0 leaves it alone
  uint64_t locked_bytes = 0;  // memory that holds keys
};
Status limit_resources(const ResourceLimits& limits);

// Closes every descriptor from `first` on.
Status close_from(int first);

}  // namespace casemate::lockdown
