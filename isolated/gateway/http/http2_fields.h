// SPDX-License-Identifier: Apache-2.0
#pragma once
// Values of header fields as HTTP/2 and gRPC write them.
//
//   Owns     nothing but what is returned.
//   Threads  pure functions.
//   Trust    the texts are a client's.
//   Fails    with nothing, or with a refusal's sentence.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "isolated/gateway/http/request_head.h"

namespace casemate::gateway {

Method method_named(std::string_view name);
// Whether a content-type is gRPC's: "application/grpc", alone or with "+proto" or parameters.
bool grpc_content(std::string_view content_type);
// Eight digits and a unit: "100m" is 100 ms.
std::optional<std::chrono::nanoseconds> grpc_timeout(std::string_view text);
// A message as the field grpc-message carries it: percent-encoded but for printable ASCII.
std::string grpc_message(std::string_view text);
// Of Content-Encoding; nothing for one that is not offered.
std::optional<Encoding> encoding_named(std::string_view name);
std::optional<uint64_t> decimal(std::string_view text);

}  // namespace casemate::gateway
