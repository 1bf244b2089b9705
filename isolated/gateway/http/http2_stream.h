// SPDX-License-Identifier: Apache-2.0
#pragma once
// One stream of an Http2Connection: a request on its way in, or its answer on its way out.
//
//   Owns     the body, and the copy of an answer that is not sent yet; both count against the
//            server's budget.
//   Threads  one, the server's.
//   Trust    none in the client.
//   Fails    through its connection.

#include "isolated/gateway/http/http2_connection.h"

namespace casemate::gateway {

struct Http2Connection::Stream final : Deadline {
  Stream(Http2Connection& c, StreamId number) : connection(c), id(number) {}
  void expired() override { connection.slow(*this); }

  Http2Connection& connection;
  const StreamId id;
  Phase phase = Phase::kHead;
  uint32_t turn = 0;  // once it waits for the service
  RequestHead head;
  size_t head_bytes = 0;
  bool grpc = false;
  std::optional<std::chrono::nanoseconds> grpc_timeout;
  std::optional<Refusal> wrong;  // with the head
  bool complete = false;         // the client has said all
  Body body;
  std::unique_ptr<Inflater> inflater;
  Instant body_began{};
  uint64_t window_bytes = 0;  // moved in the current rate window

  std::vector<uint8_t> rest;  // of the answer
  size_t rest_at = 0;
  Share rest_share;
  bool has_trailer = false;
};

}  // namespace casemate::gateway
