// SPDX-License-Identifier: Apache-2.0
#pragma once
// HttpLimits: what a client may cost. Every number can be set, with its default's arithmetic here.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/limits.h"

namespace casemate::gateway {

struct HttpLimits {
  // 10,000 idle clients, and room for as many busy ones as any machine serves. An idle one holds
  // 28 KiB, nearly all of it OpenSSL's: 450 MiB when the table is full.
  uint32_t connections = 16'384;
  // Request line and headers. A stock client sends 300 bytes; proxies add cookies and traces of a
  // few KiB; servers in use stop at 8 to 32 KiB.
  size_t head_bytes = 16 << 10;
  // The JSON part, and a JSON answer. The former is parsed in one go while other clients wait: at
  // 50 MB/s, 8 MiB are 170 ms; the latter is written a part at a time (serving/drafts.h). A picture
  // of 3 x 224 x 224 is 1 to 3 MB as text; beyond that there is binary.
  size_t json_bytes = 8 << 20;
  // Of one connection of HTTP/2 at a time. Each is one that waits for a model, like a connection of
  // HTTP/1.1; clients in use open a hundred at most before they connect again.
  uint32_t streams = 128;
  // What a client of HTTP/2 may send before we have said that we took it. It is taken at once, so
  // this is no bound on memory (buffered_bytes is); 4 MiB are 30 ms at 1 Gbit/s.
  uint32_t window_bytes = 4 << 20;
  // One body after decompression: the largest tensor and its JSON part.
  uint64_t body_bytes = limits::kTensorBytes + (8 << 20);
  // Bodies, decoded tensors and unsent answers, encrypted or not, of all connections together:
  // three of the largest bodies, or 300,000 small digit requests. Half of the gateway's memory, if
  // that is less.
  uint64_t buffered_bytes = 1ull << 30;
  // A body that is refused before it was read is read and dropped up to this size, which takes
  // about 1 ms, so that the connection survives; beyond it the connection is closed.
  uint64_t drain_bytes = 1 << 20;

  // A handshake is two round trips; 10 s let each packet be lost twice.
  std::chrono::nanoseconds handshake = std::chrono::seconds(10);
  // From a head's first byte to its last.
  std::chrono::nanoseconds head = std::chrono::seconds(10);
  // Between requests. Longer than the 60 s after which common load balancers close their side, so
  // that not we are the one whose close crosses a request.
  std::chrono::nanoseconds idle = std::chrono::seconds(75);
  // Each such stretch of a body or an answer must carry rate_bytes: 4 KiB/s is a tenth of GPRS.
  std::chrono::nanoseconds rate_window = std::chrono::seconds(10);
  uint64_t rate_bytes = 40 << 10;
  // A whole body: the largest one at 1 MiB/s. Bounds how long a trickler holds buffered_bytes.
  std::chrono::nanoseconds body = std::chrono::seconds(300);
  // After an answer that ends the connection, for the client to read it and close.
  std::chrono::nanoseconds linger = std::chrono::seconds(2);

  // Bytes that one connection may move before the others get their turn: 60 us of decryption.
  size_t turn_bytes = 256 << 10;
  // Handshakes begun or continued per round: each costs about 1 ms, and a request that arrives
  // behind them should not wait longer than a few.
  uint32_t handshakes_per_round = 2;
  // Seconds that a client is told to wait when we are full.
  uint32_t retry_after_s = 1;
};

}  // namespace casemate::gateway
