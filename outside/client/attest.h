// SPDX-License-Identifier: Apache-2.0
#pragma once
// Attestation of a server: who is there, and can it be trusted?
//
// Two looks, in this order: the evidence in the certificate, which costs nothing and tells whether
// asking makes sense; and evidence with a nonce of ours, over the same connection, which cannot be
// a recording.
//
//   Owns     values.
//   Threads  as the server.
//   Trust    the server may be anybody; a verdict is the answer, an error means there was none.
//   Fails    kDenied for a server without evidence, otherwise as Server::ask().

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "outside/client/server.h"
#include "outside/verdict/verdict.h"
#include "outside/verify/policy.h"

namespace casemate::client {

// How keys may be agreed on under the policy.
KeyExchange exchange_of(const verify::Policy& policy);

// Connects, with a key exchange that the policy allows.
Result<Server> open_server(std::string_view url, const verify::Policy& policy, Options options);

// The verdict on the evidence in the server's certificate.
Result<verify::Verdict> judge_certificate(const Server& server, const verify::Policy& policy);

// The verdict on evidence that the server gives to everybody, of the gateway and the model's
// enclaves.
Result<verify::Verdict> judge_reused(Server& server, const verify::Policy& policy,
                                     const std::string& model);

// Whether two verdicts are about the same enclaves, started equally often.
bool same_enclaves(const verify::Verdict& one, const verify::Verdict& other);

// The verdict on fresh evidence of the gateway and, unless it is empty, of the model's enclaves: of
// this version, or of the highest. `gateway_epoch_min`: of the gateway's token seen before.
Result<verify::Verdict> judge_fresh(Server& server, const verify::Policy& policy,
                                    const std::string& model, uint32_t gateway_epoch_min,
                                    std::optional<uint32_t> version = std::nullopt);

// Connects and takes both looks: the first verdict that is not passed, or the fresh one. Who wants
// to know what is there also where the policy says no, as long as every link holds, is `curious`.
Result<verify::Verdict> attest(std::string_view url, const verify::Policy& policy,
                               const Options& options = {}, const std::string& model = "",
                               bool curious = false);

}  // namespace casemate::client
