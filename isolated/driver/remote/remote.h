// SPDX-License-Identifier: Apache-2.0
#pragma once
// Remote: a device of another partition as a Device, over the stream to the enclave that has it.
//
//   write, run, read ──posted──▶ server ──▶ its queue      a command keeps its part of the bulk
//   wait ─────────────asked────▶ "so many are done"        memory until it is known to be done
//
//   Owns     the caller's end of the stream. Handles are numbers of this side.
//   Threads  as driver.h; one call is on its way at a time, so that a wait of one thread lets those
//            of others wait, as long as wait_max.
//   Trust    none in the other side: sizes, counts, codes and handles are checked here, and the
//            first nonsense closes the stream. What it has computed cannot be checked: a hostile
//            device answers wrongly, and that is what its partition is measured for.
//   Fails    as driver.h. With kPlatform, for ever after, once the stream has failed, the other
//            side has lied, or it has not answered for reply_max.

#include <functional>

#include "isolated/driver/driver.h"
#include "wire/srpc/srpc.h"

namespace casemate::driver {

struct RemoteOptions {
  // Called every now and then by whoever waits, who may be watched as well.
  std::function<void()> waiting = {};
  // How long one call may keep others waiting; the other side may compile, or wait itself.
  Duration wait_max = std::chrono::hours(1);
  Duration reply_max = std::chrono::seconds(120);
};

// Fails with kInvalid when the other side says nonsense of its device, kTooLarge for a stream with
// too little bulk memory, and with kPlatform when it does not answer.
Result<std::unique_ptr<Device>> make_remote(srpc::StreamEnd end, RemoteOptions options = {},
                                            Clock& clock = system_clock());

}  // namespace casemate::driver
