// SPDX-License-Identifier: Apache-2.0
#pragma once
// Metrics: Prometheus text (exposition format 0.0.4) with Triton's names, so dashboards made for
// Triton work, and Casemate's own beside them. Counters and sizes only: nothing that a client sent.
//
//   Owns     nothing.
//   Threads  pure function.
//   Trust    model names have been checked by check_model_name(), so labels need no escapes.
//   Fails    never.

#include <span>
#include <string>

#include "isolated/gateway/http/server.h"
#include "isolated/gateway/serving/model.h"

namespace casemate::gateway {

std::string metrics_text(std::span<Model* const> models, const ServerCounters& server);

}  // namespace casemate::gateway
