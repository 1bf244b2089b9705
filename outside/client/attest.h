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

#include <string>
#include <string_view>

#include "outside/client/server.h"
#include "outside/verify/policy.h"
#include "outside/verdict/verdict.h"

namespace casemate::client {

// The verdict on the evidence in the server's certificate.
Result<verify::Verdict> judge_certificate(const Server& server, const verify::Policy& policy);

// The verdict on fresh evidence of the gateway and, unless it is empty, of the model's enclaves.
// `gateway_epoch_min`: of the gateway's token seen before.
Result<verify::Verdict> judge_fresh(Server& server, const verify::Policy& policy,
                                    const std::string& model, uint32_t gateway_epoch_min);

// Connects and takes both looks: the first verdict that is not passed, or the fresh one.
Result<verify::Verdict> attest(std::string_view url, const verify::Policy& policy,
                               const Options& options = {}, const std::string& model = "");

}  // namespace casemate::client
