// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/backlog.h"

#include <utility>

namespace casemate::gateway {

Backlog::Backlog(Loop& loop, Serve serve)
    : loop_(loop), serve_(std::move(serve)), turn_(loop, [this] { run(); }) {}

bool Backlog::admits(uint64_t text_bytes) {
  if (std::exchange(round_, loop_.now()) != loop_.now()) round_bytes_ = 0;
  if (text_bytes > kAtOnce || text_bytes > kPerRound - round_bytes_) return false;
  round_bytes_ += text_bytes;
  return true;
}

void Backlog::add(CallId call, const Request& head, Body body) {
  Waiting waiting{.target = std::string(head.target),
                  .header_length = head.inference_header_length.transform(
                      [](std::string_view text) { return std::string(text); }),
                  .request = {.method = head.method,
                              .target = {},
                              .grpc = head.grpc,
                              .grpc_timeout = head.grpc_timeout,
                              .body = std::move(body)}};
  waiting_.emplace(call, std::move(waiting));
  // Due at once, which is at the end of a round.
  if (!turn_.pending()) turn_.set(loop_.now());
}

// The first of the next connection that has any.
void Backlog::run() {
  if (waiting_.empty()) return;
  auto next = waiting_.lower_bound({last_ + 1, 0});
  if (next == waiting_.end()) next = waiting_.begin();
  const CallId call = next->first;
  last_ = call.connection;
  Waiting waiting = std::move(next->second);
  waiting_.erase(next);
  if (!waiting_.empty()) turn_.set(loop_.now());
  waiting.request.target = waiting.target;
  waiting.request.inference_header_length = waiting.header_length;
  serve_(call, std::move(waiting.request));
}

}  // namespace casemate::gateway
