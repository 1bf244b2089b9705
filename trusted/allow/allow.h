// SPDX-License-Identifier: Apache-2.0
#pragma once
// Dangerous powers, as types. A function that can hurt others takes the power as a parameter, so
// who can do what is read off the signatures, and grep finds every holder. Only Powers makes them,
// and only the monitor's main makes Powers.
//
//   Owns     nothing; a power is a promise, not a thing.
//   Threads  values.
//   Trust    the compiler keeps it: nobody else can construct one.
//   Fails    cannot.

namespace casemate::allow {

class Powers;

// Start a process behind walls: new namespaces, mounts, user ids, cgroups.
class Spawn final {
  friend class Powers;
  Spawn() = default;
};

// End a partition and everything in it.
class Kill final {
  friend class Powers;
  Kill() = default;
};

// Take shared memory away from those who map it.
class Revoke final {
  friend class Powers;
  Revoke() = default;
};

// Have a root of trust or the monitor's key vouch for an enclave.
class Vouch final {
  friend class Powers;
  Vouch() = default;
};

class Powers final {
 public:
  Spawn spawn;
  Kill kill;
  Revoke revoke;
  Vouch vouch;

 private:
  friend Powers assume_all_powers();
  Powers() = default;
};

// Requires: called once, by the monitor's main (and by tests of what needs a power).
inline Powers assume_all_powers() { return {}; }

}  // namespace casemate::allow
